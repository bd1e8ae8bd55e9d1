"""SURE: an unbiased estimate of the squared error, without the clean image (Stein, 1981)."""

import dataclasses
from typing import ClassVar

import torch
from torch import Tensor, nn

from kspace_denoise.objectives.batch import Batch
from kspace_denoise.objectives.divergence import Derivative, rademacher_like, with_trace
from kspace_denoise.objectives.objective import Pair
from kspace_denoise.objectives.one_pass import OnePass
from kspace_denoise.settings import check_choice


@dataclasses.dataclass(frozen=True)
class SURE(OnePass):
    """The squared error |f - x|² of Gaussian noise is |f - y|² - σ² n + 2 σ² div f in the mean.

    n counts real components, two for a complex pixel, and the divergence is the trace over them;
    it is taken by one random sign per component (Hutchinson), as the central `"difference"` of two
    calls of the network whose mean is f, or `"exact"` by differentiating twice. As a loss for
    networks: Soltanayev and Chun, NeurIPS 2018, who take a one-sided difference of N(0, 1). Pixels
    of exactly 0 were blanked, and hold no noise.
    """

    derivative: Derivative = "difference"

    pair: ClassVar[Pair] = "nothing"

    def __post_init__(self) -> None:
        check_choice("derivative", self.derivative, ("difference", "exact"))

    @classmethod
    def paper(cls) -> "SURE":
        """Return the same: Stein's formula leaves nothing to choose."""
        return cls()

    def loss(self, network: nn.Module, batch: Batch, generator: torch.Generator) -> Tensor:
        """Return SURE per pixel; a complex pixel counts both components."""
        noisy = batch.image != 0
        probe = torch.where(noisy, rademacher_like(batch.image, generator), 0)
        clean, trace = with_trace(
            lambda image: network(image, batch.sigma, batch.condition),
            batch.image, probe, probe, batch.sigma, self.derivative,
        )  # fmt: skip
        variance = batch.sigma[:, None, None] ** 2
        components = 2 if batch.image.is_complex() else 1
        error = (clean - batch.image).abs().square()
        return (error - components * variance * noisy + 2 * variance * trace).mean()
