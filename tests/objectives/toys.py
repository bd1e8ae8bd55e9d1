"""Signals whose best linear estimate is known, and networks of a single number."""

import torch
from torch import Tensor, nn

from kspace_denoise.objectives import Batch, Objective


class Gain(nn.Module):
    """f = k y."""

    def __init__(self, gain: float) -> None:
        super().__init__()
        self.gain = gain

    def forward(self, x: Tensor, _level: Tensor, _condition: Tensor | None) -> Tensor:
        return self.gain * x


class Neighbours(Gain):
    """f = k (left + right), periodic: blind to the pixel itself."""

    def forward(self, x: Tensor, _level: Tensor, _condition: Tensor | None) -> Tensor:
        return self.gain * (x.roll(1, -1) + x.roll(-1, -1))


def gaussian(shape: tuple[int, ...], seed: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Draw numbers of variance 1 per real component."""
    unit = 2**0.5 if dtype.is_complex else 1.0  # torch's complex normal has E|n|² = 1
    return unit * torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def correlated_rows(shape: tuple[int, ...], rho: float, seed: int) -> Tensor:
    """Draw rows of unit variance and correlation rho^|i - j|, periodic."""
    length = shape[-1]
    apart = torch.minimum(torch.arange(length), length - torch.arange(length))
    spectrum = torch.fft.fft(rho ** apart.double()).real.clamp(min=0)  # noqa: TID251
    draws = torch.fft.fft(gaussian(shape, seed).double())  # noqa: TID251
    return torch.fft.ifft(draws * spectrum.sqrt()).real.float()  # noqa: TID251


def best_gain(
    objective: Objective, batch: Batch, network: type[Gain] = Gain
) -> tuple[float, float]:
    """Return the minimiser of the loss, which is a parabola in k, and its minimum."""

    def loss(k: float) -> float:
        return float(objective.loss(network(k), batch, torch.Generator().manual_seed(2)))

    low, middle, high = loss(0.0), loss(0.5), loss(1.0)
    curvature = 2 * (low - 2 * middle + high)
    slope = high - low - curvature
    return -slope / (2 * curvature), low - slope**2 / (4 * curvature)
