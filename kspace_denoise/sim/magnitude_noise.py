"""The noise of magnitude images: Rician and non-central chi, for one coil and for many.

`recon.rss_noise` says which of these distributions the root sum of squares of coil images has,
`sample_magnitude` draws from the exact law where the coils are correlated.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import chndtr, gammaln, hyp1f1, ive, ndtr, poch, xlogy

from kspace_denoise.arrays import Array
from kspace_denoise.random import Seed, numpy_generator
from kspace_denoise.sim.distribution import (
    Values,
    as_given,
    double,
    not_nan,
    not_negative,
    positive,
)

_FAR = 1e4  # squared SNR per coil from which on a series and a Gaussian are exact enough
_CERTAIN = 1e40  # squared SNR over two from which on mean and amplitude are one number
_LARGEST = 1e100  # SNR; squares of it stay finite
_TINY = 1e-290  # a Bessel function under it has lost digits
_TERMS = 60  # of the power series there; enough for 1000 coils


@dataclass(frozen=True)
class MagnitudeNoise:
    """The distribution of a magnitude whose true value is an amplitude A.

    Its square over sigma^2 is non-central chi-squared with `degrees_of_freedom` = 2 coils and
    non-centrality A^2/sigma^2 (Constantinides, Atalar and McVeigh, Magn. Reson. Med. 38:852,
    1997). One coil is the Rice distribution (Gudbjartsson and Patz, Magn. Reson. Med. 34:910,
    1995). Where sigma is 0 the magnitude is the amplitude.

    Attributes:
        sigma: noise of each real component, a number or a map in the unit of the magnitude.
        coils: how many coils of equal and independent noise stand in the sum of squares; an
            effective number, or a map of it, need not be whole.

    Raises:
        ValueError: if a sigma is negative or a number of coils not positive.
    """

    sigma: float | Array
    coils: float | Array = 1.0

    def __post_init__(self) -> None:
        not_negative(self.sigma, "sigma")
        positive(self.coils, "coils")

    @property
    def degrees_of_freedom(self) -> float | Array:
        """Two for each coil: its real and its imaginary part."""
        return 2 * self.coils

    def mean(self, amplitude: float | Array) -> float | Array:
        """Return the mean magnitude, sigma sqrt(2) G(L + 1/2)/G(L) 1F1(-1/2; L; -A^2/2sigma^2)."""
        sigma, coils, true, x = self._terms(amplitude)
        mean = math.sqrt(2) * sigma * _half_moment(coils, np.minimum(x, _CERTAIN))
        return self._as_given(np.where((sigma > 0) & (x < _CERTAIN), mean, true), amplitude)

    def variance(self, amplitude: float | Array) -> float | Array:
        """Return the variance of the magnitude: A^2 + 2 L sigma^2 - mean^2, without cancellation.

        It grows from (2L - 2 (G(L + 1/2)/G(L))^2) sigma^2 at no signal to sigma^2.
        """
        sigma, coils, _, x = self._terms(amplitude)
        return self._as_given(sigma**2 * _unit_variance(coils, x), amplitude)

    def cdf(self, magnitude: float | Array, amplitude: float | Array) -> float | Array:
        """Return the probability of a magnitude up to the given one.

        From an SNR of 100 sqrt(coils) on it is the Gaussian of this mean and variance, within
        1e-5.
        """
        sigma, coils, true, x = self._terms(amplitude)
        given, unit = not_nan(magnitude, "magnitude"), np.where(sigma > 0, sigma, 1.0)
        far = x > _FAR * coils / 2
        near = chndtr(_over(np.maximum(given, 0), unit) ** 2, 2 * coils, np.where(far, 0, 2 * x))
        mean = double(MagnitudeNoise(sigma, coils).mean(true))
        away = np.sign(given - mean) * _over(np.abs(given - mean), unit)
        gaussian = ndtr(away / np.sqrt(_unit_variance(coils, x)))
        probability = np.where(given > 0, np.where(far, gaussian, near), 0.0)
        return self._as_given(np.where(sigma > 0, probability, given >= true), magnitude, amplitude)

    def density(self, magnitude: float | Array, amplitude: float | Array) -> float | Array:
        """Return the probability density at a magnitude, per unit of it.

        m/s^2 (m/A)^(L-1) exp(-(m^2 + A^2)/2s^2) I_(L-1)(m A/s^2), in logarithms, so that it holds
        at any SNR and for hundreds of coils. Where sigma is 0 it is infinite at the amplitude.
        """
        sigma, coils, true, x = self._terms(amplitude)
        given = not_nan(magnitude, "magnitude")
        outside, certain = (given < 0) | np.isinf(given), x >= _CERTAIN
        inside, unit = np.where(outside, 0.0, given), np.where(sigma > 0, sigma, 1.0)
        m, a = (_over(np.where(certain, 0.0, part), unit) for part in (inside, true))
        log = _log_density(m, a, coils)
        away = np.minimum(_over(np.abs(inside - true), unit), _LARGEST)
        log = np.where(certain, -(away**2) / 2 - math.log(2 * math.pi) / 2, log)
        density = np.where(sigma > 0, np.exp(log) / unit, np.where(given == true, np.inf, 0.0))
        return self._as_given(np.where(outside, 0.0, density), magnitude, amplitude)

    def sample(self, amplitude: float | Array, seed: Seed) -> float | Array:
        """Draw one independent magnitude for each amplitude, on the host in double precision.

        The numbers of coils need not be whole. `seed`: an integer or a numpy generator.
        """
        sigma, coils, true, x = self._terms(amplitude)
        generator = numpy_generator(seed)
        shape = np.broadcast_shapes(sigma.shape, coils.shape, true.shape)
        square = generator.noncentral_chisquare(2 * coils, 2 * np.minimum(x, _CERTAIN), size=shape)
        random = (sigma > 0) & (x < _CERTAIN)
        return self._as_given(np.where(random, sigma * np.sqrt(square), true), amplitude)

    def _terms(self, amplitude: float | Array) -> tuple[Array, Array, Array, Array]:
        """Return sigma, coils, A and A^2/2 sigma^2 (0 where sigma is) in double precision."""
        sigma, coils = double(self.sigma), double(self.coils)
        true = not_negative(amplitude, "amplitude")
        snr = np.where(sigma > 0, _over(true, np.where(sigma > 0, sigma, 1)), 0)
        return sigma, coils, true, snr**2 / 2

    def _as_given(self, values: Values, *arguments: float | Array) -> float | Array:
        """Return values of the kind of the first array among arguments, sigma and coils."""
        return as_given(values, *arguments, self.sigma, self.coils)


def _over(x: Values, unit: Values) -> Values:
    """Return x / unit for x >= 0, where it is too large to be squared the largest that can be."""
    with np.errstate(over="ignore"):
        ratio: Values = np.minimum(x / unit, _LARGEST)
    return ratio


def _unit_variance(coils: Values, x: Values) -> Values:
    """Return the variance for sigma = 1."""
    far = np.maximum(x, _FAR * coils / 2)
    near = 2 * x + 2 * coils - 2 * _half_moment(coils, np.minimum(x, _FAR * coils / 2)) ** 2
    # mean = A (1 + d); x d in powers of 1/x (Abramowitz and Stegun 13.5.1).
    a, b, c, d = (coils - k - 0.5 for k in range(4))
    series = a / 2 * (1 - b / (4 * far) * (1 - c / (2 * far) * (1 - 5 * d / (8 * far))))
    variance: Values = np.where(x < far, near, 2 * (coils - series * (2 + series / far)))
    return variance


def _half_moment(coils: Values, x: Values) -> Values:
    """Return G(L + 1/2)/G(L) 1F1(-1/2; L; -x), the mean magnitude over sqrt(2) sigma.

    From 49 coils on scipy overflows in places. There it is summed as the mixture that a
    non-central chi is: of central ones, their degrees of freedom drawn from a Poisson law.
    """
    coils, x = np.broadcast_arrays(coils, x)
    with np.errstate(over="ignore", invalid="ignore"):
        moment: Values = np.asarray(poch(coils, 0.5) * hyp1f1(-0.5, coils, -x))
    lost = ~np.isfinite(moment)
    if np.any(lost):
        many, at = coils[lost][:, None], x[lost][:, None]
        k = np.arange(int(at.max() + 12 * np.sqrt(at.max()) + 40))
        weights = np.exp(xlogy(k, at) - at - gammaln(k + 1))
        moment[lost] = np.sum(weights * poch(many + k, 0.5), axis=-1)
    return moment


def _log_density(m: Values, a: Values, coils: Values) -> Values:
    """Return the logarithm of the density at m of amplitude a, both in units of sigma."""
    m, a, coils = np.broadcast_arrays(m, a, coils)
    z, order = m * a, coils - 1
    far = z > _FAR * (1 + order**2)  # from here on two terms of the asymptotic series, to 1e-9
    bessel = ive(order, np.where(far, 1.0, z))
    where = np.where(far, z, 1.0)
    tail = (1 - (4 * order**2 - 1) / (8 * where)) / np.sqrt(2 * np.pi * where)
    bessel = np.where(far, tail, bessel)
    large = (bessel > _TINY) & (z > 0)
    m1, a1, bessel = (np.where(large, x, 1.0) for x in (m, a, bessel))
    log: Values = coils * np.log(m1) - order * np.log(a1) - (m1 - a1) ** 2 / 2 + np.log(bessel)
    if not np.all(large):
        small = xlogy(2 * coils - 1, m) - (m**2 + a**2) / 2 - (coils - 1) * math.log(2)
        small += _log_series(np.where(large, 0.0, z) ** 2 / 4, coils) - gammaln(coils)
        log = np.where(large, log, small)
    return log


def _log_series(x: Values, coils: Values) -> Values:
    """Return log 0F1(; coils; x), which is I_(coils-1) without its vanishing first factor."""
    total = np.ones_like(x)
    for k in range(_TERMS, 0, -1):
        total = 1 + x / (k * (coils + k - 1)) * total
    logarithm: Values = np.log(total)
    return logarithm
