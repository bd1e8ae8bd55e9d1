"""Neighbor2Neighbor: neighbouring pixels make a pair of images (Huang et al., CVPR 2021)."""

import dataclasses
from typing import ClassVar, Self

import torch
from torch import Tensor, nn

from kspace_denoise.objectives.batch import Batch
from kspace_denoise.objectives.objective import Pair
from kspace_denoise.objectives.one_pass import OnePass

_PAIRS = torch.tensor([(0, 1), (1, 0), (0, 2), (2, 0), (1, 3), (3, 1), (2, 3), (3, 2)])
"""Pixels of a cell of 2 x 2 that share an edge, in both orders; 0 1 above 2 3."""


@dataclasses.dataclass(frozen=True)
class Neighbor2Neighbor(OnePass):
    """Draw two neighbours from every cell of 2 x 2 pixels: two images of half the size, g₁ and g₂.

    ```text
    d = f(g₁ y) - g₂ y,   loss = |d|² + Λ |d - (g₁ f(y) - g₂ f(y))|²
    ```

    Noise that is independent from pixel to pixel makes the second image a target as in Noise2Noise;
    the second term makes up for the two not showing the same pixels. f(y) carries no gradient. Λ
    is `weight`, and with `ramp` grows to that from 0 in the course of training. For a pointwise f
    the right Λ depends on how alike neighbours are: 0 smooths too much, large ones too little.

    A last row or column that makes no cell is left out of the loss. Other contrasts are drawn from
    the same pixels as g₁.
    """

    weight: float = 2.0
    ramp: bool = True

    pair: ClassVar[Pair] = "nothing"

    def __post_init__(self) -> None:
        if not 0 <= self.weight < float("inf"):
            raise ValueError(f"weight is {self.weight}, expected 0 or more")

    @classmethod
    def paper(cls) -> "Neighbor2Neighbor":
        """Return the authors' choice: Λ grows from 0 to 2."""
        return cls(weight=2.0, ramp=True)

    def at(self, share: float) -> Self:
        """Return the objective when this share of training, 0 to 1, is done."""
        return dataclasses.replace(self, weight=self.weight * share) if self.ramp else self

    def loss(self, network: nn.Module, batch: Batch, generator: torch.Generator) -> Tensor:
        """Return |d|² + Λ |d - (g₁ f(y) - g₂ f(y))|² per pixel of the small images.

        Raises:
            ValueError: if an image is smaller than 2 x 2.
        """
        first, second = self.choose(batch.image.shape, generator, batch.device)
        condition = None
        if batch.condition is not None:
            condition = drawn(batch.condition, first[:, None])
        predicted = network(drawn(batch.image, first), batch.sigma, condition)
        apart = predicted - drawn(batch.image, second)
        total: Tensor = apart.abs().square().mean()
        if self.weight:
            with torch.no_grad():
                clean = network(batch.image, batch.sigma, batch.condition)
            between = drawn(clean, first) - drawn(clean, second)
            total = total + self.weight * (apart - between).abs().square().mean()
        return total

    def choose(
        self, shape: torch.Size, generator: torch.Generator, device: torch.device
    ) -> tuple[Tensor, Tensor]:
        """Draw the numbers of two pixels, 0 to 3, for every cell of images (batch, y, x)."""
        batch, height, width = shape
        if min(height, width) < 2:
            raise ValueError(f"images are {height} x {width}, expected cells of 2 x 2 pixels")
        cells = (batch, height // 2, width // 2)
        drawn = torch.randint(len(_PAIRS), cells, generator=generator, device=device)
        first, second = _PAIRS.to(device)[drawn].unbind(-1)
        return first, second


def drawn(images: Tensor, number: Tensor) -> Tensor:
    """Return from each cell of images (..., y, x) the pixel that `number` (..., y/2, x/2) names."""
    height, width = (2 * (side // 2) for side in images.shape[-2:])
    even = images[..., :height, :width]
    cells = torch.stack(
        [even[..., y::2, x::2] for y, x in ((0, 0), (0, 1), (1, 0), (1, 1))], dim=-1
    )
    index = number.expand(cells.shape[:-1])[..., None]
    return cells.gather(-1, index)[..., 0]
