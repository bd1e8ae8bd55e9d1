"""DiffDenoise's second stage: a diffusion model of noisy images, given what a blind network says.

Demir, Liu, Chen, Chen, Zhao, Mailhe, Chen, Sun, DiffDenoise: self-supervised medical image
denoising with conditional diffusion models, 2025, section 3.
"""

import dataclasses
from typing import ClassVar, Literal, get_args

import torch
from torch import Tensor, nn

from kspace_denoise.objectives.batch import Batch
from kspace_denoise.objectives.diffusion_levels import EveryLevel
from kspace_denoise.objectives.noise_like import noise_like
from kspace_denoise.objectives.objective import Pair
from kspace_denoise.settings import check_choice

Variable = Literal["image", "residual"]
Error = Literal["squared", "absolute"]


@dataclasses.dataclass(frozen=True)
class ConditionalDiffusion(EveryLevel):
    """Images x' are noisy, `pair` is the condition x_c; both in units of the scale of x'.

    `variable="image"` is a model of x', "residual" of r = (x' - x_c) / `scale`. The `error` of the
    noise that was added is "absolute" or "squared". With `of_noise` the network supplies that
    noise itself, as a network of DDPM does; else what linear shrinkage misses of the image, and
    where the weights are "equalised" its own error counts alike at all levels.
    """

    variable: Variable = "residual"
    error: Error = "squared"
    of_noise: bool = False
    scale: float = 1.0

    pair: ClassVar[Pair] = "nothing"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("variable", self.variable, get_args(Variable))
        check_choice("error", self.error, get_args(Error))
        if not 0 < self.scale < float("inf"):
            raise ValueError(f"scale is {self.scale}, expected that of the residual, above 0")

    @classmethod
    def paper(cls) -> "ConditionalDiffusion":
        """Return the paper's: the image, L1 of the noise, DDPM's linear schedule."""
        return cls(
            schedule="ddpm", weighting="one", variable="image", error="absolute", of_noise=True
        )

    def loss(self, network: nn.Module, batch: Batch, generator: torch.Generator) -> Tensor:
        """Return the error of the noise per pixel."""
        assert batch.pair is not None
        clean = self.encoded(batch.image, batch.pair)
        level = self.draw_levels(len(batch), batch.device, generator)
        steps = level[:, None, None]
        noise = noise_like(clean, generator)
        noisy = clean + steps * noise
        found = (noisy - self.estimate(network, noisy, level, batch.pair)) / steps
        error = (found - noise).abs()
        if self.weighting == "equalised" and not self.of_noise:
            error = error * (1 + steps**2).sqrt()
        return (error.square() if self.error == "squared" else error).mean()

    def estimate(self, network: nn.Module, x: Tensor, level: Tensor, condition: Tensor) -> Tensor:
        """Return the variable `(batch, y, x)` that `x` at noise levels `(batch,)` was made of."""
        said: Tensor = network(x, level, condition[:, None])
        return x - level[:, None, None] * said if self.of_noise else said

    def encoded(self, image: Tensor, condition: Tensor) -> Tensor:
        """Return the variable of an image."""
        return image if self.variable == "image" else (image - condition) / self.scale

    def decoded(self, variable: Tensor, condition: Tensor) -> Tensor:
        """Undo `encoded`."""
        return variable if self.variable == "image" else condition + self.scale * variable
