"""Blurred noise: its marginal law, its autocorrelation, and the published known answers."""

import math

import numpy as np
import pytest
from scipy.special import ndtr

from kspace_denoise import metrics
from kspace_denoise.arrays import to_numpy
from kspace_denoise.sim import BlurredNoise
from tests.helpers import assert_same_kind, complex_array
from tests.statistics import kolmogorov, within_chance

KNOWN = {
    0.5: {(1, 0): 0.131, (1, 1): 0.035, (2, 0): 0.009},
    1.2: {(1, 0): 0.421, (1, 1): 0.354, (2, 0): 0.250, (3, 0): 0.105, (4, 0): 0.031},
}


def correlation(noise, dy, dx):
    """The correlation of real noise with itself shifted on the torus."""
    shifted = np.roll(noise, (dy, dx), (-2, -1))
    return float(np.mean(noise * shifted) / np.mean(noise**2))


@pytest.mark.parametrize("blur", [0.5, 1.2])
def test_the_published_autocorrelations(blur):
    noise = BlurredNoise(0.1, blur)
    drawn = noise.sample(np.zeros((1024, 1024)), seed=0)
    for (dy, dx), value in KNOWN[blur].items():
        assert noise.autocorrelation(dy, dx) == pytest.approx(value, abs=1.5e-3)
        for shift in ((dy, dx), (dx, -dy)):
            assert noise.autocorrelation(*shift) == noise.autocorrelation(dy, dx)
            assert correlation(drawn, *shift) == pytest.approx(value, abs=0.007)


@pytest.mark.parametrize("size", [(33, 40), (255, 256)])
@pytest.mark.parametrize("blur", [0.5, 1.2, 3.0])
def test_autocorrelation_is_the_stated_one(size, blur):
    noise = BlurredNoise(2.0, blur)
    drawn = noise.sample(np.zeros((40, *size)), seed=1)
    total = sum(noise.autocorrelation(y, x) ** 2 for y in range(-12, 13) for x in range(-12, 13))
    # Bartlett: the variance of an estimated correlation is at most about 2 sum(rho^2) / N.
    error = math.sqrt(2 * total / drawn.size)
    assert noise.autocorrelation(0, 0) == pytest.approx(1, rel=1e-12)
    for shift in ((0, 1), (1, 1), (2, 0), (0, 3), (5, 4)):
        stated = noise.autocorrelation(*shift)
        assert correlation(drawn, *shift) == pytest.approx(stated, abs=5 * error)
    assert noise.autocorrelation(0, 100) == 0
    power = math.sqrt(2 * total / drawn.size) * 4.0
    assert np.mean(drawn**2) == pytest.approx(noise.variance(0.0), abs=5 * power)


@pytest.mark.parametrize("count", [400, 20000])
def test_every_pixel_is_gaussian(count):
    noise = BlurredNoise(0.3, 1.2)
    drawn = noise.sample(np.full((count, 11, 13), 2.0), seed=3)
    for pixel in ((0, 0), (5, 4), (10, 12)):  # corners and centre alike: the edges wrap
        samples = drawn[:, *pixel]
        assert kolmogorov(samples, lambda y: ndtr((y - 2) / 0.3)) < within_chance(samples)
    steps = np.linspace(-1, 5, 6001)
    density = noise.density(steps, 2.0)
    assert np.sum(density) * 1e-3 == pytest.approx(1, rel=1e-9)
    assert np.sum(density * steps) * 1e-3 == pytest.approx(noise.mean(2.0), rel=1e-9)
    assert np.sum(density * (steps - 2) ** 2) * 1e-3 == pytest.approx(0.09, rel=1e-9)


