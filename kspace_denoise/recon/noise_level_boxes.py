"""Pixels of one level in images: found by boxes that agree, and tested for the law of noise."""

import math
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from scipy import ndimage

from kspace_denoise.sim.magnitude_noise import MagnitudeNoise

Map: TypeAlias = np.ndarray[Any, Any]

FEWEST = 200
"""Independent pixels below which there is no answer."""

_DARKEST = 0.05  # of the boxes, to start from
_ROUNDS, _STEPS = 3, 20
_SETTLED = 1e-3  # of the pixels change from one step to the next
_LAGS = 3
_TILES = 3  # the image in 3 x 3 parts
_LAW = 0.015  # by how much the distribution function may be off, beyond chance


class Level(NamedTuple):
    """A noise level, its relative standard error, and the independent pixels behind it."""

    sigma: float
    error: float
    pixels: float


class NoLevelError(ValueError):
    """A clause that says why the noise was not found here; `final` if it will not be elsewhere."""

    def __init__(self, reason: str, final: bool = False) -> None:
        super().__init__(reason)
        self.final = final


def agreeing(
    power: Map, valid: Map, degrees: float, sizes: tuple[int, ...], errors: float
) -> tuple[Map, float]:
    """Find the pixels of lowest common power: those in boxes that agree with the mean they have.

    Returns them, and by how much correlated pixels are worth less than independent ones.
    """
    whole = box(valid.astype(float), sizes[0]) > 1 - 1e-6
    if whole.sum() < FEWEST:
        raise NoLevelError("there is next to nothing to look at")
    boxes = box(power, sizes[0])
    start = float(np.quantile(boxes[whole], _DARKEST))
    if start == 0:
        raise NoLevelError("there is no noise at all")
    pixels, excess = whole & (boxes <= start), 1.0
    for _ in range(_ROUNDS):
        for _ in range(_STEPS):
            before, level = pixels, float(np.mean(power[pixels]))
            if level == 0:
                raise NoLevelError("there is no noise at all")
            pixels = in_agreement(power / level, valid, 2 / degrees * excess, sizes, errors)
            if not pixels.any() or np.mean(pixels != before) < _SETTLED:
                break
        excess = _excess(power, pixels)
        if not pixels.any():
            break
    return pixels, excess


def in_agreement(
    power: Map, valid: Map, variance: float, sizes: tuple[int, ...], errors: float
) -> Map:
    """Return the valid pixels in boxes whose mean power is 1 at most, by each size of box in turn.

    `variance` is that of the power of a pixel, correlation included.
    """
    pixels = valid
    for size in sizes:
        pixels = _agree(power, pixels, size, variance, errors) & pixels
    return pixels


def _agree(power: Map, pixels: Map, size: int, variance: float, errors: float) -> Map:
    """Return where the mean power of the pixels in a box is no higher than chance makes it."""
    share = box(pixels.astype(float), size)
    mean = box(power * pixels, size) / np.maximum(share, 1 / size**2)
    error = np.sqrt(np.minimum(variance / np.maximum(share * size**2, 1), 1))
    return np.asarray((mean < 1 + errors * error) & (share > 0.5 / size**2))


def box(values: Map, size: int) -> Map:
    """Average over boxes within each image; nothing lies beyond its edges."""
    return np.asarray(ndimage.uniform_filter(values, (0, size, size), mode="constant"))


def check_law(values: Map, noise: MagnitudeNoise, count: float) -> None:
    """Compare a distribution with that of noise (Kolmogorov; equal values count half).

    Raises:
        NoLevelError: if they differ by more than chance.
    """
    distinct, times = np.unique(values, return_counts=True)
    middle = (np.cumsum(times) - times / 2) / len(values)
    away = float(np.max(np.abs(np.asarray(noise.cdf(distinct, 0.0)) - middle)))
    if away > 1.95 / math.sqrt(count) + _LAW:
        scatter = float(np.std(values) / np.mean(values))
        expected = math.sqrt(float(noise.variance(0.0))) / float(noise.mean(0.0))
        raise NoLevelError(
            f"what looks like air has not the law of noise: it scatters by {scatter:.2f} of its "
            f"mean, and noise by {expected:.2f} (a filter, uneven noise, or another number of "
            "coils in a root sum of squares)",
            final=True,
        )


def check_even(relative: Map, pixels: Map, spread: float, excess: float, slack: float) -> None:
    """Check that values with mean 1 and standard deviation `spread` have one level everywhere.

    Raises:
        NoLevelError: if parts of the image differ by more than chance and `slack`.
    """
    y, x = (np.arange(n) * _TILES // n for n in pixels.shape[1:])
    tiles = np.broadcast_to(y[:, None] * _TILES + x, pixels.shape)[pixels]
    counts = np.bincount(tiles, minlength=_TILES**2)
    sums = np.bincount(tiles, relative[pixels], minlength=_TILES**2)
    enough = counts > FEWEST * excess / 4
    levels = sums[enough] / counts[enough]
    if np.any(np.abs(levels - 1) > 5 * spread * np.sqrt(excess / counts[enough]) + slack):
        raise NoLevelError(
            f"the noise is not even, {levels.min():.2f} to {levels.max():.2f} of its mean in parts "
            "of the image (parallel imaging, a receiver filter, intensity correction, ghosts)",
            final=True,
        )


def _excess(power: Map, pixels: Map) -> float:
    """Return one plus the sum of the correlations of the power with that of the neighbours."""
    variance = float(np.var(power[pixels])) if pixels.sum() >= FEWEST else 0.0
    if variance == 0:
        return 1.0
    away = np.where(pixels, power - np.mean(power[pixels]), 0.0)
    near = [(y, x) for y in range(_LAGS + 1) for x in range(-_LAGS if y else 1, _LAGS + 1)]
    return max(1.0, 1 + 2 * sum(_correlation(away, pixels, *lag) for lag in near) / variance)


def _correlation(away: Map, pixels: Map, dy: int, dx: int) -> float:
    """Return the mean product of deviations of pixels that lie (dy, dx) apart."""
    one, other = _apart(dy, dx)
    pairs = max(int(np.sum(pixels[one] & pixels[other])), 1)
    return float(np.sum(away[one] * away[other])) / pairs


def _apart(dy: int, dx: int) -> tuple[Any, Any]:
    """Return two slices of an image whose pixels lie (dy, dx) apart."""
    low, high = slice(0, -abs(dx) or None), slice(abs(dx), None)
    left, right = (low, high) if dx >= 0 else (high, low)
    return (..., slice(0, -dy or None), left), (..., slice(dy, None), right)
