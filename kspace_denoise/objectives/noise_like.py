"""White noise for images, from an explicit generator."""

from collections.abc import Iterator

import torch
from torch import Tensor


def noise_like(image: Tensor, generator: torch.Generator) -> Tensor:
    """Draw N(0, 1) for each real component of an image, complex or real, in its precision."""
    double = image.dtype in (torch.complex128, torch.float64)
    dtype = torch.float64 if double else torch.float32
    shape = (*image.shape, 2) if image.is_complex() else image.shape
    drawn = torch.randn(shape, generator=generator, device=image.device, dtype=dtype)
    return torch.view_as_complex(drawn) if image.is_complex() else drawn


def noise_draws(image: Tensor, count: int, seed: int) -> Iterator[Tensor]:
    """Yield so many draws of white noise for an image, the same for the same seed."""
    generator = torch.Generator(image.device).manual_seed(seed)
    for _ in range(count):
        yield noise_like(image, generator)
