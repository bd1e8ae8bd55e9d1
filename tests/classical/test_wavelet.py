"""Wavelet shrinkage and non-local means: what both owe their caller, and what shrinkage does."""

import numpy as np
import pytest

from kspace_denoise.classical.nlm import NonLocalMeans
from kspace_denoise.classical.wavelet import Wavelet
from tests.helpers import assert_same_kind, complex_array

BOTH = pytest.mark.parametrize("method", [Wavelet(), NonLocalMeans()], ids=["wavelet", "nlm"])


def blocks(shape: tuple[int, int] = (61, 50)) -> np.ndarray:
    """Return a complex image of two tissues in air."""
    image = np.zeros(shape, np.complex64)
    image[8:50, 6:40] = 10
    image[20:40, 15:30] = 4j
    return image


def error(clean: np.ndarray, truth: np.ndarray) -> float:
    return float(np.mean(np.abs(clean - truth) ** 2))


@BOTH
def test_the_kind_shape_and_precision_come_back(method, kind, rng):
    image = (blocks() + complex_array(rng, (2, 3, 61, 50))).astype(np.complex128)
    before = image.copy()
    clean = method(kind(image), 1.0)
    assert_same_kind(clean, kind(image))
    assert tuple(clean.shape) == image.shape
    assert str(clean.dtype).endswith("complex128")
    assert np.array_equal(image, before)
    assert method(np.abs(image).astype(np.float32), 1.0).dtype == np.float32


@BOTH
@pytest.mark.parametrize("shape", [(61, 50), (9, 33), (8, 8)])
def test_noise_goes_and_the_image_stays(method, rng, shape):
    truth = blocks()[:: 61 // shape[0], :: 50 // shape[1]][: shape[0], : shape[1]]
    noisy = truth + complex_array(rng, truth.shape)
    assert error(method(noisy, 1.0), truth) < (0.5 if shape == (61, 50) else 0.9) * 2


@BOTH
def test_scaling_image_and_sigma_scales_the_result(method, rng):
    noisy = blocks() + complex_array(rng, (61, 50))
    clean = method(noisy, 1.0)
    np.testing.assert_allclose(method(1e-5 * noisy, 1e-5), 1e-5 * clean, rtol=1e-4, atol=1e-9)


@BOTH
def test_a_global_phase_turns_the_result(method, rng):
    noisy, phase = blocks() + complex_array(rng, (61, 50)), np.complex64(np.exp(0.7j))
    np.testing.assert_allclose(method(noisy * phase, 1.0), phase * method(noisy, 1.0), atol=1e-3)


@BOTH
def test_a_sigma_map_is_divided_out_and_put_back(method, rng):
    noisy = blocks() + complex_array(rng, (61, 50))
    sigma = np.linspace(0.5, 2, 50, dtype=np.float32) * np.ones((61, 1), np.float32)
    np.testing.assert_allclose(
        method(noisy * sigma, sigma), method(noisy, 1.0) * sigma, rtol=1e-4, atol=1e-5
    )
    sigma[3:5] = 0
    assert not method(noisy * sigma, sigma)[3:5].any()


@BOTH
@pytest.mark.parametrize(
    ("sigma", "message"),
    [
        (0.0, "sigma must be positive"),
        (-1.0, "sigma must be positive"),
        (np.nan, "sigma must be positive"),
        (np.inf, "sigma must be positive"),
        (np.array([[1.0, -1.0]]), "sigma must be positive"),
        (np.ones((3, 4)), r"sigma has shape \(3, 4\), which does not fit"),
        (np.ones((2, 6, 2)), r"sigma has shape \(2, 6, 2\), which does not fit"),
    ],
)
def test_a_sigma_that_is_none_is_refused(method, sigma, message):
    with pytest.raises(ValueError, match=message):
        method(np.ones((6, 2), np.complex64), sigma)


@BOTH
@pytest.mark.parametrize("image", [np.ones(5, np.float32), np.full((4, 4), np.nan, np.complex64)])
def test_an_image_that_is_none_is_refused(method, image):
    with pytest.raises(ValueError, match="is no image"):
        method(image, 1.0)


@pytest.mark.parametrize("strength", [0, -1, np.nan, np.inf])
def test_bad_settings_say_what_is_expected(strength):
    for method in (Wavelet, NonLocalMeans):
        with pytest.raises(ValueError, match="expected a positive number"):
            method(strength)
    with pytest.raises(ValueError, match="not an orthogonal wavelet"):
        Wavelet(wavelet="bior4.4")


def test_noise_alone_vanishes_but_for_its_coarsest_part(rng):
    """Four levels leave at most (1/16)² of white noise in the approximation, and little besides."""
    noise = complex_array(rng, (256, 256))
    assert error(Wavelet()(noise, 1.0), np.zeros_like(noise)) < 2 * (1 / 256 + 0.01)


def test_the_threshold_of_bands_of_signal_follows_from_the_strength(rng):
    """White signal of level 1, sigma 0.1: each coefficient loses strength σ²/σ_x, more or less."""
    image = complex_array(rng, (61, 50))
    np.testing.assert_allclose(Wavelet(1e-6)(image, 0.1), image, atol=1e-4)
    lost = [error(Wavelet(strength)(image, 0.1), image) for strength in (0.5, 1.0)]
    assert lost[1] == pytest.approx(4 * lost[0], rel=0.1)


def test_every_shift_of_the_image_gives_the_shifted_result(rng):
    noisy = blocks() + complex_array(rng, (61, 50))
    moved = np.roll(noisy, (3, 5), (0, 1))
    inside = (slice(25, 45), slice(25, 35))  # away from the edges, which the mirror changes
    shifted = np.roll(Wavelet()(noisy, 1.0), (3, 5), (0, 1))
    np.testing.assert_allclose(Wavelet()(moved, 1.0)[inside], shifted[inside], atol=0.2)


def test_blank_air_around_the_coil_maps_does_not_strengthen_the_shrinkage(rng):
    """Three quarters of blank pixels hold no noise: thresholds are those of the rest alone."""
    noisy = np.tile(blocks(), (2, 2)) + complex_array(rng, (122, 100))
    alone = Wavelet()(noisy, 1.0)
    wide, sigma = np.zeros((244, 200), np.complex64), np.zeros((244, 200), np.float32)
    wide[:122, :100], sigma[:122, :100] = noisy, 1
    inside = (slice(0, 100), slice(0, 80))
    among = Wavelet()(wide, sigma)[:122, :100]
    truth = np.tile(blocks(), (2, 2))
    assert error(among[inside], truth[inside]) == pytest.approx(
        error(alone[inside], truth[inside]), rel=0.1
    )
