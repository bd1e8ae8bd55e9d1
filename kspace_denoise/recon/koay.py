"""Amplitude and noise from the mean and the standard deviation of repeated magnitudes."""

import math
from functools import lru_cache
from numbers import Real
from typing import NamedTuple

import numpy as np

from kspace_denoise.arrays import Array, namespace
from kspace_denoise.recon.cubic_table import CubicTable
from kspace_denoise.recon.vst_checks import check_coils, check_magnitude
from kspace_denoise.sim.magnitude_noise import MagnitudeNoise

_STEP = 0.02  # of the table, in the fourth root
_CERTAIN = 1e6  # times the noise, from which on a mean is the amplitude within 1e-10


class Koay(NamedTuple):
    """What lies behind repeated magnitudes, both in their unit: arrays, or numbers for numbers.

    Attributes:
        amplitude: the true amplitude A, at least 0.
        sigma: the noise of each real component.
    """

    amplitude: Array
    sigma: Array


def koay(mean: Array, std: Array, coils: float = 1) -> Koay:
    """Return amplitude and sigma from the mean and the standard deviation of a magnitude.

    With xi(nu) the variance of the magnitude at sigma = 1, which grows from 0.4292 for one coil
    without signal to 1, the amplitude nu over sigma solves::

        (2 L + nu^2) / xi(nu) = 1 + mean^2 / std^2

    and then sigma^2 = (mean^2 + std^2) / (2 L + nu^2), A = nu sigma. This is the fixed point of
    Koay and Basser (J. Magn. Reson. 179:317, 2006), for several coils of Koay, Ozarslan and Basser
    (J. Magn. Reson. 197:108, 2009), found without iterating. A mean that is less than sqrt(2 L /
    xi(0) - 1) standard deviations (1.913 for one coil) belongs to no amplitude: chance made it so,
    and the answer is 0. Close above, the amplitude is very uncertain: it grows with the fourth root
    of the distance.

    Args:
        mean: over repetitions or over a uniform region, any shape, float32 or float64; or a number.
        std: standard deviation of the single magnitudes, of the same kind and shape. Where it is
            0, sigma is 0 and the amplitude is the mean.
        coils: of equal and independent noise in the root sum of squares, need not be whole.

    Raises:
        TypeError: if an array is complex or not float, one of the two an array and the other a
            number, or coils is not a number.
        ValueError: if an array holds negative values, NaN or infinity, the shapes differ, or the
            number of coils is out of range.
    """
    coils = check_coils(coils)
    if isinstance(mean, Real) and isinstance(std, Real):
        found = koay(np.asarray(float(mean)), np.asarray(float(std)), coils)
        return Koay(float(found.amplitude), float(found.sigma))
    for name, x in (("mean", mean), ("std", std)):
        check_magnitude(x, name)
    if mean.shape != std.shape:
        raise ValueError(f"mean has shape {tuple(mean.shape)} and std {tuple(std.shape)}: give one")
    return _corrected(mean, std, coils)


def _corrected(mean: Array, std: Array, coils: float) -> Koay:
    """Return both from std and mean / std, of whose numbers no square overflows."""
    xp = namespace(mean, std)
    certain = std <= mean * (1 / _CERTAIN)
    ratio = xp.where(certain, 0.0, mean) / xp.where(certain, 1.0, std)
    square = ratio * ratio
    nu = _snr(square, coils)
    sigma = std * xp.sqrt((square + 1) / (2 * coils + nu * nu))
    return Koay(xp.where(certain, mean, nu * sigma), xp.where(certain, std, sigma))


def _snr(square: Array, coils: float) -> Array:
    """Return nu for mean^2 / std^2: by the table, and sqrt(mean^2/std^2 - 3 L + 3/2) from its end.

    Near its smallest value mean^2 / std^2 grows with nu^4, hence the fourth root.
    """
    table, floor = _table(coils)
    xp = namespace(square)
    root = xp.sqrt(xp.sqrt(xp.clip(square - floor, 0.0, None)))
    beyond = xp.sqrt(xp.clip(square - 3 * (coils - 0.5), 0.0, None))
    return xp.where(root < table.stop, table(root), beyond)


@lru_cache(maxsize=32)
def _table(coils: float) -> tuple[CubicTable, float]:
    """Return nu against the fourth root of mean^2 / std^2 less its smallest value, and that."""
    near, far = math.sqrt(2 * coils) + 8, 20 * math.sqrt(2 * coils) + 200
    nu = np.r_[np.arange(0, near, 0.05), np.geomspace(near, far, 400)]
    noise = MagnitudeNoise(1.0, coils)
    square = np.asarray(noise.mean(nu)) ** 2 / np.asarray(noise.variance(nu))
    root = (square - square[0]) ** 0.25
    return CubicTable.sampled(root, nu, _STEP), float(square[0])
