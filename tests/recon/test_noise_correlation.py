"""How noise is correlated, measured on phantoms whose noise is known."""

from typing import Any

import numpy as np
import pytest
import torch

from kspace_denoise import sim
from kspace_denoise.fourier import fft2c, ifft2c
from kspace_denoise.recon.noise_correlation import (
    REACH,
    correlation_reach,
    correlation_spectrum,
    noise_correlation,
    spectrum_correlation,
)

ANATOMY = 0.02  # what flat tissue adds


def white(shape: tuple[int, ...], seed: int) -> np.ndarray:
    real, imaginary = np.random.default_rng(seed).standard_normal((2, *shape))
    return real + 1j * imaginary


@pytest.fixture(scope="module")
def heads() -> np.ndarray:
    return np.stack([sim.phantom((120, 113), "T2w", seed=s).image for s in range(6)])


@pytest.mark.parametrize("kind", ["complex", "real"])
@pytest.mark.parametrize(("blur", "reach"), [(0.5, 1), (0.8, 2), (1.2, 3)])
def test_blurred_noise_is_told_from_white(heads: np.ndarray, blur: float, reach: int, kind: str):
    noise = sim.BlurredNoise(0.05 * np.abs(heads).max(), blur)
    clean = heads if kind == "complex" else heads.real
    found = noise_correlation(noise.sample(clean, 1))
    middle = found[REACH, REACH:]
    true = [noise.autocorrelation(0, d) for d in range(REACH)]
    pairs = 0.3 * heads.size
    within = ANATOMY + 4 * (3 / pairs) ** 0.5
    np.testing.assert_allclose(middle[:REACH], true, atol=within)
    assert found[REACH + 1, REACH + 1] == pytest.approx(noise.autocorrelation(1, 1), abs=within)
    assert correlation_reach(found) == reach
    np.testing.assert_allclose(found, found[::-1, ::-1].conj(), atol=1e-6)
    assert np.iscomplexobj(found) == (kind == "complex")
    assert abs(found.imag).max() < within


@pytest.mark.parametrize("acquired", [70, 60])
def test_noise_of_partial_fourier_turns_from_pixel_to_pixel(heads: np.ndarray, acquired: int):
    """Its spectrum is not the same at k and -k: of half of k-space no real part is left."""
    taken = (np.arange(120) < acquired)[:, None]
    noise = white(heads.shape, 5) * (120 / acquired) ** 0.5
    noisy = heads + 0.05 * np.abs(heads).max() * ifft2c(taken * fft2c(noise))
    found = noise_correlation(noisy)
    turns = np.exp(2j * np.pi * (np.arange(acquired) - 60)[:, None] * np.arange(4) / 120).mean(0)
    within = ANATOMY + 4 * (3 / (0.3 * heads.size)) ** 0.5
    np.testing.assert_allclose(found[REACH : REACH + 4, REACH], turns, atol=within)
    np.testing.assert_allclose(found[REACH, REACH + 1 : REACH + 4], 0, atol=within)
    assert correlation_reach(found) >= 1
    near = np.where(np.abs(np.arange(-REACH, REACH + 1)) <= 3, found.T, 0).T
    power = correlation_spectrum(near, (120, 113))
    assert power.mean() == pytest.approx(1)
    assert power[:50].mean() > 10 * power[75:115].mean()


