"""The door of every denoiser `denoiser(image, sigma)`: what is a noisy image, and its noise."""

from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from kspace_denoise.arrays import Array, namespace, to_numpy
from kspace_denoise.stages import Numpy, in_snr_units


class Noisy(NamedTuple):
    """Images `(n, y, x)` in SNR units, and sigma broadcast to the shape that they came in."""

    images: Numpy
    sigma: Numpy


def noisy_images(image: Array, sigma: Array | float) -> Noisy:
    """Check images `(..., y, x)` and their sigma, a number or a map, and divide the one by it.

    Where sigma is 0 (outside the coil maps) so is the result.

    Raises:
        TypeError, ValueError: as `check_image` and `checked_sigma`.
    """
    check_image(image)
    values = to_numpy(image)
    noise = checked_sigma(sigma, values.shape)
    return Noisy(in_snr_units(values, noise).reshape(-1, *values.shape[-2:]), noise)


def check_image(image: Array) -> None:
    """Refuse what is no image `(..., y, x)`, of any kind of array.

    Raises:
        TypeError: if it is neither real floating nor complex.
        ValueError: if it has less than two axes, no pixels, or NaN or infinity in it.
    """
    xp = namespace(image)
    if not xp.isdtype(image.dtype, ("real floating", "complex floating")):
        raise TypeError(f"image is {image.dtype}, expected real floating or complex numbers")
    shape = tuple(image.shape)
    if len(shape) < 2 or 0 in shape or not bool(xp.all(xp.isfinite(image))):
        raise ValueError(f"image of shape {shape} is no image (..., y, x) or holds NaN or infinity")


def checked_sigma(
    sigma: Array | float, shape: tuple[int, ...], dtype: DTypeLike = np.float32
) -> Numpy:
    """Return sigma as a map of this shape.

    Raises:
        ValueError: if it is complex, or not positive and finite (a map may hold zeros, outside the
            coil maps), or its shape does not fit.
    """
    noise = np.asarray(sigma if isinstance(sigma, (int, float)) else to_numpy(sigma))
    if np.iscomplexobj(noise):
        raise ValueError("sigma is complex, expected the standard deviation of each real component")
    noise = noise.astype(dtype)
    if not np.all(np.isfinite(noise)) or np.any(noise < 0) or not np.any(noise > 0):
        raise ValueError("sigma must be positive and finite: give the noise of each real component")
    try:
        return np.broadcast_to(noise, shape)
    except ValueError:
        raise ValueError(
            f"sigma has shape {noise.shape}, which does not fit images of shape {tuple(shape)}"
        ) from None
