"""The tissue-map mode: contrast voxel by voxel, and noise that does not show the map."""

import numpy as np
import pytest
import torch

from kspace_denoise.arrays import to_numpy
from kspace_denoise.fourier import fft2c, ifft2c
from kspace_denoise.sim import add_noise, low_field
from tests.helpers import assert_same_kind, complex_array, random_covariance

SHAPE = (24, 20)
DRAWS = 1500


def map_of(rng):
    """Return a signed map of large, sudden differences."""
    return np.where(rng.random(SHAPE) < 0.5, 1.2, -0.2) + np.linspace(0, 0.3, SHAPE[1])


def noise_only(psi, factor, field=1.8, draws=DRAWS, **settings):
    """Return coil images of noise alone, source and simulation, and the low-field result."""
    shape = (draws, len(psi), *SHAPE)
    shaped = {key: settings[key] for key in ("noise_profile", "noise_spectrum") if key in settings}
    source = add_noise(np.zeros(shape, np.complex64), psi, seed=0, **shaped)
    low = low_field(source, psi, field, 3.0, seed=1, relaxation_factor=factor, **settings)
    return ifft2c(low.kspace), low


def pair_bound(level):
    """Return 5 standard errors of a sample covariance over the draws."""
    return 5 * level / np.sqrt(DRAWS)


@pytest.mark.parametrize("law", ["body", "mixed", "coil"])
def test_noise_is_stationary_with_the_target_covariance_at_every_voxel(rng, law):
    psi = random_covariance(rng, 3)
    images, low = noise_only(psi, map_of(rng), noise_law=law, crossover_field=1.0)
    target = low.noise_covariance
    found = np.einsum("niyx,njyx->ijyx", images, images.conj()) / DRAWS
    level = np.sqrt(np.outer(np.diag(target), np.diag(target)).real)
    error = np.abs(found - target[:, :, None, None]) / level[:, :, None, None]
    assert error.max() < 6 / np.sqrt(DRAWS)  # the largest of 4320 errors
    assert np.mean(error**2) == pytest.approx(1 / DRAWS, rel=0.15)


def test_noise_is_white_in_k_space_and_between_voxels(rng):
    psi = random_covariance(rng, 2)
    images, low = noise_only(psi, map_of(rng))
    power = np.diag(low.noise_covariance).real
    for data in (images, low.kspace):
        flat = data[:, 0].reshape(DRAWS, -1) / np.sqrt(power[0])
        covariance = flat.T @ flat.conj() / DRAWS
        error = np.abs(covariance - np.eye(flat.shape[1]))
        assert error.max() < 7 / np.sqrt(DRAWS)  # the largest of 230400 errors
        assert np.mean(error**2) == pytest.approx(1 / DRAWS, rel=0.03)
    pseudo = np.mean(images[:, 0] ** 2, axis=0) / power[0]
    assert np.abs(pseudo).max() < 6 / np.sqrt(DRAWS)  # circular


def test_a_profile_is_kept_exactly(rng):
    psi = random_covariance(rng, 2)
    profile = 0.4 + np.sin(np.pi * np.linspace(0, 1, SHAPE[1]))
    images, low = noise_only(psi, map_of(rng), noise_profile=profile)
    found = np.mean(np.abs(images) ** 2, axis=0)
    expected = np.diag(low.noise_covariance).real[:, None, None] * profile**2
    assert np.abs(found / expected - 1).max() < 6 / np.sqrt(DRAWS)


def test_a_spectrum_is_kept_within_the_bound_that_is_stated(rng):
    psi = np.eye(1)
    spectrum = np.broadcast_to(np.where(np.arange(SHAPE[1]) < 10, 0.4, 1.6), SHAPE)
    factor = map_of(rng)
    _, low = noise_only(psi, factor, field=0.6, noise_spectrum=spectrum)
    found = np.mean(np.abs(low.kspace[:, 0]) ** 2, axis=0)
    error = found / (low.noise_covariance[0, 0] * spectrum) - 1
    bound = 0.2**2 * np.max(factor**2) * (1.6 - 0.4) / 0.4
    assert abs(error).max() < bound + 6 / np.sqrt(DRAWS)
    exact = noise_only(psi, np.ones(SHAPE), field=0.6, noise_spectrum=spectrum)[1]
    found = np.mean(np.abs(exact.kspace[:, 0]) ** 2, axis=0)
    assert np.abs(found / (low.noise_covariance[0, 0] * spectrum) - 1).max() < 6 / np.sqrt(DRAWS)


def test_signal_is_scaled_voxel_by_voxel(kind, rng):
    image, factor = complex_array(rng, (2, 3, *SHAPE)) * 1e6, map_of(rng)
    factor = np.stack([factor, -factor])  # one for each slice
    given, psi = factor.copy(), random_covariance(rng, 3)
    kspace = fft2c(image)
    kept = kspace.copy()
    low = low_field(kind(kspace), kind(psi), 1.0, 3.0, 0, relaxation_factor=kind(factor))
    assert_same_kind(low.kspace, kind(kspace))
    assert to_numpy(low.kspace).dtype == np.complex64
    np.testing.assert_allclose(
        ifft2c(to_numpy(low.kspace)), image * factor[:, None] / 9, atol=1e6 * 1e-4
    )
    np.testing.assert_array_equal(factor, given)
    np.testing.assert_array_equal(kspace, kept)


