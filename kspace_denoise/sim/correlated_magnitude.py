"""The root sum of squares of coils whose noise is correlated: exact samples, exact moments.

Its distribution has no closed form; `recon.rss_noise` approximates it. The squared magnitude is a
sum over the principal components of the noise, and its moment-generating function is known.
"""

import math
from typing import NamedTuple

import numpy as np

from kspace_denoise.arrays import Array, like, namespace, real_dtype, to_numpy
from kspace_denoise.random import Seed
from kspace_denoise.sim.coil_data import check_coil_data
from kspace_denoise.sim.distribution import Values
from kspace_denoise.sim.noise import covariance_root, noise_like

# The trapezoid rule in log t: its error is exp(-pi^2/step), that of the ends exp(-1.5 * 20).
_STEP, _NODES = 0.25, np.arange(-20.0, 20.0, 0.25)


class MagnitudeMoments(NamedTuple):
    """Mean and variance of a magnitude image, `(..., y, x)`."""

    mean: Array
    variance: Array


def sample_magnitude(coil_images: Array, noise_covariance: Array, seed: Seed) -> Array:
    """Draw root sums of squares of noisy coil images: the exact law, for any covariance.

    Args:
        coil_images: noise-free, complex `(..., coils, y, x)`; repeat them along a leading axis for
            more draws.
        noise_covariance: Psi[i, j] = E[n_i conj(n_j)] of the images, `(coils, coils)`.
        seed: integer or generator.

    Returns:
        Magnitudes `(..., y, x)`.

    Raises:
        TypeError: if the images are not complex.
        ValueError: if the covariance or the images do not fit.
    """
    check_coil_data(coil_images, "coil_images")
    noisy = coil_images + noise_like(coil_images, noise_covariance, seed)
    xp = namespace(noisy)
    return xp.sqrt(xp.sum(xp.abs(noisy) ** 2, axis=-3))


def magnitude_moments(coil_images: Array, noise_covariance: Array) -> MagnitudeMoments:
    """Return the exact mean and variance of the root sum of squares of noisy coil images.

    With M(t) = E[exp(-t m^2)] and P = E[m^2] = |A|^2 + tr Psi::

        E[m] = sqrt(P) (1 + d),    d = 1/(2 sqrt(pi)) int_0^inf (exp(-t) - M(t/P)) t^(-3/2) dt

    which is exact for any random variable m^2 of mean P, and the variance is -P d (2 + d). The
    integral is done without cancellation: mean and variance are good to 12 digits from no signal to
    an SNR of 1e8. M is that of a quadratic form in Gaussian variables (Turin, Biometrika 47:199,
    1960).

    Args:
        coil_images: noise-free, complex `(..., coils, y, x)`.
        noise_covariance: Psi of the images, `(coils, coils)`.

    Raises:
        TypeError: if the images are not complex.
        ValueError: if covariance or images do not fit, or a pixel has no power at all.
    """
    check_coil_data(coil_images, "coil_images")
    coils = coil_images.shape[-3]
    covariance_root(noise_covariance, coils)  # refuses what is no covariance
    values, vectors = np.linalg.eigh(to_numpy(noise_covariance).astype(np.complex128))
    images = np.moveaxis(to_numpy(coil_images).astype(np.complex128), -3, -1)
    signal = np.abs(images @ vectors.conj()) ** 2
    noise = np.maximum(values, 0)
    power = np.sum(signal, axis=-1) + noise.sum()
    if not np.all(power > 0):
        raise ValueError("the noise covariance is zero, and so are some pixels: nothing to measure")
    change = _change(noise / power[..., None], signal / power[..., None])
    mean, variance = np.sqrt(power) * (1 + change), -power * change * (2 + change)
    dtype = real_dtype(coil_images)
    return MagnitudeMoments(like(mean, coil_images, dtype), like(variance, coil_images, dtype))


def _change(noise: Values, signal: Values) -> Values:
    """Return d for the powers `(..., components)` of noise and signal, in units of their sum."""
    total = np.zeros(signal.shape[:-1])
    for log_t in _NODES:
        t = math.exp(log_t)
        grown = t * noise
        # log M + t: terms of second order in t, each of them positive
        terms = grown - np.log1p(grown) + t * signal * grown / (1 + grown)
        excess = np.sum(terms, axis=-1)
        # exp(-t) - M in the form that keeps its digits
        small = -math.exp(-t) * np.expm1(np.minimum(excess, 1))
        large = math.exp(-t) - np.exp(excess - t)
        total += math.exp(-log_t / 2) * np.where(excess < 1, small, large)
    return _STEP * total / (2 * math.sqrt(math.pi))
