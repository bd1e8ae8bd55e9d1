"""The noise level of images whose k-space is gone: from their air, else inside the object."""

from typing import Any, NamedTuple, TypeAlias

import numpy as np
from scipy import ndimage

from kspace_denoise.arrays import Array, to_numpy
from kspace_denoise.recon.noise_level_air import air_level
from kspace_denoise.recon.noise_level_boxes import NoLevelError
from kspace_denoise.recon.noise_level_object import object_level
from kspace_denoise.recon.noise_not_found import NoiseNotFound
from kspace_denoise.recon.vst_checks import check_coils

Map: TypeAlias = np.ndarray[Any, Any]

_ROUNDING = 1e-6  # of the brightest pixel
_SMALLEST = 16  # pixels along an axis


class NoiseLevel(NamedTuple):
    """The noise level of images.

    `sigma` is the standard deviation of each real component, for magnitudes before the magnitude
    was taken, in the unit of the images. With 95 % probability the true one lies between
    `interval[0]` and `interval[1]` times that. `pixels_used` counts the independent pixels behind
    it; `rule` says in words where they lie, and how sigma follows from them.
    """

    sigma: float
    interval: tuple[float, float]
    pixels_used: int
    rule: str


class LevelNotFoundError(NoiseNotFound):
    """The noise level of images cannot be told from them."""

    def __init__(self, reason: str) -> None:
        ValueError.__init__(
            self,
            f"the noise level cannot be told from these images: {reason}. Give sigma, the standard "
            "deviation of each real component in the unit of the images, or start from k-space",
        )


def estimate_sigma(image: Array, coils: float = 1) -> NoiseLevel:
    """Estimate the noise of images that came without it; all share one level.

    First the air around the object: the mean of a magnitude there is 1.2533 sigma for one coil, in
    general that of a chi distribution, and what is found must have its distribution and be even;
    a little drift over the image widens the interval.
    Without air (blanked, or cut off) the object itself: the median of the finest diagonal wavelet
    details over 0.6745, in smooth regions clear of the noise; there the noise must be white. Exact
    zeros in patches are blanked pixels and count for nothing. Noise along with the k-space
    (`estimate_noise`), or of a noise scan, is always better known.

    Args:
        image: `(..., y, x)`, complex, magnitude, or real with values of both signs (whose noise is
            Gaussian); not modified.
        coils: in the root sum of squares of a magnitude: equal, independent noise. 1 for one coil
            and for coils combined with weights (SENSE, adaptive).

    Raises:
        TypeError: if the image holds no floating numbers, or coils is none.
        ValueError: if it is smaller than 16 x 16, blank, or holds NaN or infinity.
        NoiseNotFound: (a ValueError) if the level cannot be told safely; saying why.
    """
    images, degrees = _checked(image, check_coils(coils))
    blank = images == 0
    valid = np.stack([~ndimage.binary_opening(one, np.ones((3, 3))) for one in blank])
    magnitude = not np.iscomplexobj(images) and float(images.min()) >= 0
    try:
        level = air_level(images, valid, degrees)
        rule = f"air: mean magnitude, chi with {degrees:g} degrees of freedom"
    except NoLevelError as no_air:
        if no_air.final:
            raise LevelNotFoundError(str(no_air)) from None
        try:
            level = object_level(images, valid, degrees, magnitude)
            rule = "object: median of the finest wavelet details in smooth regions"
        except NoLevelError as no_object:
            raise LevelNotFoundError(f"{no_air}; {no_object}") from None
    if level.sigma < _ROUNDING * float(np.abs(images).max()):
        raise LevelNotFoundError("they hold no noise beyond rounding")
    low, high = 1 - 1.96 * level.error, 1 + 1.96 * level.error
    return NoiseLevel(level.sigma, (low, high), int(level.pixels), rule)


def _checked(image: Array, coils: float) -> tuple[Map, float]:
    """Return images `(n, y, x)` in double precision, and the degrees of freedom of their noise."""
    values = to_numpy(image)
    if values.dtype.kind not in "fc":
        raise TypeError(f"image is {values.dtype}, expected floating numbers, complex or real")
    if values.ndim < 2 or min(values.shape[-2:]) < _SMALLEST:
        raise ValueError(
            f"image has shape {values.shape}, expected (..., y, x) of 16 x 16 pixels at least"
        )
    if not np.isfinite(values).all() or not values.any():
        raise ValueError("image holds NaN or infinity, or zeros only")
    wide = np.complex128 if values.dtype.kind == "c" else np.float64
    images = values.reshape(-1, *values.shape[-2:]).astype(wide)
    signed = wide is np.complex128 or float(images.min()) < 0
    if signed and coils != 1:
        raise ValueError(
            f"coils is {coils:g}, but that is for magnitudes (a root sum of squares), and this "
            "image is complex or has values of both signs"
        )
    degrees = 2.0 * coils if wide is np.complex128 or not signed else 1.0
    return images, degrees