def test_a_map_of_one_value_is_that_value(rng):
    psi = random_covariance(rng, 2)
    images, low = noise_only(psi, np.full((1, 1), -1.3), noise_law="mixed")
    single = low_field(
        np.zeros((2, *SHAPE), np.complex64),
        psi,
        1.8,
        3.0,
        0,
        relaxation_factor=-1.3,
        noise_law="mixed",
    )
    np.testing.assert_array_equal(low.noise_covariance, single.noise_covariance)
    samples = np.moveaxis(images, 1, 0).reshape(2, -1)
    found = samples @ samples.conj().T / samples.shape[1]
    assert np.abs(found - single.noise_covariance).max() < 5 * np.abs(found).max() / np.sqrt(
        samples.shape[1]
    )
    assert low.record["relaxation_factor"] == {"smallest": -1.3, "largest": -1.3}
    assert low.record["relaxation_from"] == "tissue map"


def test_the_voxel_of_largest_factor_decides_what_is_possible(rng):
    kspace, psi = complex_array(rng, (2, *SHAPE)), np.eye(2)
    factor = np.ones(SHAPE)
    factor[3, 4] = -2.5
    with pytest.raises(
        ValueError,
        match=r"f = -2\.5, its largest in the map.*highest field that can be simulated is 1\.2 ",
    ):
        low_field(kspace, psi, 1.5, 3.0, 0, relaxation_factor=factor)
    low_field(kspace, psi, 1.2, 3.0, 0, relaxation_factor=factor)


def test_gaps_in_k_space_are_refused_as_the_map_would_fill_them(rng):
    kspace, psi, factor = complex_array(rng, (3, 2, *SHAPE)), np.eye(2), map_of(rng)
    settings = {"field": 0.3, "source_field": 3.0, "seed": 0, "relaxation_factor": factor}
    mask = np.arange(SHAPE[1]) % 2 == 0
    with pytest.raises(ValueError, match="a map, and mask leaves samples of k-space out"):
        low_field(kspace, psi, **settings, mask=mask)
    with pytest.raises(ValueError, match="and noise_spectrum leaves samples of k-space out"):
        low_field(kspace, psi, **settings, noise_spectrum=mask)
    padded = kspace.copy()
    padded[1, ..., :4] = 0
    with pytest.raises(
        ValueError, match=r"96 of 1440 positions of the k-space are 0 in all c.*crop"
    ):
        low_field(padded, psi, **settings)
    scattered = np.where(rng.random(SHAPE) < 0.1, 0, kspace)
    with pytest.raises(ValueError, match=r"\d+ of 1440 positions"):
        low_field(scattered, psi, **settings)
    line = kspace.copy()
    line[2, :, 7] = 0
    with pytest.raises(ValueError, match=r"20 of 1440 positions"):
        low_field(line, psi, **settings)
    empty = kspace.copy()
    empty[1] = 0  # a slice without data has no gaps
    low_field(empty, psi, **settings, mask=np.ones(SHAPE[1]))


def test_samples_that_happen_to_be_zero_are_no_gaps(rng):
    """One coil in whole numbers, sigma 3.5 of them: a sample in 77 is 0 + 0i."""
    kspace = np.round(complex_array(rng, (1, 24, 20)) * 3.5).astype(np.complex64)
    zeros = kspace == 0
    assert 1 <= zeros.sum() <= 18
    low = low_field(kspace, np.eye(1), 0.3, 3.0, seed=0, relaxation_factor=map_of(rng))
    assert np.all(low.kspace[zeros] != 0)


@pytest.mark.cuda
@pytest.mark.parametrize("mapped", [False, True])
def test_it_stays_on_the_gpu(rng, mapped):
    psi = random_covariance(rng, 3)
    kspace = torch.zeros((DRAWS, 3, *SHAPE), dtype=torch.complex64, device="cuda")
    factor = torch.from_numpy(map_of(rng)).cuda() if mapped else 1.3
    source = add_noise(kspace, psi, seed=0)
    low = low_field(
        source,
        torch.from_numpy(psi).cuda(),
        1.8,
        3.0,
        1,
        relaxation_factor=factor,
        noise_law="mixed",
    )
    assert low.kspace.is_cuda
    assert low.noise_covariance.is_cuda
    target = to_numpy(low.noise_covariance)
    samples = np.moveaxis(to_numpy(low.kspace), 1, 0).reshape(3, -1)
    found = samples @ samples.conj().T / samples.shape[1]
    level = np.sqrt(np.outer(np.diag(target), np.diag(target)).real / samples.shape[1])
    assert np.max(np.abs(found - target) / level) < 5


def test_rejects_maps_that_do_not_fit(rng):
    kspace = complex_array(rng, (2, *SHAPE))
    with pytest.raises(
        ValueError, match=r"has shape \(24, 21\), which does not broadcast to \(24, 20"
    ):
        low_field(kspace, np.eye(2), 0.3, 3.0, 0, relaxation_factor=np.ones((24, 21)))
    with pytest.raises(ValueError, match=r"has shape \(2, 24, 20\), which does not broadcast"):
        low_field(kspace, np.eye(2), 0.3, 3.0, 0, relaxation_factor=np.ones((2, *SHAPE)))
    with pytest.raises(ValueError, match=r"mask has shape \(7, 5\), which does not broadcast"):
        low_field(
            kspace,
            np.eye(2),
            0.3,
            3.0,
            0,
            relaxation_factor=np.ones(SHAPE),
            mask=np.ones((7, 5)),
        )
    with pytest.raises(TypeError, match="expected complex64 or complex128"):
        low_field(kspace.real, np.eye(2), 0.3, 3.0, 0, relaxation_factor=np.ones(SHAPE))
