"""The air around the object in reconstructed images: where it is, and whether it is noise alone.

The darkest boxes of pixels are a start; the level and the boxes that agree with it are found in
turn. What is found must have the law of noise: chi with one degree of freedom for real images, two
for complex ones, two per coil for magnitudes.
"""

import math
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from scipy import ndimage

from kspace_denoise.sim.magnitude_noise import MagnitudeNoise

Map: TypeAlias = np.ndarray[Any, Any]

FEWEST = 200
"""Independent pixels below which there is no answer."""

_BOXES = (5, 15)  # sides of the boxes over which power is averaged: fine, then sensitive
_AGREES = 3.0  # standard errors above the level up to which a box counts as air
_CORNER = 8  # the corners of the image, one such part of each side, are air
_DARKEST = 0.05  # of the boxes, to start from
_MARGIN = 3  # pixels between air and object
_ROUNDS, _STEPS, _RETREATS = 3, 20, 3
_SETTLED = 1e-3  # of the pixels change from one step to the next
_LAGS = 3
_LITTLE = 500  # independent pixels of air below which it may be anything
_PLENTY = 3000  # independent pixels of air that nothing else looks like
_ALIKE = 0.03  # by how much less than white noise neighbours may differ, beyond chance
_UNEVEN, _TILES = 0.05, 3  # by so much, beyond chance, the level may vary over 3 x 3 parts
_MODEL = 0.003  # relative error that is always there
_LAW = 0.015  # by how much the distribution function may be off, beyond chance
_SIGNED = 0.03  # of sigma: by how much a mean may differ from zero, and two components


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


def air_level(images: Map, valid: Map, degrees: float) -> Level:
    """Return the level of the air of images `(n, y, x)`, real or complex, where they are valid.

    Raises:
        NoLevelError: if there is too little air, or what there is has not the law of noise.
    """
    magnitude = np.abs(images)
    air, excess = agreeing(magnitude**2 / degrees, valid, degrees, _BOXES, _AGREES)
    _check_corners(air, valid)
    distance = np.stack([ndimage.distance_transform_edt(ndimage.binary_closing(a)) for a in air])
    air &= distance > _MARGIN
    first: NoLevelError | None = None
    for _ in range(_RETREATS + 1):
        if air.sum() < _LITTLE * excess:
            break
        far = air & (distance > np.median(distance[air]))
        try:
            return _level(images, magnitude, air, far, degrees, excess)
        except NoLevelError as error:
            first = first or error
        air = far  # ringing and ghosts fade with distance
    raise first or NoLevelError("there is next to no air around the object")


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
            relative, pixels = power / level, valid
            for size in sizes:
                pixels = _agree(relative, pixels, size, 2 / degrees * excess, errors) & pixels
            if not pixels.any() or np.mean(pixels != before) < _SETTLED:
                break
        excess = _excess(power, pixels)
        if not pixels.any():
            break
    return pixels, excess


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


def _level(images: Map, magnitude: Map, air: Map, far: Map, degrees: float, excess: float) -> Level:
    """Check the law of the pixels and return their level, from their mean magnitude."""
    noise = MagnitudeNoise(1.0, degrees / 2)
    mean = float(noise.mean(0.0))
    spread = math.sqrt(float(noise.variance(0.0))) / mean
    count = float(air.sum()) / excess
    sigma = float(np.mean(magnitude[air])) / mean
    check_law(magnitude[air], MagnitudeNoise(sigma, degrees / 2), count)
    _check_centred(images[air], sigma, count)
    check_even(magnitude / (mean * sigma), air, spread, excess, _UNEVEN)
    _check_fast(magnitude / (spread * mean * sigma), air, count)
    rise = 1 - float(np.mean(magnitude[far])) / (mean * sigma) if far.any() else 0.0
    return Level(sigma, math.hypot(spread / math.sqrt(count), rise, _MODEL), count)


def _check_corners(air: Map, valid: Map) -> None:
    """Refuse as air what does not fill the corners of the images: a dark part of the object."""
    height, width = (max(n // _CORNER, 3) for n in air.shape[1:])
    corners = [
        (slice(None), y, x)
        for y in (slice(height), slice(-height, None))
        for x in (slice(width), slice(-width, None))
    ]
    seen = [corner for corner in corners if valid[corner].mean() > 0.5]
    filled = [np.mean(air[corner][valid[corner]]) > 0.5 for corner in seen]
    if not any(filled):
        raise NoLevelError("there is no air in the corners")
    if sum(filled) < len(filled) - 1:
        raise NoLevelError("the corners are not of one level", final=True)


def _check_centred(values: Map, sigma: float, count: float) -> None:
    """Check that noise that has a sign, or a phase, has mean zero and equal components."""
    if not np.iscomplexobj(values) and values.min() >= 0:
        return
    if abs(np.mean(values)) > sigma * (5 / math.sqrt(count) + _SIGNED):
        raise NoLevelError("what looks like air has a mean other than zero: signal", final=True)
    if np.iscomplexobj(values):
        real, imaginary = float(np.std(values.real)), float(np.std(values.imag))
        if abs(math.log(real / imaginary)) > 5 / math.sqrt(count) + _SIGNED:
            raise NoLevelError("real and imaginary part of the air differ in level", final=True)


def _excess(power: Map, pixels: Map) -> float:
    """Return one plus the sum of the correlations of the power with that of the neighbours."""
    variance = float(np.var(power[pixels])) if pixels.sum() >= FEWEST else 0.0
    if variance == 0:
        return 1.0
    away = np.where(pixels, power - np.mean(power[pixels]), 0.0)
    near = [(y, x) for y in range(_LAGS + 1) for x in range(-_LAGS if y else 1, _LAGS + 1)]
    return max(1.0, 1 + 2 * sum(_correlation(away, pixels, *lag) for lag in near) / variance)


def _check_fast(relative: Map, air: Map, count: float) -> None:
    """Check that neighbours differ as white noise of variance 1 does, unless there is a lot of air.

    A little air whose neighbours are alike may be a dark part of an object.
    """
    both = air[..., 1:] & air[..., :-1]
    ratio = math.sqrt(float(np.mean(np.diff(relative, axis=-1)[both] ** 2)) / 2)
    if count < _PLENTY and ratio < 1 - 3 / math.sqrt(2 * count) - _ALIKE:
        raise NoLevelError("what little looks like air varies slowly, as dark parts of objects do")


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
