"""SENSE images with coloured noise that training draws from, whole slices of it."""

import dataclasses
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from kspace_denoise.objectives.coloured_batch import Colour, ColouredBatch
from kspace_denoise.spectral_stage import limit_of, spectral_image
from kspace_denoise.symmetry import rotate_phase
from kspace_denoise.training.images import signal_scale
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
        """Draw `count` whole slices, each turned by a random phase, in units of their scale."""
        chosen = torch.randint(len(self.measurements.slices), (count,), generator=generator)
        angles = 2 * torch.pi * torch.rand(count, generator=generator)
        images, colours = zip(*(self._coloured(int(index)) for index in chosen), strict=True)
        image = torch.stack(images)
        scale = signal_scale(image)
        turned = rotate_phase(image / scale[:, None, None], angles)
        return ColouredBatch(turned, 1 / scale, colours=colours)

    def _coloured(self, index: int) -> tuple[Tensor, Colour]:
        """Return an image in SNR units, and its noise."""
        one = self.measurements.slices[index]
        operator = self.measurements.shown(index)
        image, sigma, noise = spectral_image(operator, one.kspace, limit_of(one.rms))
        inverse = torch.where(sigma > 0, 1 / torch.where(sigma > 0, sigma, 1), 0)
        return image * inverse, Colour(operator, noise, sigma)
