"""Sinusoidal embedding of the noise level."""

import math

import torch
from torch import Tensor, nn


class NoiseEmbedding(nn.Module):
    """Embed a noise level as features: sinusoids of its logarithm, then two linear layers.

    The argument is 10·ln(level): levels that differ by a tenth have nearly the same features, so
    that what is learnt at some levels holds at those between and beside them.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        half = features // 2
        frequencies = torch.exp(-math.log(10_000) * torch.arange(half) / half)
        self.frequencies: Tensor
        self.register_buffer("frequencies", frequencies, persistent=False)
        self.layers = nn.Sequential(
            nn.Linear(2 * half, features), nn.SiLU(), nn.Linear(features, features), nn.SiLU()
        )

    def forward(self, noise_level: Tensor) -> Tensor:
        """Map levels (batch,) to features (batch, features)."""
        phase = 10 * torch.log(noise_level)[:, None] * self.frequencies
        embedded: Tensor = self.layers(torch.cat([phase.sin(), phase.cos()], dim=1))
        return embedded


class TargetEmbedding(nn.Module):
    """Embed the noise that is to be left in, as a share r of the noise level, through r².

    The answer is linear in r²: E[x + r n | y] = (1 - r²) E[x | y] + r² y. The embedding is zero at
    r = 0, the clean image, and everywhere in an untrained network.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        last = nn.Linear(features, features, bias=False)
        nn.init.zeros_(last.weight)
        self.layers = nn.Sequential(nn.Linear(1, features, bias=False), nn.SiLU(), last)

    def forward(self, share: Tensor) -> Tensor:
        """Map shares (batch,) from 0 to 1 to features (batch, features)."""
        embedded: Tensor = self.layers(share[:, None] ** 2)
        return embedded
