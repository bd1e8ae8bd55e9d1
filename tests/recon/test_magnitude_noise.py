"""The stated distributions of roots of sums of squares, against samples and closed forms."""

import math
from functools import partial

import numpy as np
import pytest

from kspace_denoise import sim
from kspace_denoise.arrays import to_numpy
from kspace_denoise.fourier import fft2c
from kspace_denoise.recon import MagnitudeNoise, adaptive_combine, rss, rss_noise, sense, whiten
from tests.helpers import assert_same_kind, complex_array, random_covariance
from tests.recon.cases import smooth_maps
from tests.statistics import kolmogorov, within_chance


def coil_samples(rng, psi, signal, side=200):
    """Coil images (coils, side, side) of a constant signal with noise of covariance psi."""
    mixing = np.linalg.cholesky(psi / 2)
    noise = np.einsum("ij,jyx->iyx", mixing, complex_array(rng, (len(psi), side, side)))
    return signal[:, None, None] + noise


def distance(samples, noise, amplitude):
    return kolmogorov(samples, partial(noise.cdf, amplitude=amplitude))


def single(noise):
    """The distribution of one pixel of a map of equal ones."""
    return MagnitudeNoise(float(np.ravel(noise.sigma)[0]), float(np.ravel(noise.coils)[0]))


def test_rss_of_white_or_whitened_coils_is_exact(rng):
    signal = np.array([1.0, 2j, -1.0, 0.5, 0.0])
    white = rss_noise(2 * 0.7**2 * np.eye(5))
    assert (white.sigma, white.coils) == (pytest.approx(0.7), pytest.approx(5))
    samples = rss(coil_samples(rng, 2 * 0.7**2 * np.eye(5), signal))
    assert distance(samples, white, np.linalg.norm(signal)) < within_chance(samples)
    local = rss_noise(2 * 0.7**2 * np.eye(5), coil_samples(rng, np.eye(5), signal, 4))
    np.testing.assert_allclose(local.sigma, 0.7, rtol=1e-6)
    np.testing.assert_allclose(local.coils, 5, rtol=1e-6)

    psi = random_covariance(rng, 5)
    samples = rss(whiten(coil_samples(rng, psi, signal), psi))
    amplitude = np.linalg.norm(whiten(signal[:, None, None], psi))
    assert distance(samples, rss_noise(2 * np.eye(5)), amplitude) < within_chance(samples)


@pytest.mark.parametrize(("correlation", "stated"), [(0.35, 0.014), (0.7, 0.05), (0.9, 0.09)])
def test_rss_of_correlated_coils_is_as_close_as_stated(rng, correlation, stated):
    for coils in (2, 8):
        psi = sim.array_covariance(coils, seed=0, correlation=correlation)
        directions = np.linalg.eigh(psi)[1]
        for snr in (0, 1, 3, 10):
            for direction in (directions[:, 0], directions[:, -1], np.ones(coils) / coils**0.5):
                signal = snr * direction.astype(np.complex128)
                noise = single(rss_noise(psi, signal[:, None, None]))
                samples = rss(coil_samples(rng, psi, signal, 150))
                limit = stated + within_chance(samples)
                assert distance(samples, noise, np.linalg.norm(signal)) < limit


def test_effective_parameters_keep_two_moments_of_the_square(rng, kind):
    psi = random_covariance(rng, 4)
    signal = 2 * complex_array(rng, (4, 3, 2))
    noise = rss_noise(kind(psi), kind(signal))
    assert_same_kind(noise.sigma, kind(signal))
    s2, coils = 2 * to_numpy(noise.sigma) ** 2, to_numpy(noise.coils)
    amplitude2 = np.sum(np.abs(signal) ** 2, axis=0)
    through = np.einsum("iyx,ij,jyx->yx", signal.conj(), psi, signal).real
    np.testing.assert_allclose(s2 * coils, np.trace(psi).real, rtol=1e-5)
    variance = np.sum(np.abs(psi) ** 2) + 2 * through
    np.testing.assert_allclose(s2 * (s2 * coils + 2 * amplitude2), variance, rtol=1e-5)
    limit = rss_noise(psi)
    nothing = single(rss_noise(psi, np.zeros((4, 1, 1), np.complex64)))
    assert limit.coils == pytest.approx(nothing.coils, rel=1e-6)
    assert 1 <= limit.coils < 4


def test_one_coil_is_rician(rng):
    psi = np.array([[2 * 1.3**2]])
    noise = rss_noise(psi)
    assert (noise.sigma, noise.coils) == (pytest.approx(1.3), pytest.approx(1))
    samples = rss(coil_samples(rng, psi, np.array([2.0 + 1j])))
    assert distance(samples, noise, math.sqrt(5)) < within_chance(samples)


def test_sense_with_fixed_maps_is_rician(rng):
    maps, psi = smooth_maps(4, (200, 200)), random_covariance(rng, 4)
    images = 1.5 * maps + coil_samples(rng, psi, np.zeros(4))
    mask = np.zeros((200, 200), np.float32)
    mask[:, ::2] = 1
    kspace = fft2c(images).astype(np.complex64)
    for sampling in (None, mask):
        image, sigma = sense(kspace, maps, sampling, noise_covariance=psi)
        # In SNR units every pixel has its own amplitude: compare probabilities with uniform ones.
        probability = MagnitudeNoise(sigma).cdf(np.abs(image), np.full(image.shape, 1.5))
        # Neighbours at the distance of the alias share noise, so half the samples count.
        steps = np.arange(1, probability.size + 1) / probability.size
        distance = np.abs(np.sort(probability.ravel()) - steps).max()
        assert distance < within_chance(probability[: 200 if sampling is None else 100])


def test_adaptive_magnitudes_are_rician_in_the_object(rng):
    images = coil_samples(rng, 2 * np.eye(8), np.full(8, 10 / 8**0.5), 140)
    samples = np.abs(adaptive_combine(images.astype(np.complex64)))
    bias = MagnitudeNoise(1.0).mean(10.0) - 10
    assert samples.std() == pytest.approx(1, abs=0.04)
    assert samples.mean() == pytest.approx(10 + bias, abs=0.1)


def test_bad_parameters_are_refused():
    with pytest.raises(ValueError, match="not Hermitian"):
        rss_noise(np.array([[1.0, 1.0], [0.0, 1.0]]))
    with pytest.raises(TypeError, match="coil_signal is float64"):
        rss_noise(np.eye(2), np.ones((2, 3, 3)))
    with pytest.raises(ValueError, match=r"have 3 coils on axis -3, but the matrix .* has 2"):
        rss_noise(np.eye(2), np.ones((3, 3, 3), complex))
