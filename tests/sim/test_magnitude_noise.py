"""The distribution of magnitudes: density, moments, samples and closed forms."""

import math
from functools import partial

import numpy as np
import pytest

from kspace_denoise.arrays import to_numpy
from kspace_denoise.sim import MagnitudeNoise
from tests.helpers import assert_same_kind
from tests.statistics import kolmogorov, mean_error, variance_error, within_chance


@pytest.mark.parametrize("coils", [1, 2.5, 8, 32])
@pytest.mark.parametrize("snr", [0.0, 0.7, 3.0, 20.0])
def test_moments_and_distribution_fit_samples(rng, coils, snr):
    noise = MagnitudeNoise(sigma=0.3, coils=coils)
    assert noise.degrees_of_freedom == 2 * coils
    samples = 0.3 * np.sqrt(rng.noncentral_chisquare(2 * coils, snr**2, 40000))
    assert kolmogorov(samples, partial(noise.cdf, amplitude=0.3 * snr)) < within_chance(samples)
    error = samples.std() / math.sqrt(samples.size)
    assert noise.mean(0.3 * snr) == pytest.approx(samples.mean(), abs=5 * error)
    spread = np.std((samples - samples.mean()) ** 2) / math.sqrt(samples.size)
    assert noise.variance(0.3 * snr) == pytest.approx(samples.var(), abs=5 * spread)


def test_closed_forms_without_signal():
    rayleigh = MagnitudeNoise(2.0)
    assert rayleigh.mean(0.0) == pytest.approx(2 * math.sqrt(math.pi / 2), rel=1e-12)
    assert rayleigh.variance(0.0) == pytest.approx(4 * (2 - math.pi / 2), rel=1e-12)
    assert rayleigh.cdf(3.0, 0.0) == pytest.approx(1 - math.exp(-9 / 8), rel=1e-12)
    four = MagnitudeNoise(1.0, 4)  # sqrt(2) Gamma(4.5)/Gamma(4)
    assert four.mean(0.0) == pytest.approx(math.sqrt(2) * math.gamma(4.5) / 6, rel=1e-12)


@pytest.mark.parametrize("coils", [1, 3.7, 32])
def test_high_snr_is_gaussian_without_cancellation(coils):
    noise = MagnitudeNoise(2.0, coils)
    for snr in (1e3, 1e5, 1e7, 1e9):
        amplitude = 2.0 * snr
        # sigma^2 (1 - (coils - 1/2)/snr^2 ...) and A + (2 coils - 1) sigma^2 / 2A
        assert noise.variance(amplitude) == pytest.approx(4, rel=1.1 * coils / snr**2 + 1e-11)
        bias = 2.0 * (2 * coils - 1) / (2 * snr)
        assert noise.mean(amplitude) == pytest.approx(amplitude + bias, rel=1e-14 + 1e3 / snr**4)
        assert noise.cdf(amplitude + bias + 2.0, amplitude) == pytest.approx(0.841345, abs=2e-4)


@pytest.mark.parametrize("coils", [1.0, 5.0, 40.0])
def test_there_is_no_seam_to_the_far_field(coils):
    noise = MagnitudeNoise(1.0, coils)
    near, far = (math.sqrt(1e4 * coils) * (1 + shift) for shift in (-1e-9, 1e-9))
    # Special functions are good to 1e-13, and A^2 is up to 4e5 times the variance.
    assert noise.variance(near) == pytest.approx(noise.variance(far), rel=4e-8)
    steps = np.linspace(-5, 5, 101)
    np.testing.assert_allclose(
        noise.cdf(near + steps, near), noise.cdf(far + steps, far), atol=1e-5
    )


def test_sigma_maps_zeros_and_array_kinds(kind):
    sigma = np.array([[0.5, 1.0, 0.0]], np.float32)
    amplitude = np.array([[0.0, 2.0, 3.0]], np.float32)
    noise = MagnitudeNoise(kind(sigma))
    for result, expected in (
        (noise.mean(kind(amplitude)), [0.5 * math.sqrt(math.pi / 2), MagnitudeNoise(1).mean(2), 3]),
        (
            noise.variance(kind(amplitude)),
            [0.25 * (2 - math.pi / 2), MagnitudeNoise(1).variance(2), 0],
        ),
        (noise.cdf(kind(amplitude), kind(amplitude)), [0, MagnitudeNoise(1).cdf(2, 2), 1]),
    ):
        assert_same_kind(result, kind(sigma))
        assert to_numpy(result).dtype == np.float32
        np.testing.assert_allclose(to_numpy(result)[0], expected, rtol=1e-6)
    np.testing.assert_array_equal(MagnitudeNoise(1.0).cdf([-1.0, 0.0], 1.0), 0)


