"""Noise2Noise: another noisy repetition is the target (Lehtinen et al., ICML 2018)."""

import dataclasses
from typing import ClassVar

import torch
from torch import Tensor, nn

from kspace_denoise.objectives.batch import Batch
from kspace_denoise.objectives.objective import Pair
from kspace_denoise.objectives.supervised import squared_error


@dataclasses.dataclass(frozen=True)
class Noise2Noise:
    """The smallest squared error against a repetition with independent noise of mean zero.

    That noise cannot be predicted, so the minimiser is E[x | y] as if the target were clean, and
    the smallest loss is the error of that plus the variance of the target's noise. The object must
    not move between the two, and both must have one scale: where the target is b times as bright,
    so is the result. The noise of magnitudes has a mean, which stays in the result.
    """

    pair: ClassVar[Pair] = "repetition"

    @classmethod
    def paper(cls) -> "Noise2Noise":
        """Return the paper's squared error (its choice for Gaussian noise), which is ours too."""
        return cls()

    def loss(self, network: nn.Module, batch: Batch, generator: torch.Generator) -> Tensor:  # noqa: ARG002
        """Return E|f(y₁, σ) - y₂|² per pixel; a complex pixel counts both components."""
        return squared_error(network, batch)

    def denoise(
        self, network: nn.Module, x: Tensor, sigma: Tensor, condition: Tensor | None = None
    ) -> Tensor:
        """Return f(y, σ), in one pass over one repetition."""
        clean: Tensor = network(x, sigma, condition)
        return clean
