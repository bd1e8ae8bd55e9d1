"""Supervised diffusion training: the clean image from a noisy one, at every noise level.

Ho et al., NeurIPS 2020, with levels and weights in the manner of Karras et al., NeurIPS 2022. What
comes out is a prior for the samplers of `recon`: it knows what images look like at any noise level.
"""

import dataclasses
from typing import ClassVar

import torch
from torch import Tensor, nn

from kspace_denoise.objectives.batch import Batch
from kspace_denoise.objectives.diffusion_levels import EveryLevel
from kspace_denoise.objectives.noise_like import noise_like
from kspace_denoise.objectives.objective import Pair


@dataclasses.dataclass(frozen=True)
class Diffusion(EveryLevel):
    """The equations; hyper-parameters are those of `EveryLevel`.

    The images that it learns from are taken for clean: noise that they hold is learnt with them.
    """

    pair: ClassVar[Pair] = "nothing"

    @classmethod
    def paper(cls) -> "Diffusion":
        """Return the choices of DDPM for an estimate of the image: its schedule, one weight."""
        return cls(schedule="ddpm", weighting="one")

    def loss(self, network: nn.Module, batch: Batch, generator: torch.Generator) -> Tensor:
        """Return E[w(d) |f(x + d n, d) - x|²] per pixel."""
        level = self.draw_levels(len(batch), batch.device, generator)
        noisy = batch.image + level[:, None, None] * noise_like(batch.image, generator)
        clean: Tensor = network(noisy, level, batch.condition)
        error = (clean - batch.image).abs().square().mean(dim=(-2, -1))
        return (self.weight(level) * error).mean()

    def denoise(
        self, network: nn.Module, x: Tensor, sigma: Tensor, condition: Tensor | None = None
    ) -> Tensor:
        """Return the clean images of noisy ones (batch, y, x), level `sigma` (batch,)."""
        clean: Tensor = network(x, sigma, condition)
        return clean
