"""Multiplicative gamma noise: speckle whose strength follows the image."""

from dataclasses import dataclass

import numpy as np
from scipy.special import gammainc, gammaln, xlogy

from kspace_denoise.arrays import Array
from kspace_denoise.random import Seed, numpy_generator
from kspace_denoise.sim.distribution import as_given, not_nan, not_negative, positive_number


@dataclass(frozen=True)
class GammaNoise:
    """The distribution y = x g of a pixel of true value x >= 0, with g gamma of mean 1.

    g has shape = rate = a. Nothing is clipped, and 0 stays 0. For a data range of 1 the PSNR is
    -10 log10(mean(x^2) / a).

    Attributes:
        shape: a, the inverse of the variance of g ("looks").

    Raises:
        TypeError: if the shape is an array.
        ValueError: if it is not positive and finite.
    """

    shape: float

    def __post_init__(self) -> None:
        positive_number(self.shape, "shape")

    def mean(self, image: float | Array) -> float | Array:
        """Return x: the noise has no bias."""
        return as_given(not_negative(image, "image"), image)

    def variance(self, image: float | Array) -> float | Array:
        """Return x^2 / a."""
        return as_given(not_negative(image, "image") ** 2 / self.shape, image)

    def density(self, value: float | Array, image: float | Array) -> float | Array:
        """Return the probability density at a value; where the image is 0, infinite at 0."""
        true, given = np.broadcast_arrays(not_negative(image, "image"), not_nan(value, "value"))
        unit = np.where(true > 0, true, 1.0)
        outside = (given < 0) | np.isinf(given)
        g = np.where(outside, 1.0, given) / unit
        # log(a^a g^(a-1) exp(-a g) / Gamma(a)), without the large terms of a large shape
        log = xlogy(self.shape - 1, g) + self.shape * (1 - g) + self._log_peak()
        spike = np.where(given == 0, np.inf, 0.0)
        density = np.where(true > 0, np.exp(log) / unit, spike)
        return as_given(np.where(outside, 0.0, density), value, image)

    def cdf(self, value: float | Array, image: float | Array) -> float | Array:
        """Return the probability of at most this value."""
        true, given = np.broadcast_arrays(not_negative(image, "image"), not_nan(value, "value"))
        g = np.maximum(given, 0) / np.where(true > 0, true, 1.0)
        probability = np.where(true > 0, gammainc(self.shape, self.shape * g), 1.0)
        return as_given(np.where(given < 0, 0.0, probability), value, image)

    def sample(self, image: float | Array, seed: Seed) -> float | Array:
        """Draw an independent value for each pixel, on the host.

        Raises:
            ValueError: if the image holds values that are negative, NaN or infinite.
        """
        true = not_negative(image, "image")
        factor = numpy_generator(seed).standard_gamma(self.shape, true.shape) / self.shape
        return as_given(true * factor, image)

    def _log_peak(self) -> float:
        """Return log(a^a exp(-a) / Gamma(a)), the logarithm of the density of g at 1."""
        return float(xlogy(self.shape, self.shape) - self.shape - gammaln(self.shape))
