"""Supervised training ("Noise2True"): the clean image is the target."""

import dataclasses
from typing import ClassVar

import torch
from torch import Tensor, nn

from kspace_denoise.objectives.batch import Batch
from kspace_denoise.objectives.objective import Pair


@dataclasses.dataclass(frozen=True)
class Supervised:
    """The smallest squared error against the clean image: f(y, σ) = E[x | y].

    What no method without clean images can beat, given the same network; beside them it is the
    ceiling, not a rival.
    """

    pair: ClassVar[Pair] = "clean"

    @classmethod
    def paper(cls) -> "Supervised":
        """Return the same: there is nothing to choose."""
        return cls()

    def loss(self, network: nn.Module, batch: Batch, generator: torch.Generator) -> Tensor:  # noqa: ARG002
        """Return E|f(y, σ) - x|² per pixel; a complex pixel counts both components."""
        return squared_error(network, batch)

    def denoise(
        self, network: nn.Module, x: Tensor, sigma: Tensor, condition: Tensor | None = None
    ) -> Tensor:
        """Return f(y, σ), in one pass."""
        clean: Tensor = network(x, sigma, condition)
        return clean


def squared_error(network: nn.Module, batch: Batch) -> Tensor:
    """Return the mean of |f(y, σ) - pair|² over images and pixels.

    Raises:
        ValueError: if the batch has no pair.
    """
    if batch.pair is None:
        raise ValueError("this method learns from pairs of images, and the batch has no second one")
    predicted: Tensor = network(batch.image, batch.sigma, batch.condition)
    return (predicted - batch.pair).abs().square().mean()
