"""Images whose noise is not white, but known component by component of each scan's spectrum."""

import dataclasses
from typing import NamedTuple

import torch
from torch import Tensor

from kspace_denoise.objectives.batch import Batch
from kspace_denoise.objectives.noise_like import noise_like
from kspace_denoise.recon.spectral_sense import SenseSampling
from kspace_denoise.symmetry import turn, turn_back


class Colour(NamedTuple):
    """How the noise of an image in SNR units comes about: V, its components, and its map.

    `noise` (y, x) is the noise of every component, infinite where it is not observed; `sigma`
    (y, x) is that of the image before it was divided by it, 0 where nothing is seen. The image was
    turned by symmetry `number` of the square after that.
    """

    operator: SenseSampling
    noise: Tensor
    sigma: Tensor
    number: int = 0


@dataclasses.dataclass(frozen=True)
class ColouredBatch(Batch):
    """A batch whose noise has the covariance of the data: 1 in every pixel, and coloured."""

    colours: tuple[Colour, ...] = ()

    def to(self, device: str) -> "ColouredBatch":
        """Return the batch on a device."""
        colours = (
            Colour(c.operator.to(device), c.noise.to(device), c.sigma.to(device), c.number)
            for c in self.colours
        )
        return ColouredBatch(self.image.to(device), self.sigma.to(device), colours=tuple(colours))

    def split(self, count: int) -> list["Batch"]:
        """Split into at most `count` batches of nearly equal size."""
        pieces = torch.arange(len(self)).tensor_split(min(count, len(self)))
        return [
            ColouredBatch(
                self.image[piece],
                self.sigma[piece],
                colours=tuple(self.colours[i] for i in piece),
            )
            for piece in pieces
        ]

    def noise(self, generator: torch.Generator) -> Tensor:
        """Draw noise like that of the images, of level 1 in every pixel."""
        white = noise_like(self.image, generator)
        return torch.stack([_coloured(c, n) for c, n in zip(self.colours, white, strict=True)])

    def mean_square(self, error: Tensor) -> Tensor:
        """Return the mean square over what was observed, each component in units of its noise."""
        return torch.stack(
            [_whitened_power(c, e) for c, e in zip(self.colours, error, strict=True)]
        )


def _coloured(colour: Colour, white: Tensor) -> Tensor:
    components = colour.noise * turn_back(white, colour.number)
    image = colour.operator.image(torch.where(colour.noise.isfinite(), components, 0))
    return turn(_over(image, colour.sigma), colour.number)


def _whitened_power(colour: Colour, error: Tensor) -> Tensor:
    spectrum = colour.operator.spectrum(turn_back(error, colour.number) * colour.sigma)
    observed = colour.noise.isfinite()
    power = torch.where(observed, spectrum / colour.noise, 0).abs().square()
    return power.sum() / observed.sum()


def _over(image: Tensor, sigma: Tensor) -> Tensor:
    return torch.where(sigma > 0, image / torch.where(sigma > 0, sigma, 1), 0)
