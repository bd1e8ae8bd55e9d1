"""The SNR of a scan is that of its SENSE image."""

import numpy as np
import pytest

from kspace_denoise import sim
from kspace_denoise.metrics import object_mask
from kspace_denoise.scan import Scan
from kspace_denoise.snr import scan_snr
from kspace_denoise.stages import KnownNoise, reconstruct_slice


@pytest.mark.parametrize("coils", [1, 6])
def test_it_is_met_by_noise_of_that_level(coils: int) -> None:
    kspace = sim.phantom((96, 80), coils=coils, seed=3).kspace
    assert kspace is not None
    unit = sim.array_covariance(coils, 1)
    of_unit = scan_snr(Scan(kspace=kspace[None]), KnownNoise(unit), noise_free=True)
    for wanted, tolerance in ((5, 0.03), (40, 0.01)):
        psi = unit * (of_unit / wanted) ** 2
        noisy = sim.add_noise(kspace, psi, seed=0)
        found = scan_snr(Scan(kspace=noisy[None]), KnownNoise(psi))
        assert found == pytest.approx(wanted, rel=tolerance)


@pytest.mark.parametrize("coils", [1, 6])
def test_the_noise_floor_does_not_count_as_signal(coils: int) -> None:
    """Without more the mean magnitude is never below 1.25 sigma."""
    kspace = sim.phantom((128, 128), coils=coils, seed=3).kspace
    assert kspace is not None
    unit = sim.array_covariance(coils, 1)
    of_unit = scan_snr(Scan(kspace=kspace[None]), KnownNoise(unit), noise_free=True)
    for wanted, tolerance in ((0.5, 0.25), (1, 0.15), (2, 0.1), (3, 0.06)):
        psi = unit * (of_unit / wanted) ** 2
        noisy = np.stack([sim.add_noise(kspace, psi, seed=seed) for seed in (0, 1)])
        found = scan_snr(Scan(kspace=noisy), KnownNoise(psi))
        assert found == pytest.approx(wanted, rel=tolerance)


def test_it_is_the_mean_magnitude_over_the_median_sigma_of_sense() -> None:
    kspace = sim.phantom((96, 80), coils=6, seed=3).kspace
    psi = sim.array_covariance(6, 1) * 1e-3
    noise = KnownNoise(psi)
    noisy = sim.add_noise(kspace, psi, seed=0)
    piece = reconstruct_slice(noisy, noise)
    inside = object_mask(np.abs(piece.image)) & (np.asarray(piece.sigma) > 0)
    expected = np.abs(piece.image)[inside].mean() / np.median(np.asarray(piece.sigma)[inside])
    assert scan_snr(Scan(kspace=noisy[None]), noise) == pytest.approx(expected, rel=0.03)


def test_a_filter_profile_and_blank_slices_change_nothing_outside() -> None:
    kspace = sim.phantom((96, 80), coils=2, seed=3).kspace
    assert kspace is not None
    psi = 1e-3 * np.eye(2)
    profile = np.linspace(0.5, 1.3, 80)
    noisy = sim.add_noise(kspace, psi, seed=0, noise_profile=profile)
    series = Scan(kspace=np.stack([noisy, 0 * noisy, noisy]))
    found = scan_snr(series, KnownNoise(psi, profile))
    clean = scan_snr(Scan(kspace=kspace[None]), KnownNoise(psi, profile), noise_free=True)
    assert found == pytest.approx(clean, rel=0.01)


def test_scans_that_have_none() -> None:
    kspace = sim.phantom((32, 32), coils=2, seed=3).kspace
    assert kspace is not None
    noise = KnownNoise(np.eye(2))
    with pytest.raises(ValueError, match="fully sampled Cartesian k-space only"):
        scan_snr(Scan(kspace=kspace[None], mask=np.arange(32) % 2 == 0), noise)
    few = np.zeros((20, *kspace.shape), kspace.dtype)
    few[4] = kspace  # of 20 slices 16 are looked at, and not the fifth
    with pytest.raises(ValueError, match="every slice that was looked at is blank"):
        scan_snr(Scan(kspace=few), noise)
