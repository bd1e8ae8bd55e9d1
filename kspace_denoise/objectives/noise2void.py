"""Noise2Void: predict a pixel from its surroundings (Krull, Buchholz, Jug, CVPR 2019)."""

import dataclasses
import math
from typing import ClassVar

import torch
from torch import Tensor, nn

from kspace_denoise.objectives.batch import Batch
from kspace_denoise.objectives.objective import Pair
from kspace_denoise.objectives.one_pass import OnePass


@dataclasses.dataclass(frozen=True)
class Noise2Void(OnePass):
    """Hide some pixels behind values from nearby, and predict what was there.

    Noise that is independent from pixel to pixel cannot be predicted, so that the minimiser is
    E[x | the other pixels], and the smallest loss is its error plus the variance of the noise.
    Noise that is correlated between pixels can be predicted, and stays in the result.

    In each image one random pixel of every box of `box` x `box` is hidden, `percent` of all; its
    value is replaced by that of a random pixel of the (2 `radius` + 1)² around it, at the borders
    the window moves inwards. `centre` lets that be the pixel itself, once in 121 times, as the
    authors' code does; the network is then rewarded a little for copying, and our default does not.
    Other contrasts of the slice hold noise of their own and stay as they are.
    """

    percent: float = 1.5
    radius: int = 5
    centre: bool = False

    pair: ClassVar[Pair] = "nothing"

    direct: ClassVar[bool] = True
    """The network answers without a skip: at inference a skip would bring the pixel itself back."""

    def __post_init__(self) -> None:
        if not 0 < self.percent <= 100:
            raise ValueError(f"percent is {self.percent}, expected more than 0 and at most 100")
        if self.radius < 1:
            raise ValueError(f"radius is {self.radius}, expected 1 pixel or more")

    @classmethod
    def paper(cls) -> "Noise2Void":
        """Return the authors' choice: boxes of 8 x 8, 11 x 11 neighbours, the pixel itself too."""
        return cls(percent=1.5, radius=5, centre=True)

    @property
    def box(self) -> int:
        """Side of the boxes with one hidden pixel each."""
        return max(1, round(math.sqrt(100 / self.percent)))

    def loss(self, network: nn.Module, batch: Batch, generator: torch.Generator) -> Tensor:
        """Return E|f(ỹ, σ) - y|² per hidden pixel; a complex pixel counts both components."""
        at = self.choose(batch.image.shape, generator, batch.image.device)
        hidden = batch.image.clone()
        hidden[at] = batch.image[self.neighbours(at, batch.image.shape, generator)]
        predicted: Tensor = network(hidden, batch.sigma, batch.condition)
        error = (predicted[at] - batch.image[at]).abs().square()
        return error.sum() / max(1, len(error))

    def choose(
        self, shape: torch.Size, generator: torch.Generator, device: torch.device
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Draw the hidden pixels of images (batch, y, x): their batch, y and x indices.

        Boxes that reach beyond the image have their pixel there too now and then, and none inside:
        so each pixel of an image of any size is hidden equally often.
        """
        batch, *sides = shape
        counts = [-(-side // self.box) for side in sides]
        grid = torch.meshgrid(
            *(torch.arange(n, device=device) for n in (batch, *counts)), indexing="ij"
        )
        y, x = (
            place * self.box
            + torch.randint(self.box, place.shape, generator=generator, device=device)
            for place in grid[1:]
        )
        inside = (y < sides[0]) & (x < sides[1])
        return grid[0][inside], y[inside], x[inside]

    def neighbours(
        self, at: tuple[Tensor, Tensor, Tensor], shape: torch.Size, generator: torch.Generator
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Draw for each pixel the one whose value it gets.

        Raises:
            ValueError: if an image is a single pixel.
        """
        batch, y, x = at
        height, width = (min(2 * self.radius + 1, side) for side in shape[1:])
        top, left = (
            (place - self.radius).clamp(0, side - length)
            for place, side, length in zip((y, x), shape[1:], (height, width), strict=True)
        )
        if height * width == 1:
            raise ValueError("an image of a single pixel has no neighbours to learn from")
        count = height * width - (0 if self.centre else 1)
        number = torch.randint(count, y.shape, generator=generator, device=y.device)
        if not self.centre:
            own = (y - top) * width + x - left
            number = number + (number >= own)
        return batch, top + number // width, left + number % width