@pytest.mark.parametrize("coils", [0.5, 1, 2.5, 8, 64, 1000])
@pytest.mark.parametrize("amplitude", [0.0, 1e-9, 0.7, 5.0, 50.0, 99.0, 300.0])
def test_density_integrates_to_the_distribution(coils, amplitude):
    noise = MagnitudeNoise(1.0, coils)
    middle, spread = noise.mean(amplitude), math.sqrt(noise.variance(amplitude))
    edges = np.linspace(max(middle - 6 * spread, 0), middle + 6 * spread, 13)
    nodes, weights = np.polynomial.legendre.leggauss(30)
    half = np.diff(edges)[:, None] / 2
    density = noise.density(edges[:-1, None] + half * (1 + nodes), amplitude)
    mass = np.sum(density * weights * half, axis=1)
    # The distribution function turns Gaussian, good to 1e-5, at an SNR of 100 sqrt(coils).
    far = amplitude > 100 * math.sqrt(coils)
    expected = np.diff(noise.cdf(edges, amplitude))
    np.testing.assert_allclose(mass, expected, atol=1e-5 if far else 1e-7)


@pytest.mark.parametrize("coils", [1, 8, 300])
def test_density_at_high_snr_is_the_gaussian(coils):
    noise, steps = MagnitudeNoise(2.0, coils), np.array([-2.0, 0.0, 2.0])
    for snr in (1e5, 1e7, 1e9, 1e12):
        density = noise.density(2 * snr + steps, 2 * snr)
        expected = np.exp(-(steps**2) / 8) / (2 * math.sqrt(2 * math.pi))
        np.testing.assert_allclose(density, expected, rtol=3 * coils / snr + 1e-3 / snr**0.5)


def test_density_closed_forms():
    rayleigh = MagnitudeNoise(2.0)
    assert rayleigh.density(3.0, 0.0) == pytest.approx(3 / 4 * math.exp(-9 / 8), rel=1e-12)
    assert rayleigh.density(0.0, 5.0) == 0
    assert rayleigh.density(-1.0, 5.0) == 0
    half_normal = MagnitudeNoise(1.0, 0.5)
    assert half_normal.density(0.0, 0.0) == pytest.approx(math.sqrt(2 / math.pi), rel=1e-12)
    np.testing.assert_array_equal(MagnitudeNoise(0.0).density([3.0, 4.0], 4.0), [0, np.inf])


@pytest.mark.parametrize("coils", [0.4, 1, 3.7, 32])
@pytest.mark.parametrize("count", [300, 20000])
def test_samples_follow_the_distribution(coils, count):
    for seed, amplitude in enumerate((0.0, 0.5, 4.0, 1e3)):
        noise = MagnitudeNoise(0.3, coils)
        samples = noise.sample(np.full(count, amplitude), seed)
        stated = partial(noise.cdf, amplitude=amplitude)
        assert kolmogorov(samples, stated) < within_chance(samples)
        mean, variance = noise.mean(amplitude), noise.variance(amplitude)
        assert samples.mean() == pytest.approx(mean, abs=5 * mean_error(samples))
        assert samples.var() == pytest.approx(variance, abs=5 * variance_error(samples))


def test_samples_are_of_the_kind_given_and_follow_the_seed(kind):
    amplitude = np.linspace(0, 4, 6, dtype=np.float32).reshape(2, 3)
    noise = MagnitudeNoise(kind(np.array([[0.5, 0.0, 2.0]], np.float32)), 2.5)
    samples = noise.sample(kind(amplitude), 0)
    assert_same_kind(samples, kind(amplitude))
    drawn = to_numpy(samples)
    assert drawn.dtype == np.float32
    np.testing.assert_array_equal(drawn[:, 1], amplitude[:, 1])
    np.testing.assert_array_equal(drawn, to_numpy(noise.sample(kind(amplitude), 0)))
    assert not np.array_equal(drawn, to_numpy(noise.sample(kind(amplitude), 1)))
    assert isinstance(MagnitudeNoise(1.0).sample(2.0, 0), float)


