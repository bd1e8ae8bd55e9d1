"""How the level of the air drifts over images, as far as their air shows it.

Pixels that are chosen because they agree with one level cannot show that the level drifts: what is
brighter was left out as object. So the level may vary along an axis, and the air grow with it: even
air stays as it is, and uneven air is found to its end.
"""

import math
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from kspace_denoise.recon.noise_level_boxes import Map, NoLevelError, check_law, in_agreement
from kspace_denoise.sim.magnitude_noise import MagnitudeNoise

BOXES = (5, 15)
"""Sides of the boxes over which power is averaged: fine, then sensitive."""
AGREES = 3.0
"""Standard errors above the level up to which a box counts as air."""
MARGIN = 3
"""Pixels between air and object."""

_STEPS = 20
_SETTLED = 0.01  # of the pixels change from one step to the next
_LARGEST = 3.0  # factor of power by which a fit may differ from the level
_UNEVEN = 0.05  # of the level: root mean square of the drift, beyond chance


class Drift(NamedTuple):
    """Relative level over the lines of an axis, and the variance that chance gives each."""

    level: Map
    chance: float


def check_drift(relative: Map, air: Map, valid: Map, degrees: float, excess: float) -> float:
    """Return by how much, root mean square and beyond chance, the level differs over the images.

    `relative` holds magnitudes over the level of their air.

    Raises:
        NoLevelError: if it drifts by more than 5 % and chance.
    """
    shown = 0.0
    for axis, name in ((1, "y"), (2, "x")):
        drift = find_drift(relative, air, valid, degrees, excess, axis)
        away = float(np.mean((drift.level - 1) ** 2))
        if away > _UNEVEN**2 + 4 * drift.chance:
            raise NoLevelError(
                f"the noise is not even: along {name} its level goes from {drift.level.min():.2f} "
                f"to {drift.level.max():.2f} of that of the darkest air (a receiver filter, "
                "interference, parallel imaging)",
                final=True,
            )
        shown += max(away - drift.chance, 0.0)
    return math.sqrt(shown)


def find_drift(
    relative: Map, air: Map, valid: Map, degrees: float, excess: float, axis: int
) -> Drift:
    """Fit a parabola to the logarithm of the power along an axis, and let the air grow with it.

    What grows has to have the law of noise, else it is a part of the object.
    """
    power = relative**2 / degrees
    pixels = air
    first = fit, variance = _fitted(power, pixels, axis)
    for _ in range(_STEPS):
        before = pixels
        pixels = in_agreement(power / fit, valid, 2 / degrees * excess, BOXES, AGREES)
        pixels &= to_object(pixels) > MARGIN
        if not pixels.any():
            break
        fit, variance = _fitted(power, pixels, axis)
        if np.mean(pixels != before) < _SETTLED:
            break
    if not _is_noise(relative / np.sqrt(fit), pixels, degrees, excess):
        fit, variance = first
    return Drift(np.sqrt(fit).ravel(), variance * 2 / degrees * excess / 4)


def _is_noise(relative: Map, pixels: Map, degrees: float, excess: float) -> bool:
    if not pixels.any():
        return False
    noise = MagnitudeNoise(1.0, degrees / 2)
    try:
        check_law(relative[pixels], noise, float(pixels.sum()) / excess)
    except NoLevelError:
        return False
    return True


def _fitted(power: Map, pixels: Map, axis: int) -> tuple[Map, float]:
    """Return the power along an axis, and the mean variance of its logarithm for unit variance.

    A maximum of the likelihood of gamma-distributed power with a logarithmic link (McCullagh and
    Nelder, Generalized Linear Models, 1989).
    """
    lines = power.shape[axis]
    other = tuple(a for a in range(3) if a != axis)
    counts = pixels.sum(axis=other)
    means = np.sum(power * pixels, axis=other) / np.maximum(counts, 1)
    terms = np.polynomial.legendre.legvander(np.linspace(-1, 1, lines), 2)
    logarithm = np.full(lines, math.log(max(np.average(means, weights=counts), 1e-30)))
    information = terms.T @ (counts[:, None] * terms)
    inverse = np.linalg.pinv(information)
    for _ in range(_STEPS):
        residual = means / np.exp(logarithm) - 1
        logarithm = terms @ inverse @ (terms.T @ (counts * (logarithm + residual)))
        logarithm = np.clip(logarithm, -math.log(_LARGEST), math.log(_LARGEST))
    shape = [1, 1, 1]
    shape[axis] = lines
    variance = float(np.mean(np.sum((terms @ inverse) * terms, axis=1)))
    return np.exp(logarithm).reshape(shape), variance


def to_object(air: Map) -> Map:
    """Return how far the pixels of air are from what is none."""
    return np.stack([ndimage.distance_transform_edt(ndimage.binary_closing(a)) for a in air])
