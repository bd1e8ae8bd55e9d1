"""The symmetries of images and of their noise: turns, flips, and the phase of complex images."""

from collections.abc import Callable

import torch
from torch import Tensor

SYMMETRIES = 8


def turn(images: Tensor, number: int) -> Tensor:
    """Apply symmetry 0 to 7 of the square to images (..., y, x): quarter turns, then a flip."""
    turned = torch.rot90(images, number % 4, dims=(-2, -1))
    return turned.flip(-1) if number >= 4 else turned


def turn_back(images: Tensor, number: int) -> Tensor:
    """Undo `turn`."""
    images = images.flip(-1) if number >= 4 else images
    return torch.rot90(images, -(number % 4), dims=(-2, -1))


def rotate_phase(images: Tensor, angle: Tensor) -> Tensor:
    """Turn the phase of complex images (..., y, x) by an angle (...) each; real images stay."""
    if not images.is_complex():
        return images
    return images * torch.polar(torch.ones_like(angle), angle)[..., None, None]


def symmetric_mean(
    denoise: Callable[..., Tensor],
    images: Tensor,
    count: int = SYMMETRIES,
    condition: Tensor | None = None,
) -> Tensor:
    """Denoise images (n, y, x) under `count` symmetries, each with its own phase; return the mean.

    Training draws every image in all turns, flips and phases, under which white circular noise is
    the same, so the denoiser that it aims at commutes with them; a network that was trained for
    minutes does not, and what it gets wrong differs from one to the next. A `condition`
    (n, contrasts, y, x) goes with the images, as `denoise(images, condition)`: it is turned and
    flipped like them, and its phase, which the answer should not depend on, is another each time.
    """
    mean = torch.zeros_like(images)
    for number in range(count):
        angle = torch.full(images.shape[:1], 2 * torch.pi * number / count, device=images.device)
        others = (
            () if condition is None else (rotate_phase(turn(condition, number), angle[:, None]),)
        )
        clean = denoise(rotate_phase(turn(images, number), angle), *others)
        mean += rotate_phase(turn_back(clean, number), -angle) / count
    return mean
