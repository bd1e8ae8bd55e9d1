"""Root sums of squares of correlated coils: exact moments and samples, and the approximation."""

import numpy as np
import pytest

from kspace_denoise import sim
from kspace_denoise.arrays import to_numpy
from kspace_denoise.recon import rss_noise
from kspace_denoise.sim import MagnitudeNoise, magnitude_moments, sample_magnitude
from tests.helpers import assert_same_kind, complex_array, random_covariance
from tests.statistics import kolmogorov, mean_error, variance_error, within_chance


def approximate(psi, signal):
    """The non-central chi that `rss_noise` states for one coil signal, and the amplitude."""
    noise = rss_noise(psi, signal[:, None, None])
    return MagnitudeNoise(noise.sigma.item(), noise.coils.item()), float(np.linalg.norm(signal))


def directions(psi):
    vectors = np.linalg.eigh(psi)[1]
    return vectors[:, 0], vectors[:, -1], np.ones(len(psi)) / len(psi) ** 0.5


@pytest.mark.parametrize("coils", [1, 3, 16])
@pytest.mark.parametrize("snr", [0.0, 0.5, 3.0, 40.0, 1e4, 1e5, 1e6, 1e8])
def test_moments_of_white_coils_are_those_of_the_chi_law(coils, snr):
    signal = np.zeros((coils, 1, 1), complex)
    signal[0] = 0.7j * snr
    moments = magnitude_moments(signal, 2 * 0.7**2 * np.eye(coils))
    noise = MagnitudeNoise(0.7, coils)
    assert moments.mean.item() == pytest.approx(noise.mean(0.7 * snr), rel=1e-12)
    # The closed form itself cancels below an SNR of 100 sqrt(coils), and is a series above.
    assert moments.variance.item() == pytest.approx(
        noise.variance(0.7 * snr), rel=1e-12 + 1e-13 * min(snr, 40) ** 2
    )


@pytest.mark.parametrize("coils", [1, 2, 5])
@pytest.mark.parametrize("count", [500, 40000])
def test_moments_of_correlated_coils_fit_samples(rng, coils, count):
    psi = random_covariance(rng, coils)
    for snr in (0, 1, 6):
        signal = snr * complex_array(rng, (coils, 1, 1))
        images = np.broadcast_to(signal, (coils, count, 1))
        samples = sample_magnitude(images, psi, seed=coils).astype(float)
        moments = magnitude_moments(signal.astype(complex), psi)
        assert samples.mean() == pytest.approx(moments.mean.item(), abs=5 * mean_error(samples))
        error = 5 * variance_error(samples)
        assert samples.var() == pytest.approx(moments.variance.item(), abs=error)


def test_samples_of_white_coils_follow_the_chi_law():
    images = np.full((4, 100, 90), 0.6 + 0.8j, np.complex64)
    samples = sample_magnitude(images, 2 * np.eye(4), seed=0)
    assert samples.shape == (100, 90)
    assert kolmogorov(samples, lambda m: MagnitudeNoise(1.0, 4).cdf(m, 2.0)) < within_chance(
        samples
    )


@pytest.mark.parametrize(
    ("correlation", "mean", "spread"), [(0.2, 2e-3, 0.013), (0.35, 3e-3, 0.026), (0.7, 7e-3, 0.071)]
)
def test_the_effective_coils_are_as_close_as_documented(correlation, mean, spread):
    for coils in (2, 4, 8, 16):
        psi = sim.array_covariance(coils, seed=0, correlation=correlation)
        for snr in (0.0, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0):
            for direction in directions(psi):
                signal = snr * direction.astype(complex)
                noise, amplitude = approximate(psi, signal)
                exact = magnitude_moments(signal[:, None, None], psi)
                assert noise.mean(amplitude) == pytest.approx(exact.mean.item(), rel=mean)
                deviation = np.sqrt(noise.variance(amplitude))
                assert deviation == pytest.approx(exact.variance.item() ** 0.5, rel=spread)


def test_kinds_precision_and_purity(kind, rng):
    images, psi = complex_array(rng, (2, 3, 4, 5)), random_covariance(rng, 3)
    given, covariance = kind(images), kind(psi)
    mean, variance = magnitude_moments(given, covariance)
    samples = sample_magnitude(given, covariance, seed=0)
    for result in (mean, variance, samples):
        assert_same_kind(result, given)
        assert tuple(result.shape) == (2, 4, 5)
        assert to_numpy(result).dtype == np.float32
    np.testing.assert_array_equal(to_numpy(given), images)
    np.testing.assert_array_equal(to_numpy(covariance), psi)
    again = to_numpy(sample_magnitude(given, covariance, seed=0))
    np.testing.assert_array_equal(to_numpy(samples), again)
    assert not np.array_equal(again, to_numpy(sample_magnitude(given, covariance, seed=1)))


def test_what_cannot_be_is_refused():
    images = np.zeros((2, 3, 3), np.complex64)
    with pytest.raises(ValueError, match=r"shape \(3, 3\), expected \(2, 2\)"):
        magnitude_moments(images, np.eye(3))
    with pytest.raises(ValueError, match="nothing to measure"):
        magnitude_moments(images, np.zeros((2, 2)))
    with pytest.raises(TypeError, match="expected complex64"):
        magnitude_moments(images.real, np.eye(2))
    with pytest.raises(ValueError, match=r"coil_images has shape \(3, 3\), expected"):
        magnitude_moments(images[0], np.eye(2))
    with pytest.raises(ValueError, match="coil_images holds 18 values that are NaN"):
        sample_magnitude(images + np.nan, np.eye(2), 0)
    with pytest.raises(TypeError, match="expected complex64"):
        sample_magnitude(images.real, np.eye(2), 0)