@pytest.mark.parametrize(("level", "psnr"), [(6, 32.57), (13, 25.85), (25, 20.17)])
def test_psnr_of_gaussian_noise(level, psnr):
    image = np.linspace(0, 1, 600 * 600).reshape(600, 600)
    noisy = BlurredNoise(level / 255, 0.5).sample(image, seed=0)
    # Not clipped: half of the pixels at the ends of the range lie outside.
    assert metrics.psnr(noisy, image, data_range=1.0) == pytest.approx(psnr, abs=0.06)
    assert noisy.min() < 0
    assert noisy.max() > 1


def test_complex_images_get_circular_noise(rng):
    image = complex_array(rng, (3, 128, 130))
    added = BlurredNoise(0.5, 1.2).sample(image, seed=0) - image
    parts = np.stack([added.real.ravel(), added.imag.ravel()])
    covariance = parts @ parts.T / parts.shape[1]
    np.testing.assert_allclose(covariance, 0.25 * np.eye(2), atol=5 * 0.25 * 3 / added.size**0.5)
    assert added.dtype == np.complex64


def test_kinds_seeds_and_purity(kind, rng):
    for image in (rng.random((2, 9, 8)).astype(np.float32), complex_array(rng, (9, 8))):
        given, noise = kind(image), BlurredNoise(0.2, 0.5)
        drawn = noise.sample(given, 0)
        assert_same_kind(drawn, given)
        assert_same_kind(noise.variance(given), given)
        np.testing.assert_allclose(to_numpy(noise.variance(given)), 0.04, rtol=1e-6)
        assert to_numpy(drawn).dtype == image.dtype
        np.testing.assert_array_equal(to_numpy(given), image)
        np.testing.assert_array_equal(to_numpy(drawn), to_numpy(noise.sample(given, 0)))
        assert not np.array_equal(to_numpy(drawn), to_numpy(noise.sample(given, 1)))


def test_whole_numbers_do_not_truncate_the_noise(kind):
    noise, image = BlurredNoise(0.5, 0.5), np.arange(72).reshape(1, 8, 9)
    given = kind(image)
    drawn = noise.sample(given, 0)
    assert_same_kind(drawn, given)
    for result in (drawn, noise.mean(given), noise.variance(given)):
        assert to_numpy(result).dtype == np.float32
    expected = noise.sample(image.astype(np.float32), 0)
    np.testing.assert_array_equal(to_numpy(drawn), expected)
    np.testing.assert_array_equal(to_numpy(given), image)
    np.testing.assert_array_equal(to_numpy(noise.mean(given)), image)


def test_density_far_away_is_zero():
    for sigma in (1.0, 1e-200):
        values = BlurredNoise(sigma, 1.0).density([-np.inf, 1e9, np.inf], 0.0)
        np.testing.assert_array_equal(values, 0)


def test_bad_input_is_refused():
    for bad in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match=r"sigma is .* expected finite numbers above 0"):
            BlurredNoise(bad, 1.0)
        with pytest.raises(ValueError, match=r"blur is .* expected finite numbers above 0"):
            BlurredNoise(1.0, bad)
    for shape in ((50,), (8, 40)):
        with pytest.raises(ValueError, match=r"of at least 9 pixels each way for a blur of 1\.0"):
            BlurredNoise(1.0, 1.0).sample(np.zeros(shape), 0)
    with pytest.raises(ValueError, match="image holds 81 values that are NaN"):
        BlurredNoise(1.0, 1.0).sample(np.full((9, 9), np.nan), 0)
    with pytest.raises(ValueError, match="value holds NaN"):
        BlurredNoise(1.0, 1.0).density(math.nan, 0.0)
    with pytest.raises(ValueError, match="image holds values that are NaN"):
        BlurredNoise(1.0, 1.0).density(0.0, math.inf)
    for arguments in ((np.ones((9, 9)), 1.0), (1.0, np.ones((9, 9)))):
        with pytest.raises(TypeError, match=r"is an array of shape \(9, 9\), expected one number"):
            BlurredNoise(*arguments)
    with pytest.raises(TypeError, match="got complex64 values"):
        BlurredNoise(1.0, 1.0).density(np.ones(2, np.complex64), 0.0)
