"""Poisson noise against its law: probabilities, moments, samples, PSNR."""

import math

import numpy as np
import pytest

from kspace_denoise import metrics
from kspace_denoise.sim import PoissonNoise
from tests.sim.image_laws import check_image_law
from tests.statistics import kolmogorov, mean_error, within_chance


@pytest.mark.parametrize("photons", [3.0, 200.0, 700.0])
@pytest.mark.parametrize("count", [300, 30000])
def test_samples_follow_the_law(rng, photons, count):
    noise = PoissonNoise(photons)
    for seed, value in enumerate((0.003, 0.147, 1.0, 4.5)):
        samples = noise.sample(np.full(count, value), seed)
        np.testing.assert_allclose(photons * samples, np.round(photons * samples), atol=1e-8)
        # A point of a step of the distribution function, drawn uniformly, is uniform.
        upper, lower = noise.cdf(samples, value), noise.cdf(samples - 1 / photons, value)
        uniform = lower + rng.random(count) * (upper - lower)
        assert kolmogorov(uniform, lambda u: u) < within_chance(samples)
        error = math.sqrt(value / photons / count)
        assert samples.mean() == pytest.approx(noise.mean(value), abs=5 * error)
        # The fourth central moment over the squared variance is 3 + 1 / expected counts.
        spread = value / photons * math.sqrt((2 + 1 / (photons * value)) / count)
        assert samples.var() == pytest.approx(noise.variance(value), abs=6 * spread)


def test_probabilities_sum_to_the_distribution():
    noise, values = PoissonNoise(200.0), np.arange(400) / 200.0
    for x in (0.0, 0.1, 0.9):
        probability = noise.density(values, x)
        np.testing.assert_allclose(np.cumsum(probability), noise.cdf(values, x), atol=1e-12)
        assert np.sum(probability * values) == pytest.approx(noise.mean(x), abs=1e-12)
        second = np.sum(probability * (values - x) ** 2)
        assert second == pytest.approx(noise.variance(x), abs=1e-12)
    assert noise.density(0.0, 0.0) == 1
    assert noise.density(0.0025, 0.1) == 0
    assert noise.density(-0.005, 0.1) == 0
    assert noise.cdf(-0.005, 0.1) == 0
    single = np.float32(0.1) * np.ones(1, np.float32)
    assert noise.density(single, 0.1)[0] == pytest.approx(
        math.exp(-20) * 20**20 / 2.43290200817664e18
    )


def test_infinite_values_have_no_probability():
    np.testing.assert_array_equal(PoissonNoise(200.0).density([-np.inf, np.inf], 0.1), 0)
    np.testing.assert_array_equal(PoissonNoise(200.0).cdf([-np.inf, np.inf], 0.1), [0, 1])


@pytest.mark.parametrize("photons", [1e6, 1e7, 1e9])
def test_whole_counts_are_told_apart_however_many(photons):
    noise, counts = PoissonNoise(photons), photons + np.arange(-3.0, 4.0)
    assert np.all(noise.density(counts / photons, 1.0) > 0)
    for between in (0.3, 0.5, 0.7):
        assert np.all(noise.density((counts + between) / photons, 1.0) == 0)
    steps = noise.cdf(counts / photons, 1.0)
    np.testing.assert_array_equal(noise.cdf((counts + 0.5) / photons, 1.0), steps)
    probability = noise.density(counts[1:] / photons, 1.0)
    np.testing.assert_allclose(np.diff(steps), probability, rtol=1e-4)
    near = noise.density(1.0, 1.0) * math.sqrt(2 * math.pi * photons)
    assert near == pytest.approx(1, rel=2e-6)  # Stirling: 1 - 1 / 12 photons


@pytest.mark.parametrize(
    ("photons", "mean", "psnr"), [(200, 0.147, 31.34), (200, 0.183, 30.39), (700, 0.531, 31.20)]
)
def test_psnr_is_that_of_the_mean(rng, photons, mean, psnr):
    image = rng.random((300, 300)) * 2 * mean
    noisy = PoissonNoise(photons).sample(image, seed=1)
    expected = -10 * math.log10(image.mean() / photons)
    squares = (noisy - image) ** 2
    error = 10 / math.log(10) * mean_error(squares) / squares.mean()
    found = metrics.psnr(noisy, image, data_range=1.0)
    assert found == pytest.approx(expected, abs=5 * error)
    assert expected == pytest.approx(psnr, abs=0.05)


def test_kinds_seeds_and_purity(kind):
    image = np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4)
    check_image_law(PoissonNoise(50.0), image, kind)
    assert PoissonNoise(50.0).sample(np.full((5, 5), 100.0), 0).max() > 1  # nothing is clipped


def test_bad_input_is_refused():
    for photons in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match=r"photons is .* expected finite numbers above 0"):
            PoissonNoise(photons)
    with pytest.raises(ValueError, match=r"image is -0\.1 to 1, expected finite values"):
        PoissonNoise(10.0).sample(np.array([-0.1, 1.0]), 0)
    with pytest.raises(ValueError, match="image is nan"):
        PoissonNoise(10.0).sample(np.array([np.nan, 1.0]), 0)
    with pytest.raises(TypeError, match="got complex64 values, expected real ones"):
        PoissonNoise(10.0).sample(np.ones(3, np.complex64), 0)
    for law in (PoissonNoise(10.0).density, PoissonNoise(10.0).cdf):
        with pytest.raises(ValueError, match="value holds NaN"):
            law([0.1, math.nan], 0.1)
    with pytest.raises(TypeError, match=r"photons is an array of shape \(2, 2\), expected one"):
        PoissonNoise(np.ones((2, 2)))
    with pytest.raises(TypeError, match="photons is '9', expected one number"):
        PoissonNoise("9")
    with pytest.raises(TypeError, match="seed is None"):
        PoissonNoise(10.0).sample(np.ones(3), None)
