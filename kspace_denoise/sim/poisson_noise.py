"""Poisson noise: counts of photons, in the unit of the image."""

from dataclasses import dataclass

import numpy as np
from scipy.special import gammaincc, gammaln, xlogy

from kspace_denoise.arrays import Array
from kspace_denoise.random import Seed, numpy_generator
from kspace_denoise.sim.distribution import Values, as_given, not_nan, not_negative, positive_number


@dataclass(frozen=True)
class PoissonNoise:
    """The distribution y = Poisson(lambda x) / lambda of a pixel whose true value is x >= 0.

    It takes the values 0, 1/lambda, 2/lambda ..., and nothing is clipped. For a data range of 1
    its PSNR is -10 log10(mean(x) / lambda).

    Attributes:
        photons: lambda, how many photons a pixel of value 1 counts on average.

    Raises:
        TypeError: if the number of photons is an array.
        ValueError: if it is not positive and finite.
    """

    photons: float

    def __post_init__(self) -> None:
        positive_number(self.photons, "photons")

    def mean(self, image: float | Array) -> float | Array:
        """Return x: the noise has no bias."""
        return as_given(not_negative(image, "image"), image)

    def variance(self, image: float | Array) -> float | Array:
        """Return x / lambda."""
        return as_given(not_negative(image, "image") / self.photons, image)

    def density(self, value: float | Array, image: float | Array) -> float | Array:
        """Return the probability of a value: above 0 at whole numbers of photons only.

        A value counts as whole within the rounding of single precision, a quarter of a photon at
        most: from a few million photons on, values have to be in double precision.
        """
        expected = self.photons * not_negative(image, "image")
        given = not_nan(value, "value")
        count = self.photons * np.where(np.isinf(given), -1.0, given)
        whole = np.maximum(np.round(count), 0)
        near = np.abs(count - whole) <= _rounding(count)
        log = xlogy(whole, expected) - expected - gammaln(whole + 1)
        return as_given(np.where(near, np.exp(log), 0.0), value, image)

    def cdf(self, value: float | Array, image: float | Array) -> float | Array:
        """Return the probability of at most this value."""
        expected = self.photons * not_negative(image, "image")
        count = self.photons * not_nan(value, "value")
        whole = np.floor(count + _rounding(count))
        probability = gammaincc(np.maximum(whole, 0) + 1, expected)
        return as_given(np.where(whole < 0, 0.0, probability), value, image)

    def sample(self, image: float | Array, seed: Seed) -> float | Array:
        """Draw an independent value for each pixel, on the host.

        Raises:
            ValueError: if the image holds values that are negative, NaN or infinite.
        """
        expected = self.photons * not_negative(image, "image")
        return as_given(numpy_generator(seed).poisson(expected) / self.photons, image)


def _rounding(count: Values) -> Values:
    """Return how far from a whole number a count may be to be taken for one."""
    rounding: Values = np.clip(1e-6 * count, 1e-6, 0.25)
    return rounding
