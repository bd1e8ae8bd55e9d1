"""The air around the object in fully sampled coil images: where it is, found without a threshold.

In air the whitened power, averaged over coils and a small box, scatters about one level by an
amount that follows from the number of samples; in the object it lies far above. Starting with the
darkest pixels, the level and the pixels that agree with it are found in turn (in the spirit of
Koay, Özarslan, Pierpaoli, J. Magn. Reson. 199:94, 2009). Ghosts and ringing fade with distance from
the object, so where the near air is brighter than the far air, only the far air is kept.
"""

import math
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from scipy import ndimage

from kspace_denoise.recon.noise_shape import (
    Colour,
    colour,
    line_profile,
    smooth_lines,
    unit_rms,
)

Map: TypeAlias = np.ndarray[Any, Any]

LARGEST_PEAK = 1.5  # of the profile over its median: a receiver filter is flat, or falls
_BOXES = (5, 15)  # sides of the boxes over which power is averaged: fine, then sensitive
_DARKEST = 0.05  # of the pixels, to start from
_AGREES = 3.0  # standard errors above the level up to which a box counts as air
_SETTLED = 1e-3  # of the pixels change from one round to the next
_STEPS, _ROUNDS = 20, 4
_FEWEST_PIXELS = 200
_MARGIN = 3  # pixels between air and object


class Background(NamedTuple):
    """Air in coil images `(slices, coils, y, x)`, and what the noise there looks like.

    `pixels` is bool `(slices, y, x)`; `profile` the noise's relative standard deviation `(y, 1)` or
    `(1, x)`, root mean square 1; `covariance` that of the pixels after division by the profile;
    `rise` by how much the level of the near half of the air exceeds that of the far half.
    """

    pixels: Map
    profile: Map
    covariance: Map
    colour: Colour
    rise: float
    rise_error: float

    @property
    def samples(self) -> float:
        """Number of independent complex samples of the common level, over pixels and coils."""
        return float(self.pixels.sum()) * equal_coils(self.covariance) / self.colour.excess


def find_background(images: Map, passed: Map, readout_axis: int | None) -> Background | None:
    """Find the air in coil images `(slices, coils, y, x)`, or None where there is next to none.

    `passed` `(ky, kx)` is the noise power that each sample of k-space passes on to the images.
    """
    found = agreeing_pixels(images, passed, readout_axis)
    return None if found is None else _far_enough(images, *found)


def agreeing_pixels(
    images: Map, passed: Map, readout_axis: int | None
) -> tuple[Map, Map, float] | None:
    """Find the pixels of the lowest common level, the profile, and how alike neighbours are."""
    profile = _first_profile(images, readout_axis)
    power = _box(np.mean(np.abs(images) ** 2, axis=1) / profile**2, _BOXES[0])
    pixels = np.asarray(power <= np.quantile(power, _DARKEST))
    excess = float(np.mean(passed**2) / np.mean(passed) ** 2)
    for turn in range(_ROUNDS):
        scaled = images / profile
        power = whitened_power(scaled, covariance_of(samples_of(scaled, pixels)))
        pixels = _settle(power, pixels, excess / images.shape[1])
        if pixels.sum() < _FEWEST_PIXELS:
            return None
        if turn == 0:
            excess = max(excess, colour(scaled, pixels).excess)
        if readout_axis is not None:
            profile = unit_rms(profile * line_profile(power, pixels, readout_axis))
    return pixels, profile, excess


def samples_of(images: Map, pixels: Map) -> Map:
    """Return the samples `(coils, n)` of the chosen pixels, slice by slice, in complex128."""
    chosen = [one[:, where] for one, where in zip(images, pixels, strict=True)]
    return np.concatenate(chosen, axis=1).astype(np.complex128)


def covariance_of(samples: Map) -> Map:
    """Return E[n_i conj(n_j)] of samples `(coils, n)`."""
    return np.asarray(samples @ samples.conj().T / samples.shape[1])


def equal_coils(covariance: Map) -> float:
    """Return how many independent equal coils would tell the mean level as well as these do."""
    return float(np.trace(covariance).real ** 2 / np.sum(np.abs(covariance) ** 2))


def whitened_power(images: Map, covariance: Map) -> Map:
    """Return n^H Psi^-1 n / coils, `(slices, y, x)`: its mean over noise is 1."""
    values, vectors = np.linalg.eigh(covariance)
    safe = np.maximum(values, 1e-9 * values[-1])
    whitening = (vectors / np.sqrt(safe * len(values))).conj().T.astype(images.dtype)
    return np.stack([np.sum(np.abs(np.tensordot(whitening, x, 1)) ** 2, axis=0) for x in images])


def _first_profile(images: Map, readout_axis: int | None) -> Map:
    """Return a rough profile along the readout, from the darkest tenth of every line."""
    if readout_axis is None:
        return np.ones((1, 1))
    across = -1 if readout_axis == -2 else -2
    power = _box(np.mean(np.abs(images) ** 2, axis=1), _BOXES[0])
    dark = np.quantile(np.concatenate(list(power), axis=across), 0.1, axis=across, keepdims=True)
    # A line without air is no darker than its object: no filter lets that much through.
    dark = np.minimum(dark, LARGEST_PEAK**2 * np.median(dark))
    return unit_rms(np.sqrt(smooth_lines(dark, readout_axis)))


def _settle(power: Map, pixels: Map, excess: float) -> Map:
    """Find the pixels that agree with the mean power that they have."""
    for _ in range(_STEPS):
        relative = power / power[pixels].mean()
        agreeing = np.ones_like(pixels)
        for size in _BOXES:
            agreeing &= _agree(relative, agreeing, size, excess)
        changed = np.mean(agreeing != pixels)
        pixels = agreeing
        if changed < _SETTLED or not pixels.any():
            break
    return pixels


def _agree(power: Map, pixels: Map, size: int, excess: float) -> Map:
    """Return where the mean power of the pixels in a box is no higher than chance makes it."""
    share = _box(pixels.astype(float), size)
    mean = _box(power * pixels, size) / np.maximum(share, 1 / size**2)
    samples = np.maximum(share * size**2, 1)
    error = np.sqrt(np.minimum(excess / samples, 1))
    return np.asarray((mean < 1 + _AGREES * error) & (share > 0))


def _far_enough(images: Map, pixels: Map, profile: Map, excess: float) -> Background:
    """Drop the near half of the air as long as it is brighter than the far half."""
    distance = np.stack([ndimage.distance_transform_edt(ndimage.binary_closing(p)) for p in pixels])
    scaled = images / profile
    away = pixels & (distance > _MARGIN)
    pixels = away if away.sum() > _FEWEST_PIXELS else pixels
    while True:
        covariance = covariance_of(samples_of(scaled, pixels))
        shape = colour(scaled, pixels)
        shape = shape._replace(excess=max(excess, shape.excess))
        far = pixels & (distance > np.median(distance[pixels]))
        near = pixels & ~far
        power = whitened_power(scaled, covariance)
        rise = math.sqrt(power[near].mean() / power[far].mean()) - 1 if far.any() else 0.0
        found = Background(pixels, profile, covariance, shape, rise, 0.0)
        error = 1 / math.sqrt(found.samples)  # of the ratio of two levels of half the samples
        found = found._replace(rise_error=error)
        if rise < 1.5 * error or far.sum() < _FEWEST_PIXELS:
            return found
        pixels = far


def _box(values: Map, size: int) -> Map:
    """Average over boxes within each slice; the image wraps around."""
    return np.asarray(ndimage.uniform_filter(values, (0, size, size), mode="wrap"))
