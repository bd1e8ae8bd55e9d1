"""Recorrupted2Recorrupted: a pair with independent noise from an image (Pang et al., CVPR 2021)."""

import dataclasses
from typing import ClassVar

import torch
from torch import Tensor, nn

from kspace_denoise.objectives.batch import Batch
from kspace_denoise.objectives.noise_like import noise_draws
from kspace_denoise.objectives.noisier import Noisier
from kspace_denoise.objectives.objective import Pair


@dataclasses.dataclass(frozen=True)
class Recorrupted2Recorrupted(Noisier):
    """Add noise to an image, and take the same noise off for its target.

    With n like the noise of y, of level σ, y + α n and y - n / α have noise whose covariance is
    σ² - σ² = 0, and what is Gaussian and uncorrelated is independent: the minimiser is
    E[x | y + α n], and the smallest loss its error plus σ² (1 + 1 / α²). Small `alpha` loses little
    of the image, and makes targets noisy.

    At inference the mean over `draws` of n is taken, from `seed`: for a linear denoiser that leaves
    the error of its gain applied to y itself.
    """

    alpha: float = 0.5
    pair: ClassVar[Pair] = "nothing"

    @classmethod
    def paper(cls) -> "Recorrupted2Recorrupted":
        """Return the authors' choice: α = 0.5, the mean over 50 draws."""
        return cls(alpha=0.5, draws=50)

    def loss(self, network: nn.Module, batch: Batch, generator: torch.Generator) -> Tensor:
        """Return E|f(y + α n, σ √(1 + α²)) - (y - n / α)|² per pixel (eq. 4 of the paper)."""
        noise = batch.sigma[:, None, None] * batch.noise(generator)
        predicted: Tensor = network(
            batch.image + self.alpha * noise, self.level(batch.sigma), batch.condition
        )
        return (predicted - (batch.image - noise / self.alpha)).abs().square().mean()

    def denoise(
        self, network: nn.Module, x: Tensor, sigma: Tensor, condition: Tensor | None = None
    ) -> Tensor:
        """Return the mean of f(y + α n, σ √(1 + α²)) over draws of n."""
        total = torch.zeros_like(x)
        for noise in noise_draws(x, self.draws, self.seed):
            noisier = x + self.alpha * sigma[:, None, None] * noise
            total += network(noisier, self.level(sigma), condition)
        return total / self.draws
