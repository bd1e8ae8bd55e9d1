"""The air around the object in reconstructed images: where it is, and whether it is noise alone.

The darkest boxes of pixels are a start; the level and the boxes that agree with it are found in
turn. What is found must have the law of noise: chi with one degree of freedom for real images, two
for complex ones, two per coil for magnitudes.
"""

import math

import numpy as np

from kspace_denoise.recon.noise_level_boxes import (
    Level,
    Map,
    NoLevelError,
    agreeing,
    check_even,
    check_law,
)
from kspace_denoise.recon.noise_level_drift import AGREES, BOXES, MARGIN, check_drift, to_object
from kspace_denoise.sim.magnitude_noise import MagnitudeNoise

_CORNER = 8  # the corners of the image, one such part of each side, are air
_RETREATS = 3
_LITTLE = 500  # independent pixels of air below which it may be anything
_PLENTY = 3000  # independent pixels of air that nothing else looks like
_ALIKE = 0.03  # by how much less than white noise neighbours may differ, beyond chance
_UNEVEN = 0.05  # by so much, beyond chance, the level may vary over parts of the image
_MODEL = 0.003  # relative error that is always there
_SIGNED = 0.03  # of sigma: by how much a mean may differ from zero, and two components


def air_level(images: Map, valid: Map, degrees: float) -> Level:
    """Return the level of the air of images `(n, y, x)`, real or complex, where they are valid.

    Raises:
        NoLevelError: if there is too little air, or what there is has not the law of noise.
    """
    magnitude = np.abs(images)
    air, excess = agreeing(magnitude**2 / degrees, valid, degrees, BOXES, AGREES)
    _check_corners(air, valid)
    distance = to_object(air)
    air &= distance > MARGIN
    first: NoLevelError | None = None
    for _ in range(_RETREATS + 1):
        if air.sum() < _LITTLE * excess:
            break
        far = air & (distance > np.median(distance[air]))
        try:
            level = _level(images, magnitude, air, far, degrees, excess)
        except NoLevelError as error:
            first = first or error
            air = far  # ringing and ghosts fade with distance
        else:
            drift = check_drift(magnitude / level.sigma, air, valid, degrees, excess)
            return level._replace(error=math.hypot(level.error, drift))
    raise first or NoLevelError("there is next to no air around the object")


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


def _check_fast(relative: Map, air: Map, count: float) -> None:
    """Check that neighbours differ as white noise of variance 1 does, unless there is a lot of air.

    A little air whose neighbours are alike may be a dark part of an object.
    """
    both = air[..., 1:] & air[..., :-1]
    ratio = math.sqrt(float(np.mean(np.diff(relative, axis=-1)[both] ** 2)) / 2)
    if count < _PLENTY and ratio < 1 - 3 / math.sqrt(2 * count) - _ALIKE:
        raise NoLevelError("what little looks like air varies slowly, as dark parts of objects do")
