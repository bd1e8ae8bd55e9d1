import numpy as np
import pytest

from kspace_denoise import recon, sim
from kspace_denoise.fourier import ifft2c
from kspace_denoise.recon.signal_rms import component_rms, signal_rms
from tests.recon.cases import disc
from tests.recon.test_ddrm import scan as undersampled


def scan(coils: int, snr: float) -> tuple[np.ndarray, float]:
    """Return whitened noisy k-space of a head, and the root mean square of its image."""
    head = sim.phantom((65, 64), "T2w", seed=3, coils=coils)
    psi = 2 / snr**2 * sim.array_covariance(coils, seed=0)
    clean = ifft2c(recon.whiten(head.kspace, psi))
    true = np.sqrt((np.abs(clean) ** 2).sum(0).mean())
    return recon.whiten(sim.add_noise(head.kspace, psi, seed=1), psi), float(true)


@pytest.mark.parametrize("coils", [1, 6])
@pytest.mark.parametrize("snr", [3, 30])
def test_it_is_that_of_the_noise_free_image(kind, coils, snr):
    white, true = scan(coils, snr)
    count = white[0].size
    power = true**2 * count
    error = np.sqrt(4 * coils * count + 4 * power) / (2 * power)  # one standard error, relative
    assert signal_rms(kind(white)) == pytest.approx(true, rel=4 * error)
    assert error < 0.05


@pytest.mark.parametrize("name", ["random", "equispaced", "poisson"])
def test_missing_samples_are_made_up_for(name):
    white, true = scan(6, 20)
    mask = sim.mask(name, white.shape[1:], 4, 12, seed=0)
    assert signal_rms(white * mask, mask) == pytest.approx(true, rel=0.06)


def test_it_is_positive_where_there_is_noise_alone():
    generator = np.random.default_rng(0)
    noise = generator.standard_normal((2, 3, 16, 16))
    assert 0 < signal_rms(noise[0] + 1j * noise[1]) < 1


def test_kspace_that_is_not_whitened_is_told():
    white, _ = scan(3, 20)
    with pytest.warns(UserWarning, match="whiten it first"):
        signal_rms(1e-4 * white)


def test_several_slices_are_refused():
    with pytest.raises(ValueError, match="expected one slice"):
        signal_rms(np.ones((2, 3, 8, 8), np.complex64))


@pytest.mark.parametrize("sigma", [0.02, 0.3])
def test_the_unit_of_the_maps_is_that_of_the_image(sigma):
    """Through noise and folding, with coils of unequal noise: a factor of 1.4 hardly matters."""
    kspace, maps, line, psi = undersampled(3, sigma)
    found = component_rms(recon.whiten(kspace, psi), recon.whiten(maps, psi), line)
    true = np.sqrt(np.mean(np.abs(disc((20, 24))) ** 2) / 2)
    assert found == pytest.approx(true, rel=0.15 if sigma < 0.1 else 0.4)
    assert component_rms(recon.whiten(kspace, psi), 10 * recon.whiten(maps, psi), line) == (
        pytest.approx(found / 10)
    )
