"""Checks at the door of the functions for magnitude images."""

import math
from numbers import Real

import array_api_compat

from kspace_denoise.arrays import Array, like, namespace
from kspace_denoise.recon.checks import check_finite

_MOST_COILS = 128  # as far as the tables are tested


def check_real(x: Array, name: str) -> None:
    """Check for finite float32 or float64.

    Raises:
        TypeError: if it is no array, complex, or not of floats.
        ValueError: if it holds NaN or infinity.
    """
    if not array_api_compat.is_array_api_obj(x):
        raise TypeError(
            f"{name} is {type(x).__name__}, expected an array of float32 or float64; numpy.asarray "
            "makes one"
        )
    xp = namespace(x)
    if xp.isdtype(x.dtype, "complex floating"):
        raise TypeError(
            f"{name} is {x.dtype}: take the magnitude. Better, denoise the complex image: its "
            "noise is Gaussian and needs no stabilisation"
        )
    if x.dtype not in (xp.float32, xp.float64):
        raise TypeError(f"{name} is {x.dtype}, expected float32 or float64")
    check_finite(x, name)


def check_magnitude(x: Array, name: str) -> None:
    """Check for finite float32 or float64 values of at least 0.

    Raises:
        TypeError: if the array is complex or not a float array.
        ValueError: if it holds negative values, NaN or infinity.
    """
    check_real(x, name)
    if not bool(namespace(x).all(x >= 0)):
        raise ValueError(
            f"{name} holds negative values, which no magnitude has: give the image before any "
            "offset was taken off, and a real part not at all (its noise is Gaussian already)"
        )


def check_coils(coils: object) -> float:
    """Return the number of coils.

    Raises:
        TypeError: if it is not one number.
        ValueError: if it is below 1 or above 128.
    """
    if not isinstance(coils, Real):
        raise TypeError(f"coils is {type(coils).__name__}, expected one number for the image")
    if not 1 <= float(coils) <= _MOST_COILS:
        raise ValueError(f"coils is {coils}, expected a number from 1 to {_MOST_COILS}")
    return float(coils)


def check_sigma(sigma: float | Array, image: Array) -> float | Array:
    """Return sigma as a number or as an array of the image's kind and precision.

    Raises:
        TypeError: if it is neither a number nor an array.
        ValueError: if it is not positive everywhere, or does not broadcast to the image.
    """
    if not array_api_compat.is_array_api_obj(sigma):
        return _number(sigma)
    values = like(sigma, image, image.dtype)
    xp = namespace(values)
    fits = values.ndim <= image.ndim and all(
        have in (1, want) for have, want in zip(values.shape[::-1], image.shape[::-1], strict=False)
    )
    if not fits:
        raise ValueError(
            f"sigma has shape {tuple(values.shape)}, which does not broadcast to the image's "
            f"{tuple(image.shape)}: give a number or a map (..., y, x)"
        )
    if not bool(xp.all(xp.isfinite(values) & (values > 0))):
        raise ValueError(
            "sigma holds values that are not positive and finite; where a noise map is 0 there is "
            "no noise to stabilise: set any positive value there"
        )
    return values


def _number(sigma: object) -> float:
    if not isinstance(sigma, Real):
        raise TypeError(
            f"sigma is {sigma!r}, expected a positive number, or an array that broadcasts to the "
            "image: the noise of each real component, in the unit of the image"
        )
    if not 0 < float(sigma) < math.inf:
        raise ValueError(f"sigma is {sigma}, expected a positive number")
    return float(sigma)


def check_range(image: Array, sigma: float | Array) -> None:
    """Check that a magnitude over sigma can be written in the image's precision.

    Raises:
        ValueError: if it would be infinite.
    """
    xp = namespace(image)
    least = float(xp.min(sigma)) if array_api_compat.is_array_api_obj(sigma) else sigma
    most = float(xp.max(image)) if math.prod(image.shape) else 0.0
    if most > least * float(xp.finfo(image.dtype).max):
        raise ValueError(
            f"an image of up to {most:.3g} over a sigma of {least:.3g} is beyond {image.dtype}: "
            "give both in the same unit, or float64"
        )
