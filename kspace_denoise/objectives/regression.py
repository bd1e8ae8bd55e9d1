"""Plain regression: the second image of a pair is predicted from the first."""

from typing import Self

import torch
from torch import Tensor, nn

from kspace_denoise.objectives.batch import Batch
from kspace_denoise.objectives.one_pass import OnePass


class Regression(OnePass):
    """The squared error of f(y, σ) against `batch.pair`, whose minimiser is E[pair | y].

    A frozen dataclass that derives from it says what the pair is, and so what is learnt.
    """

    @classmethod
    def paper(cls) -> Self:
        """Return the same: there is nothing to choose."""
        return cls()

    def loss(self, network: nn.Module, batch: Batch, generator: torch.Generator) -> Tensor:  # noqa: ARG002
        """Return E|f(y, σ) - pair|² per pixel; a complex pixel counts both components.

        Raises:
            ValueError: if the batch has no pair.
        """
        if batch.pair is None:
            raise ValueError(
                "this method learns from pairs of images, and the batch has no second one"
            )
        predicted: Tensor = network(batch.image, batch.sigma, batch.condition)
        return (predicted - batch.pair).abs().square().mean()
