"""What BM3D refuses, and why."""

import math

import numpy as np
import torch
from torch import Tensor

from kspace_denoise.arrays import Array, to_torch
from kspace_denoise.sigma import checked_sigma

_FLAT = 1e-3  # of the mean: a spectrum that deviates less is white


def check_size(shape: tuple[int, ...], block: int) -> None:
    """Refuse an image `(..., y, x)` that has no block in it.

    Raises:
        ValueError: if it is smaller than a block.
    """
    if min(shape[-2:]) < block:
        raise ValueError(
            f"image has shape {tuple(shape)}, expected (..., y, x) with y and x at least "
            f"{block}, the side of a block: a smaller one needs Profile(block=...)"
        )


def level_beside(image: Tensor, sigma: Array | float) -> Tensor:
    """Return sigma as a real tensor of the image's shape, where it lives and in its precision.

    Raises:
        ValueError: as `checked_sigma`.
    """
    dtype = np.float64 if image.real.dtype == torch.float64 else np.float32
    level = checked_sigma(sigma, tuple(image.shape), dtype)
    return torch.from_numpy(level.copy()).to(image.device)


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
