"""What BM3D refuses, and why."""

import math

import numpy as np
import torch
from torch import Tensor

from kspace_denoise.arrays import Array, to_torch

_FLAT = 1e-3  # of the mean: a spectrum that deviates less is white


def check_image(image: Array, block: int) -> None:
    """Refuse an image that is no image, or has no block in it.

    Raises:
        TypeError: if it is neither real floating nor complex.
        ValueError: if it is smaller than a block, or NaN or infinite somewhere.
    """
    values = to_torch(image)
    if not (values.is_floating_point() or values.is_complex()):
        raise TypeError(f"image is {values.dtype}, expected real floating or complex numbers")
    if values.ndim < 2 or min(values.shape[-2:]) < block or not values.numel():
        raise ValueError(
            f"image has shape {tuple(values.shape)}, expected (..., y, x) with y and x at least "
            f"{block}, the side of a block: a smaller one needs Profile(block=...)"
        )
    if not torch.isfinite(values).all():
        raise ValueError("image holds values that are NaN or infinite")


def check_sigma(sigma: Array | float, image: Tensor) -> Tensor:
    """Return sigma as a real tensor beside the image.

    Raises:
        ValueError: if it does not fit the image, or is negative, NaN or infinite, or 0 everywhere.
    """
    number = isinstance(sigma, int | float)
    level = torch.tensor(sigma, dtype=torch.float64) if number else to_torch(sigma)
    if level.is_complex():
        raise ValueError("sigma is complex, expected the standard deviation per real component")
    level = level.to(image.device, image.real.dtype)
    if not _fits(level.shape, image.shape):
        raise ValueError(
            f"sigma has shape {tuple(level.shape)}, expected a number or a map that broadcasts to "
            f"the image {tuple(image.shape)}"
        )
    if not torch.isfinite(level).all() or (level < 0).any() or not level.any():
        raise ValueError("sigma holds negative, NaN or infinite values, or zeros only")
    return level


def check_spectrum(spectrum: Array | None, image: Tensor) -> Tensor | None:
    """Return the symmetric part of the spectrum `(ky, kx)`, in the image's precision.

    None, which is white, where it is flat.

    Raises:
        ValueError: if it does not fit the image, is negative, NaN or infinite, or its mean is not
            1; if the image is real and the spectrum not symmetric about DC.
    """
    if spectrum is None:
        return None
    grid = image.shape[-2:]
    power = to_torch(spectrum)
    if not _fits(power.shape, grid):
        raise ValueError(
            f"spectrum has shape {tuple(power.shape)}, expected (ky, kx) that broadcasts to the "
            f"image's {tuple(grid)}"
        )
    power = power.to(image.device, image.real.dtype).expand(grid)
    if not torch.isfinite(power).all() or (power < 0).any():
        raise ValueError("spectrum holds values that are negative, NaN or infinite")
    mean = float(power.double().mean())
    if not math.isclose(mean, 1, rel_tol=1e-3):
        raise ValueError(
            f"spectrum has a mean of {mean:.4g} over k-space, expected 1: divide it by its mean, "
            "as sigma is the noise of the image, zero-filled samples included"
        )
    mirrored = _mirrored(power)
    if not image.is_complex() and (power - mirrored).abs().max() > 1e-3 * power.max():
        raise ValueError(
            "spectrum is not symmetric about DC (index n // 2), which the noise of a real image "
            "always is; keep the image complex, or give (P(k) + P(-k)) / 2"
        )
    symmetric = torch.add(power, mirrored) / 2
    return None if bool((symmetric - 1).abs().max() < _FLAT) else symmetric


def _mirrored(power: Tensor) -> Tensor:
    """Return P(-k) with DC at index n // 2."""
    shifts = [1 - n % 2 for n in power.shape]
    return power.flip(-2, -1).roll(shifts, (-2, -1))


def _fits(given: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    try:
        return np.broadcast_shapes(given, wanted) == tuple(wanted)
    except ValueError:
        return False