@pytest.mark.parametrize("sigma", [1e-200, 1e-50, 1e-30])
@pytest.mark.parametrize("coils", [1, 4, 64])
def test_any_snr_is_finite(sigma, coils):
    noise = MagnitudeNoise(sigma, coils)
    assert noise.mean(1.0) == 1
    assert noise.variance(1.0) == pytest.approx(sigma**2, rel=1e-9, abs=0)
    assert noise.density(1.0, 1.0) * sigma == pytest.approx(1 / math.sqrt(2 * math.pi), rel=1e-9)
    assert noise.sample(1.0, 0) == pytest.approx(1, rel=1e-15)
    np.testing.assert_array_equal(noise.cdf([0.0, 1 - 1e-9, 1 + 1e-9, 9.0], 1.0), [0, 0, 1, 1])
    np.testing.assert_array_equal(noise.density([1 - 1e-9, 1 + 1e-9], 1.0), 0)
    assert noise.cdf(1.0, 0.0) == 1
    assert noise.density(1.0, 0.0) == 0


def test_infinite_magnitudes_have_no_density():
    for noise in (MagnitudeNoise(1.0), MagnitudeNoise(2.0, 8), MagnitudeNoise(0.0)):
        for amplitude in (0.0, 1.0, 1e7):
            np.testing.assert_array_equal(noise.density([-np.inf, np.inf], amplitude), 0)
            np.testing.assert_array_equal(noise.cdf([-np.inf, np.inf], amplitude), [0, 1])


def test_maps_of_sigma_or_coils_give_the_kind(kind):
    given = kind(np.array([0.5, 1.0, 2.0], np.float32))
    for noise in (MagnitudeNoise(given), MagnitudeNoise(1.0, given)):
        for result in (
            noise.mean(2.0),
            noise.variance(2.0),
            noise.cdf(1.0, 2.0),
            noise.density(1.0, 2.0),
            noise.sample(2.0, 0),
        ):
            assert_same_kind(result, given)
            assert to_numpy(result).dtype == np.float32
            assert tuple(result.shape) == (3,)


def test_bad_parameters_are_refused():
    with pytest.raises(ValueError, match="sigma is -1 to 2, expected finite values of at least 0"):
        MagnitudeNoise(np.array([-1.0, 2.0]))
    with pytest.raises(ValueError, match="coils is 0, expected finite numbers above 0"):
        MagnitudeNoise(1.0, 0)
    with pytest.raises(ValueError, match="sigma is nan, expected"):
        MagnitudeNoise(math.nan)
    with pytest.raises(ValueError, match="amplitude is -1, expected finite values of at least 0"):
        MagnitudeNoise(1.0).mean(-1.0)
    with pytest.raises(ValueError, match="amplitude is nan, expected"):
        MagnitudeNoise(1.0).density(1.0, math.nan)
    for law in (MagnitudeNoise(1.0).density, MagnitudeNoise(1.0).cdf):
        with pytest.raises(ValueError, match="magnitude holds NaN"):
            law([1.0, math.nan], 1.0)
    for sigma in ("a", None):
        with pytest.raises(TypeError, match=f"got {sigma!r}, expected a real number or an array"):
            MagnitudeNoise(sigma)
    with pytest.raises(TypeError, match="seed is None"):
        MagnitudeNoise(1.0).sample(1.0, None)


@pytest.mark.parametrize("coils", [48.0, 64.0, 128.0])
def test_moments_of_many_coils_are_those_of_the_chi_squared(coils):
    # scipy's 1F1 overflows from 49 coils on; E[m^2] holds whatever the mean is, so a density does.
    amplitude = np.array([0.0, 6.0, 9.0, 12.0, 20.0])
    law = MagnitudeNoise(1.0, coils)
    magnitude = np.linspace(0, 60, 24001)
    density = law.density(magnitude[:, None], amplitude)
    mean = np.trapezoid(magnitude[:, None] * density, magnitude, axis=0)
    np.testing.assert_allclose(law.mean(amplitude), mean, rtol=1e-7)
    second = amplitude**2 + 2 * coils
    np.testing.assert_allclose(law.variance(amplitude), second - mean**2, rtol=1e-4)