def test_the_spectrum_is_the_transform_of_the_correlation():
    """Of neighbours down that share half, and as a tensor the same; DC at n // 2."""
    correlation = np.zeros((3, 3), np.float32)
    correlation[:, 1] = 0.5, 1, 0.5
    power = correlation_spectrum(correlation, (5, 4))
    expected = 1 + np.cos(2 * np.pi * (np.arange(5) - 2) / 5)
    np.testing.assert_allclose(power, np.tile(expected[:, None], 4), atol=1e-6)
    tensor = correlation_spectrum(torch.from_numpy(correlation), (5, 4))
    np.testing.assert_allclose(tensor, power, atol=1e-6)
    np.testing.assert_allclose(spectrum_correlation(power, (5, 4), 1), correlation, atol=1e-6)
    turning = np.arange(1.0, 6)[:, None]  # no symmetry, so complex; and 0 nowhere
    there = spectrum_correlation(turning, (5, 5), 2)
    assert abs(there.imag).max() > 0.1
    np.testing.assert_allclose(
        correlation_spectrum(there, (5, 5)), np.tile(turning / 3, 5), atol=1e-6
    )
    with pytest.raises(ValueError, match="expected 17 positions or more"):
        spectrum_correlation(turning, (5, 5))
    with pytest.raises(ValueError, match="correlation is 3 x 3, expected no more than the images"):
        correlation_spectrum(correlation, (5, 2))


def test_noise_that_is_correlated_along_one_axis(heads: np.ndarray):
    """As of a readout that was zero-filled or tapered."""
    rng = np.random.default_rng(0)
    white = rng.standard_normal((*heads.shape[:2], heads.shape[2] + 1))
    noise = (white[..., 1:] + white[..., :-1]) / 2**0.5
    found = noise_correlation(heads.real + 0.05 * np.abs(heads).max() * noise)
    assert found[REACH, REACH + 1] == pytest.approx(0.5, abs=0.04)
    assert abs(found[REACH + 1, REACH]) < 0.04
    assert abs(found[REACH + 1, REACH + 1]) < 0.04


def test_of_rician_magnitudes_too_little_is_found(heads: np.ndarray):
    """About the square: two Gaussian parts make the magnitude of the air."""
    noise = sim.BlurredNoise(0.05 * np.abs(heads).max(), 0.8)
    found = noise_correlation(np.abs(noise.sample(heads, 4)))[REACH, REACH + 1]
    assert found == pytest.approx(noise.autocorrelation(0, 1) ** 2, abs=3 * ANATOMY)


def test_white_noise_is_white(heads: np.ndarray):
    noise = np.random.default_rng(1).standard_normal((2, *heads.shape))
    for noisy in (heads + 0.2 * (noise[0] + 1j * noise[1]), np.abs(heads) + 0.2 * noise[0]):
        found = noise_correlation(noisy)
        assert abs(found[REACH, REACH + 1 : REACH + 4]).max() < 2 * ANATOMY
        assert correlation_reach(found) == 0


def test_the_reach_is_that_of_the_farthest_ring_beyond_the_threshold():
    found = np.zeros((7, 7))
    found[3, 3] = 1.0
    found[2:5:2, 3] = 0.08  # two of eight: root mean square 0.04
    assert (correlation_reach(found), correlation_reach(found, 0.03)) == (0, 1)
    found[3, 0::6] = -0.2  # two of 24, of noise that was interpolated: none at a distance of 2
    assert correlation_reach(found) == 3
    found[3, 0] = found[3, 6] = -0.1
    assert correlation_reach(found) == 0


def test_images_that_tell_nothing_are_refused():
    with pytest.raises(ValueError, match="expected 24 pixels or more each way"):
        noise_correlation(np.ones((3, 20, 40)))
    with pytest.raises(ValueError, match="flat pixels, expected 2000 or more"):
        noise_correlation(np.random.default_rng(0).standard_normal((30, 30)))
    with pytest.raises(ValueError, match="there are 0 flat pixels"):
        noise_correlation(np.zeros((8, 64, 64)))
    with pytest.raises(ValueError, match="hold no noise: pixels that were added should be 0"):
        noise_correlation(np.ones((8, 64, 64)))


@pytest.mark.parametrize("law", [sim.PoissonNoise(200.0), sim.GammaNoise(100.0)])
def test_noise_of_uneven_level_is_refused(heads: np.ndarray, law: Any):
    """White noise whose level follows the image would be told as correlated by 0.6."""
    magnitudes = np.abs(heads) / np.abs(heads).max()
    with pytest.raises(ValueError, match=r"the noise of bright areas is .* times that of dark"):
        noise_correlation(law.sample(magnitudes, 3))
