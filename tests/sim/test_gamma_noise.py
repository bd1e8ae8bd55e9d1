"""Multiplicative gamma noise against its law: density, moments, samples, PSNR."""

import math

import numpy as np
import pytest

from kspace_denoise import metrics
from kspace_denoise.sim import GammaNoise
from tests.sim.image_laws import check_image_law
from tests.statistics import kolmogorov, mean_error, within_chance


@pytest.mark.parametrize("shape", [0.7, 4.0, 100.0, 500.0])
@pytest.mark.parametrize("count", [300, 30000])
def test_samples_follow_the_law(shape, count):
    noise = GammaNoise(shape)
    for seed, value in enumerate((0.02, 1.0, 30.0)):
        samples = noise.sample(np.full(count, value), seed)
        distance = kolmogorov(samples, lambda y, value=value: noise.cdf(y, value))
        assert distance < within_chance(samples)
        assert samples.mean() == pytest.approx(noise.mean(value), abs=5 * mean_error(samples))
        # The fourth central moment over the squared variance is 3 + 6/a.
        error = noise.variance(value) * math.sqrt((2 + 6 / shape) / count)
        assert samples.var() == pytest.approx(noise.variance(value), abs=6 * error)


@pytest.mark.parametrize("shape", [1.0, 4.5, 100.0, 1e6])
def test_density_integrates_to_the_distribution_and_the_moments(shape):
    noise, value = GammaNoise(shape), 0.3
    spread = math.sqrt(noise.variance(value))
    edges = np.linspace(max(value - 8 * spread, 0), value + 12 * spread, 41)
    nodes, weights = np.polynomial.legendre.leggauss(20)
    half = np.diff(edges)[:, None] / 2
    points = edges[:-1, None] + half * (1 + nodes)
    mass = noise.density(points, value) * weights * half
    np.testing.assert_allclose(mass.sum(axis=1), np.diff(noise.cdf(edges, value)), atol=1e-8)
    assert np.sum(mass * points) == pytest.approx(noise.mean(value), rel=1e-4)
    assert np.sum(mass * (points - value) ** 2) == pytest.approx(noise.variance(value), rel=3e-3)


def test_closed_forms():
    exponential = GammaNoise(1.0)
    assert exponential.density(0.5, 2.0) == pytest.approx(math.exp(-0.25) / 2, rel=1e-12)
    assert exponential.cdf(0.5, 2.0) == pytest.approx(1 - math.exp(-0.25), rel=1e-12)
    assert GammaNoise(2.0).density(-0.5, 2.0) == 0
    assert GammaNoise(2.0).cdf(-0.5, 2.0) == 0
    np.testing.assert_array_equal(GammaNoise(2.0).density([0.0, 1.0], 0.0), [np.inf, 0])
    np.testing.assert_array_equal(GammaNoise(2.0).cdf([0.0, 1.0], 0.0), 1)
    for true in (0.0, 2.0):
        np.testing.assert_array_equal(GammaNoise(2.0).density([-np.inf, np.inf], true), 0)
        np.testing.assert_array_equal(GammaNoise(2.0).cdf([-np.inf, np.inf], true), [0, 1])


def test_psnr_is_that_of_the_mean_square(rng):
    image = rng.random((300, 300)) * math.sqrt(3 * 0.051)  # mean of squares 0.051, as in a knee
    noisy = GammaNoise(100.0).sample(image, seed=0)
    expected = -10 * math.log10(np.mean(image**2) / 100)
    squares = (noisy - image) ** 2
    error = 10 / math.log(10) * mean_error(squares) / squares.mean()
    assert metrics.psnr(noisy, image, data_range=1.0) == pytest.approx(expected, abs=5 * error)
    assert expected == pytest.approx(32.92, abs=0.05)


def test_kinds_seeds_and_purity(kind):
    image = np.linspace(0, 3, 12, dtype=np.float32).reshape(3, 4)
    check_image_law(GammaNoise(5.0), image, kind)


def test_bad_input_is_refused():
    for shape in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match=r"shape is .* expected finite numbers above 0"):
            GammaNoise(shape)
    with pytest.raises(ValueError, match=r"image is -0\.1 to 1, expected finite values"):
        GammaNoise(10.0).sample(np.array([-0.1, 1.0]), 0)
    with pytest.raises(ValueError, match="image is nan"):
        GammaNoise(10.0).sample(np.array([np.nan, 1.0]), 0)
    for law in (GammaNoise(10.0).density, GammaNoise(10.0).cdf):
        with pytest.raises(ValueError, match="value holds NaN"):
            law([0.1, math.nan], 0.1)
    with pytest.raises(TypeError, match=r"shape is an array of shape \(3,\), expected one number"):
        GammaNoise(np.ones(3))
    with pytest.raises(TypeError, match="got complex128 values, expected real ones"):
        GammaNoise(10.0).density(1.0, 1j)
