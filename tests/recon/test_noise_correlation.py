"""How noise is correlated, measured on phantoms whose noise is known."""

import numpy as np
import pytest

from kspace_denoise import sim
from kspace_denoise.recon.noise_correlation import REACH, correlation_reach, noise_correlation

ANATOMY = 0.02  # what flat tissue adds


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
    np.testing.assert_allclose(found, found[::-1, ::-1])


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
