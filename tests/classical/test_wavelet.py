"""Wavelet shrinkage, non-local means, BM3D: what all owe their caller, and what shrinkage does."""

import dataclasses

import numpy as np
import pytest

from kspace_denoise import sim
from kspace_denoise.classical.bm3d import BM3D
from kspace_denoise.classical.nlm import NonLocalMeans
from kspace_denoise.classical.wavelet import Wavelet
from tests.helpers import assert_same_kind, complex_array

BOTH = pytest.mark.parametrize("method", [Wavelet(), NonLocalMeans()], ids=["wavelet", "nlm"])
ALL = pytest.mark.parametrize(
    "method", [Wavelet(), NonLocalMeans(), BM3D()], ids=["wavelet", "nlm", "bm3d"]
)


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
@pytest.mark.parametrize("phase_width", [0.0, 4.0])
def test_a_global_phase_turns_the_result(method, phase_width, rng):
    method = dataclasses.replace(method, phase_width=phase_width)
    noisy, phase = (blocks() + complex_array(rng, (61, 50))).astype(np.complex128), np.exp(0.7j)
    np.testing.assert_allclose(method(noisy * phase, 1.0), phase * method(noisy, 1.0), atol=1e-9)


@BOTH
def test_without_its_phase_a_complex_image_is_denoised_nearly_as_well_as_a_real_one(method, rng):
    """Its noise has twice the power, and half of it is in the part without signal."""
    head = np.asarray(sim.phantom((128, 112), seed=1).image)
    truth = head / np.abs(head).max()
    noisy = truth + 0.1 * complex_array(rng, truth.shape)
    real = np.abs(truth) + 0.1 * complex_array(rng, truth.shape).real
    without, kept = (
        error(dataclasses.replace(method, phase_width=width)(noisy, 0.1), truth)
        for width in (4.0, 0.0)
    )
    assert without < 0.85 * kept
    assert without < 1.4 * error(method(real, 0.1), np.abs(truth))


@BOTH
def test_a_real_image_has_no_phase_to_take_off(method, rng):
    noisy = np.abs(blocks()) + complex_array(rng, (61, 50)).real
    kept = dataclasses.replace(method, phase_width=0.0)
    assert np.array_equal(method(noisy, 1.0), kept(noisy, 1.0))


@BOTH
def test_a_sigma_map_is_divided_out_and_put_back(method, rng):
    noisy = blocks() + complex_array(rng, (61, 50))
    sigma = np.linspace(0.5, 2, 50, dtype=np.float32) * np.ones((61, 1), np.float32)
    np.testing.assert_allclose(
        method(noisy * sigma, sigma), method(noisy, 1.0) * sigma, rtol=1e-4, atol=1e-5
    )
    sigma[3:5] = 0
    assert not method(noisy * sigma, sigma)[3:5].any()


@ALL
@pytest.mark.parametrize(
    ("sigma", "message"),
    [
        (0.0, "sigma must be positive"),
        (-1.0, "sigma must be positive"),
        (np.nan, "sigma must be positive"),
        (np.inf, "sigma must be positive"),
        (np.tile([1.0, -1.0], 6), "sigma must be positive"),
        (np.ones((3, 4)), r"sigma has shape \(3, 4\), which does not fit"),
        (np.ones((2, 9, 12)), r"sigma has shape \(2, 9, 12\), which does not fit"),
        (np.ones((9, 12), np.complex64), "sigma is complex, expected the standard deviation"),
    ],
)
def test_a_sigma_that_is_none_is_refused(method, sigma, message):
    with pytest.raises(ValueError, match=message):
        method(np.ones((9, 12), np.complex64), sigma)


@ALL
@pytest.mark.parametrize(
    "image",
    [np.ones(9, np.float32), np.full((9, 9), np.nan, np.complex64), np.ones((0, 9, 9), np.float32)],
)
def test_an_image_that_is_none_is_refused(method, image):
    with pytest.raises(ValueError, match="is no image"):
        method(image, 1.0)


@ALL
def test_whole_numbers_are_refused(method, kind):
    with pytest.raises(TypeError, match="int64, expected real floating or complex numbers"):
        method(kind(np.ones((9, 9), np.int64)), 1.0)


@pytest.mark.parametrize("strength", [0, -1, np.nan, np.inf])
def test_bad_settings_say_what_is_expected(strength):
    for method in (Wavelet, NonLocalMeans):
        with pytest.raises(ValueError, match="expected a positive number"):
            method(strength)
        with pytest.raises(ValueError, match="phase_width is -1, expected pixels, or 0"):
            method(phase_width=-1)
    with pytest.raises(ValueError, match="not an orthogonal wavelet"):
        Wavelet(wavelet="bior4.4")


def test_noise_alone_vanishes_but_for_its_coarsest_part(rng):
    """Four levels leave at most (1/16)² of white noise in the approximation, and little besides."""
    noise = complex_array(rng, (256, 256))
    coarsest = 2 * (1 / 256 + 0.01)
    kept = error(Wavelet(phase_width=0)(noise, 1.0), np.zeros_like(noise))
    assert kept < coarsest
    # Its own smooth phase makes the real part positive, by sigma / (width √2) on average.
    assert error(Wavelet()(noise, 1.0), np.zeros_like(noise)) < coarsest + 1 / 32


def test_the_threshold_of_bands_of_signal_follows_from_the_strength(rng):
    """White signal of level 1, sigma 0.1: each coefficient loses strength σ²/σ_x, more or less."""
    image = complex_array(rng, (61, 50))
    np.testing.assert_allclose(Wavelet(1e-6)(image, 0.1), image, atol=1e-4)
    lost = [error(Wavelet(strength)(image, 0.1), image) for strength in (0.5, 1.0)]
    assert lost[1] == pytest.approx(4 * lost[0], rel=0.1)


def test_every_shift_of_the_image_gives_the_shifted_result(rng):
    method = Wavelet(phase_width=0)  # the smooth phase reaches to the edges
    noisy = blocks() + complex_array(rng, (61, 50))
    moved = np.roll(noisy, (3, 5), (0, 1))
    inside = (slice(25, 45), slice(25, 35))  # away from the edges, which the mirror changes
    shifted = np.roll(method(noisy, 1.0), (3, 5), (0, 1))
    np.testing.assert_allclose(method(moved, 1.0)[inside], shifted[inside], atol=0.2)


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
