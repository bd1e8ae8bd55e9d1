"""Noise2Score: the score of noisy images, and Tweedie's formula (Kim and Ye, NeurIPS 2021)."""

import dataclasses
from typing import ClassVar, Self

import torch
from torch import Tensor, nn

from kspace_denoise.objectives.batch import Batch
from kspace_denoise.objectives.objective import Pair
from kspace_denoise.objectives.one_pass import OnePass


@dataclasses.dataclass(frozen=True)
class Noise2Score(OnePass):
    """Learn how the density of noisy images falls, ∇ log p(y); then x = y + σ² ∇ log p(y).

    The score is R in |u + a R(y + a u)|² with u ~ N(0, 1) and a small (the amortised residual
    denoising autoencoder of Lim et al., ICML 2020), and here R = (f - ·) / σ², so that f, which the
    network estimates, is the clean image itself. R is the score of y with noise `a` beside its own:
    the step of Tweedie's formula, of σ, is then too short, and noise stays.

    `a` is drawn for each image: |N(0, 1)| times a width, which falls from `largest` to `smallest`
    in the course of training, evenly in its logarithm. They count in σ; the paper has 0.1 and 0.001
    of the largest pixel. Small ones teach little, large ones leave noise in.
    """

    smallest: float = 0.1
    largest: float = 1.0

    pair: ClassVar[Pair] = "nothing"

    def __post_init__(self) -> None:
        if not 0 < self.smallest <= self.largest < float("inf"):
            raise ValueError(
                f"smallest is {self.smallest} and largest {self.largest}, expected positive "
                "numbers, in units of the noise, the first the smaller"
            )

    @classmethod
    def paper(cls) -> "Noise2Score":
        """Return widths in a ratio of 100, as the paper's."""
        return cls(smallest=0.01, largest=1.0)

    def at(self, share: float) -> Self:
        """Return the objective when this share of training, 0 to 1, is done: of one width."""
        width = self.largest * (self.smallest / self.largest) ** share
        return dataclasses.replace(self, smallest=width, largest=width)

    def loss(self, network: nn.Module, batch: Batch, generator: torch.Generator) -> Tensor:
        """Return E|u + a R(y + a u)|² per pixel."""
        noise = batch.noise(generator)
        added = self.draw(batch.sigma, generator)[:, None, None]
        noisier = batch.image + added * noise
        clean: Tensor = network(noisier, batch.sigma, batch.condition)
        score = (clean - noisier) / batch.sigma[:, None, None] ** 2
        return (noise + added * score).abs().square().mean()

    def draw(self, sigma: Tensor, generator: torch.Generator) -> Tensor:
        """Draw the level of the noise that is added to each image of level `sigma` (batch,)."""
        normal = torch.randn(sigma.shape, generator=generator, device=sigma.device)
        return sigma * self.largest * normal.abs()
