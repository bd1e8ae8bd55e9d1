"""Coil2Coil: some coils of a scan predict the others (Park et al., 2022)."""

import dataclasses
from typing import ClassVar

import torch
from torch import Tensor, nn

from kspace_denoise.objectives.objective import Pair
from kspace_denoise.objectives.one_pass import OnePass
from kspace_denoise.objectives.two_groups import TwoGroups


@dataclasses.dataclass(frozen=True)
class Coil2Coil(OnePass):
    """Two images of the same object from two groups of coils, whose noise is independent.

    With u_J = Σ_J s̄ c / √P_J and P_J = Σ_J |s|² over a group J of whitened coil images c with maps
    s, both u_J and u_K have noise of level 1, and that of one says nothing of the other:

    ```text
    loss = |√P_K f(u_J) - √P_J u_K|² / (P_J + P_K)      minimised by  f(u_J) = √P_J E[x | u_J]
    ```

    that is the clean image in the unit of u_J, of which and of the noise of u_K the smallest loss
    is a weighted mean. The paper combines coils as they are and then makes the target's
    noise independent of the input's by generalised least squares; after whitening there is
    nothing left to make independent.

    A group J is drawn for every image, of `smallest` of the coils at least and all but one at most:
    the image to be denoised at last is that of all. The paper takes halves.
    """

    smallest: float = 0.5
    halves: bool = False

    pair: ClassVar[Pair] = "nothing"

    def __post_init__(self) -> None:
        if not 0 < self.smallest < 1:
            raise ValueError(f"smallest is {self.smallest}, expected a share of the coils")

    @classmethod
    def paper(cls) -> "Coil2Coil":
        """Return the paper's choice: half of the coils predict the other half."""
        return cls(halves=True)

    def loss(self, network: nn.Module, batch: TwoGroups, generator: torch.Generator) -> Tensor:  # noqa: ARG002
        """Return the loss per pixel, both components together."""
        clean: Tensor = network(batch.image, batch.sigma, batch.condition)
        error = (batch.ratio * clean - batch.other).abs().square()
        return (error / (1 + batch.ratio**2)).mean()
