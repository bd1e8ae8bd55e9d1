"""Noise2Same: see all pixels, and change little when some are hidden (Xie et al., NeurIPS 2020)."""

import dataclasses
from typing import ClassVar

import torch
from torch import Tensor, nn

from kspace_denoise.objectives.batch import Batch
from kspace_denoise.objectives.blind import from_around
from kspace_denoise.objectives.objective import Pair
from kspace_denoise.objectives.one_pass import OnePass


@dataclasses.dataclass(frozen=True)
class Noise2Same(OnePass):
    """|f(y) - y|², and how much f(y) changes at pixels that are hidden.

    For noise of level σ, independent from component to component and of mean zero,

    ```text
    E|f(y) - x|² + E|y - x|² ≤ E|f(y) - y|² + 2 n σ √(E|f(y)_J - f(ỹ)_J|² / |J|)
    ```

    over n real components, with ỹ the image whose pixels J are replaced by the mean of their
    neighbours (theorem 1 of the paper): the right side is the loss, and none of the terms needs the
    clean image. A denoiser may look at the pixel itself, as much as the bound lets it. σ stands
    under the root, so that it is a bound for images of different σ together.

    `share` of the pixels are hidden. `weight` stands for 2 σ: None takes the noise of each image,
    a number is the paper's λ, for images of variance 1.
    """

    share: float = 0.005
    weight: float | None = None

    pair: ClassVar[Pair] = "nothing"

    direct: ClassVar[bool] = True
    """The network answers without a skip, which would cost more than it gains."""

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise ValueError(f"share is {self.share}, expected more than 0 and less than 1")
        if self.weight is not None and not self.weight >= 0:
            raise ValueError(f"weight is {self.weight}, expected 0 or more, or none for 2 sigma")

    @classmethod
    def paper(cls) -> "Noise2Same":
        """Return the authors' choice: half a per cent hidden, λ = 2."""
        return cls(share=0.005, weight=2.0)

    def loss(self, network: nn.Module, batch: Batch, generator: torch.Generator) -> Tensor:
        """Return the right side of the bound, per pixel; a complex one counts both components."""
        image = batch.image
        draw = torch.rand(image.shape, generator=generator, device=image.device)
        hidden = draw < self.share
        seen = network(image, batch.sigma, batch.condition)
        blind = network(
            torch.where(hidden, from_around(image), image), batch.sigma, batch.condition
        )
        components = 2 if image.is_complex() else 1
        error = (seen - image).abs().square().mean()
        half = batch.sigma if self.weight is None else torch.full_like(batch.sigma, self.weight / 2)
        change = (half[:, None, None] * (seen - blind))[hidden].abs().square()
        # The gradient of a root is infinite at 0, where a network begins that answers 0.
        spread = (change.sum() / max(1, components * change.numel()) + 1e-12).sqrt()
        total: Tensor = error + 2 * components * spread
        return total
