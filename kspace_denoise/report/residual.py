"""The check that needs no reference: what a denoiser took away should look like the noise."""

import numpy as np

from kspace_denoise.fourier import fft2c, ifft2c
from kspace_denoise.stages import Numpy


def residual_power(residual: Numpy, mask: Numpy) -> float:
    """Return the mean square of each real component in the mask; SNR units: 1 is all the noise.

    The mean of the posterior leaves 1 less its own error in σ²; more than 1 means that signal was
    taken away as well.
    """
    return float(np.mean(np.abs(residual[mask]) ** 2) / 2)


def autocorrelation(residual: Numpy, mask: Numpy, reach: int = 7) -> Numpy:
    """Return the autocorrelation `(2 reach + 1, 2 reach + 1)` inside the mask, 0 at the centre.

    Normalised at each lag by the number of pairs inside the mask; white residuals give values of
    order 1 / sqrt(pairs) everywhere. The centre, 1 by definition, is set to 0 for display.
    """
    padded = tuple((0, n) for n in residual.shape)  # pairs do not wrap around
    values = np.pad(np.where(mask, residual, 0), padded)
    inside = np.pad(mask.astype(np.float64), padded)
    products = ifft2c(np.abs(fft2c(values)) ** 2).real
    pairs = ifft2c(np.abs(fft2c(inside)) ** 2).real
    centre = [n // 2 for n in values.shape]
    box = tuple(slice(c - reach, c + reach + 1) for c in centre)
    covariance = products[box] / np.maximum(pairs[box], 1e-12 * pairs.max())
    correlation = covariance / covariance[reach, reach]
    correlation[reach, reach] = 0
    return np.asarray(correlation)
