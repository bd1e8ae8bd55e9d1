"""The noise level inside the object, from the finest diagonal wavelet details of smooth regions.

The rule of Donoho and Johnstone (Biometrika 81:425, 1994), median / 0.6745, holds for Gaussian
noise: a magnitude is Gaussian where the signal is clear of the noise, so only there it is used, and
what is missing of the standard deviation is put back. Details of anatomy count as noise with it, so
that regions without them are looked for first.
"""

import math

import numpy as np
import pywt
from scipy import ndimage
from scipy.special import ndtri

from kspace_denoise.recon.noise_level_boxes import (
    FEWEST,
    Level,
    Map,
    NoLevelError,
    agreeing,
    check_even,
    check_law,
)
from kspace_denoise.recon.vst import inverse_vst
from kspace_denoise.sim.magnitude_noise import MagnitudeNoise

_BOX, _AGREES = 9, 2.0  # pixels; standard errors above the level up to which a box counts as smooth
_CLEAR = 3.0  # amplitude over sigma from which on a magnitude is nearly Gaussian
_ROUNDS = 10
_SCALES = (0.85, 1.25)  # of the level of the next coarser details, over that of the finest
_UNEVEN = 0.15
_LEAST = 0.2  # of the pixels inside: smooth ones
_MIRRORED = 16
_QUARTILE = float(ndtri(0.75))  # the median magnitude of a unit Gaussian, 0.6745


def object_level(images: Map, valid: Map, degrees: float, magnitude: bool) -> Level:
    """Return the level of images `(n, y, x)` where they are valid, and clear of their noise.

    Raises:
        NoLevelError: if there is no smooth region, or the noise is not white in it.
    """
    finest, coarser = _details(images)
    inside = _eroded(valid, 3)
    if not magnitude:
        return _smooth_level(finest, coarser, inside, degrees)
    level, factor, clear = _smooth_level(finest, coarser, inside, 1.0, check=False), 1.0, inside
    for _ in range(_ROUNDS):
        amplitude = _amplitude(images, level.sigma, degrees / 2)
        clear = _eroded(valid & (amplitude > _CLEAR * level.sigma), 3)
        found = _smooth_level(finest, coarser, clear, 1.0, check=False)
        typical = float(np.median(amplitude[clear]))
        noise = MagnitudeNoise(found.sigma, degrees / 2)
        factor = found.sigma / math.sqrt(float(noise.variance(typical)))
        before, level = level, found._replace(sigma=found.sigma * factor)
        if abs(level.sigma / before.sigma - 1) < 1e-3:
            break
    found = _smooth_level(finest, coarser, clear, 1.0)
    return found._replace(sigma=found.sigma * factor)


def _smooth_level(
    finest: Map, coarser: Map, inside: Map, degrees: float, check: bool = True
) -> Level:
    """Return the level of the details in the smoothest regions inside."""
    smooth, excess = agreeing(np.abs(finest) ** 2 / degrees, inside, degrees, (_BOX,), _AGREES)
    count = float(smooth.sum()) / excess
    few = count < FEWEST or smooth.sum() < _LEAST * inside.sum()
    sigma = _median_rule(finest[smooth]) if smooth.any() else 0.0
    ratio = _median_rule(coarser[smooth]) / sigma if sigma > 0 else math.inf
    if check:
        _check_white(ratio)
    if few:
        raise NoLevelError("inside the object there is no region without detail")
    if check:
        values = np.abs(finest[smooth])
        noise = MagnitudeNoise(sigma, degrees / 2)
        mean = float(noise.mean(0.0))
        check_law(values, noise, count)
        check_even(
            np.abs(finest) / mean, smooth, math.sqrt(float(noise.variance(0.0))) / mean, excess,
            _UNEVEN,
        )  # fmt: skip
    # The median of a Gaussian's magnitude has 1.36 times the variance of its root mean square.
    error = math.hypot(1.17 / math.sqrt(degrees * count), (ratio - 1) / 4)
    return Level(sigma, error, count)


def _check_white(ratio: float) -> None:
    low, high = _SCALES
    if ratio < low or ratio > high:
        raise NoLevelError(
            "inside the object details of the second finest scale are "
            f"{ratio:.2f} times as strong as those of the finest, and white noise would have both "
            "alike (interpolation, a filter, or fine anatomy far above the noise)"
        )


def _details(images: Map) -> tuple[Map, Map]:
    """Return the diagonal details of the two finest scales (db2), white noise unchanged in level.

    Of the stationary transform, so that each pixel has its own.
    """
    found = []
    for image in images:
        around = [(_MIRRORED, _MIRRORED + -n % 4) for n in image.shape]
        mirrored = np.pad(image, around, mode="symmetric")
        _, coarser, finest = pywt.swt2(mirrored, "db2", 2, norm=True, trim_approx=True)
        y, x = (slice(_MIRRORED, _MIRRORED + n) for n in image.shape)
        found.append((2 * finest[2][y, x], 4 * coarser[2][y, x]))
    one, other = zip(*found, strict=True)
    return np.stack(one), np.stack(other)


def _median_rule(values: Map) -> float:
    parts = np.concatenate([values.real, values.imag]) if np.iscomplexobj(values) else values
    return float(np.median(np.abs(parts))) / _QUARTILE


def _amplitude(magnitude: Map, sigma: float, coils: float) -> Map:
    """Return the amplitude behind the local mean of a magnitude."""
    mean = ndimage.gaussian_filter(magnitude, (0, 1, 1))
    return np.asarray(inverse_vst(mean / sigma, 1.0, coils, "identity")) * sigma


def _eroded(mask: Map, pixels: int) -> Map:
    """Leave a margin to what is not in the mask; the edge of the image is none."""
    return np.stack(
        [ndimage.binary_erosion(one, iterations=pixels, border_value=1) for one in mask]
    )
