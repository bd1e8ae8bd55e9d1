"""SENSE images with coloured noise that training draws from, whole slices of it."""

import dataclasses
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from kspace_denoise.objectives.coloured_batch import Colour, ColouredBatch
from kspace_denoise.spectral_stage import limit_of, spectral_image
from kspace_denoise.symmetry import SYMMETRIES, rotate_phase, turn
from kspace_denoise.training.facts import signal_scale
from kspace_denoise.training.measurements import Measurement, Measurements


@dataclasses.dataclass(frozen=True)
class SpectralImages:
    """What multi-coil scans show, as images in SNR units, with the covariance of their noise."""

    measurements: Measurements

    channels = 2
    contrasts = 0

    @classmethod
    def collect(cls, measurements: Iterable[Measurement]) -> "SpectralImages":
        """Collect slices; errors are those of `Measurements.collect`."""
        return cls(Measurements.collect(measurements, by_lattice=False))

    def identity(self) -> dict[str, Any]:
        """Return what tells these slices from others, and their order, ready for JSON."""
        return self.measurements.identity()

    def draw(self, count: int, _patch: int, generator: torch.Generator) -> ColouredBatch:
        """Draw `count` whole slices, turned, flipped and of random phase, in their own units.

        Slices that are not square keep their orientation: they are flipped, or turned by half.
        """
        chosen = torch.randint(len(self.measurements.slices), (count,), generator=generator)
        angles = 2 * torch.pi * torch.rand(count, generator=generator)
        numbers = torch.randint(SYMMETRIES, (count,), generator=generator)
        images, colours = zip(
            *(self._coloured(int(i), int(n)) for i, n in zip(chosen, numbers, strict=True)),
            strict=True,
        )
        image = torch.stack(images)
        scale = signal_scale(image)
        turned = rotate_phase(image / scale[:, None, None], angles)
        return ColouredBatch(turned, 1 / scale, colours=colours)

    def _coloured(self, index: int, number: int) -> tuple[Tensor, Colour]:
        """Return an image in SNR units, turned, and its noise."""
        one = self.measurements.slices[index]
        operator = self.measurements.shown(index)
        image, sigma, noise = spectral_image(operator, one.kspace, limit_of(one.rms, operator))
        inverse = torch.where(sigma > 0, 1 / torch.where(sigma > 0, sigma, 1), 0)
        square = image.shape[0] == image.shape[1]
        number = number if square else number - number % 2  # 0, 2, 4, 6: halves and flips
        return turn(image * inverse, number), Colour(operator, noise, sigma, number)
