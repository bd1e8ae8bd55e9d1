"""Noisier2Noise: predict the noisy image from a noisier one (Moran et al., CVPR 2020)."""

import dataclasses
from typing import ClassVar

import torch
from torch import Tensor, nn

from kspace_denoise.objectives.batch import Batch
from kspace_denoise.objectives.noise_like import noise_draws
from kspace_denoise.objectives.noisier import Noisier
from kspace_denoise.objectives.objective import Pair


@dataclasses.dataclass(frozen=True)
class Noisier2Noise(Noisier):
    """Add noise of α times the level to an image, and predict the image from that.

    With Z = Y + α M the minimiser is f = E[Y | Z], which splits the noise between both: the clean
    image is E[X | Z] = ((1 + α²) f(Z) - Z) / α². That multiplies the errors of f by
    (1 + α²) / α², 2 for α = 1 and 5 for 0.5; large `alpha` on the other hand buries the image.

    At inference that is taken of y with noise added, as in the paper, and its mean over `draws`
    from `seed`.
    """

    pair: ClassVar[Pair] = "nothing"

    @classmethod
    def paper(cls) -> "Noisier2Noise":
        """Return the paper's inference, of a single draw; it leaves α to the user."""
        return cls(draws=1)

    def loss(self, network: nn.Module, batch: Batch, generator: torch.Generator) -> Tensor:
        """Return E|f(Z, σ √(1 + α²)) - Y|² per pixel."""
        noise = batch.sigma[:, None, None] * batch.noise(generator)
        predicted: Tensor = network(
            batch.image + self.alpha * noise, self.level(batch.sigma), batch.condition
        )
        return (predicted - batch.image).abs().square().mean()

    def denoise(
        self, network: nn.Module, x: Tensor, sigma: Tensor, condition: Tensor | None = None
    ) -> Tensor:
        """Return the mean of ((1 + α²) f(Z, σ √(1 + α²)) - Z) / α² over draws of M."""
        total, power = torch.zeros_like(x), self.alpha**2
        for noise in noise_draws(x, self.draws, self.seed):
            noisier = x + self.alpha * sigma[:, None, None] * noise
            halfway = network(noisier, self.level(sigma), condition)
            total += ((1 + power) * halfway - noisier) / power
        return total / self.draws
