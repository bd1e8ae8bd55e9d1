"""Blind-spot training: every pixel is predicted by a network that does not see it.

Laine et al., NeurIPS 2019; Jang et al. (PUCA), NeurIPS 2023; Wang et al. (LG-BPN), CVPR 2023.
"""

import dataclasses
from typing import ClassVar, Literal, get_args

import torch
from torch import Tensor, nn

from kspace_denoise.objectives.batch import Batch
from kspace_denoise.objectives.objective import Pair
from kspace_denoise.objectives.one_pass import OnePass
from kspace_denoise.settings import check_choice

Error = Literal["squared", "absolute"]


@dataclasses.dataclass(frozen=True)
class BlindSpot(OnePass):
    """The error of f(y) against y itself, f blind in a hole around each pixel.

    Where noise is independent beyond the hole, the minimiser of the squared error is E[x | the
    pixels outside], and the smallest loss its error plus the variance of the noise. The absolute
    error of the papers has the median instead.
    """

    error: Error = "squared"

    pair: ClassVar[Pair] = "nothing"

    architecture: ClassVar[str] = "puca"
    """The network, unless another one is chosen."""

    needs_blind_network: ClassVar[bool] = True
    """It needs a network that does not see the pixel itself."""

    def __post_init__(self) -> None:
        check_choice("error", self.error, get_args(Error))

    @classmethod
    def paper(cls) -> "BlindSpot":
        """Return the error of PUCA and LG-BPN."""
        return cls(error="absolute")

    def loss(self, network: nn.Module, batch: Batch, generator: torch.Generator) -> Tensor:  # noqa: ARG002
        """Return the mean error per pixel; a complex pixel counts both components."""
        predicted: Tensor = network(batch.image, batch.sigma, batch.condition)
        error = (predicted - batch.image).abs()
        return error.square().mean() if self.error == "squared" else error.mean()
