"""The door of every denoiser `denoiser(image, sigma)`: what is a noisy image, and its noise."""

from typing import NamedTuple

import numpy as np

from kspace_denoise.arrays import Array, to_numpy
from kspace_denoise.stages import Numpy, in_snr_units


class Noisy(NamedTuple):
    """Images `(n, y, x)` in SNR units, and sigma broadcast to the shape that they came in."""

    images: Numpy
    sigma: Numpy


def noisy_images(image: Array, sigma: Array | float) -> Noisy:
    """Check images `(..., y, x)` and their sigma, a number or a map, and divide the one by it.

    Where sigma is 0 (outside the coil maps) so is the result.

    Raises:
        ValueError: if the image is none or not finite, or sigma not positive and finite or of a
            shape that does not fit.
    """
    values = to_numpy(image)
    if values.ndim < 2 or not np.all(np.isfinite(values)):
        raise ValueError(
            f"image of shape {values.shape} is no image (..., y, x) or holds NaN or infinity"
        )
    noise = checked_sigma(sigma, values.shape)
    return Noisy(in_snr_units(values, noise).reshape(-1, *values.shape[-2:]), noise)


def checked_sigma(sigma: Array | float, shape: tuple[int, ...]) -> Numpy:
    """Return sigma as a map of this shape.

    Raises:
        ValueError: if it is not positive and finite (a map may hold zeros, outside the coil maps),
            or its shape does not fit.
    """
    noise = np.asarray(sigma if isinstance(sigma, (int, float)) else to_numpy(sigma), np.float32)
    if not np.all(np.isfinite(noise)) or np.any(noise < 0) or not np.any(noise > 0):
        raise ValueError("sigma must be positive and finite: give the noise of each real component")
    try:
        return np.broadcast_to(noise, shape)
    except ValueError:
        raise ValueError(
            f"sigma has shape {noise.shape}, which does not fit images of shape {tuple(shape)}"
        ) from None
