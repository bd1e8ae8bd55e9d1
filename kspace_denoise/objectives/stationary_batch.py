"""Images whose noise has one correlation all over, the same in every place."""

import dataclasses

import torch
from torch import Tensor

from kspace_denoise.fourier import fft2c, ifft2c
from kspace_denoise.objectives.batch import Batch
from kspace_denoise.objectives.noise_like import noise_like
from kspace_denoise.recon.noise_correlation import correlation_spectrum
from kspace_denoise.symmetry import turn


@dataclasses.dataclass(frozen=True)
class StationaryBatch(Batch):
    """A batch whose noise is correlated as `correlation` (2 reach + 1, 2 reach + 1) tells.

    1 in its middle. Images were turned by the symmetries `numbers`, and their noise with them.
    """

    correlation: Tensor = dataclasses.field(default_factory=lambda: torch.ones(1, 1))
    numbers: tuple[int, ...] = ()

    def to(self, device: str) -> "StationaryBatch":
        """Return the batch on a device."""
        moved = super().to(device)
        return StationaryBatch(**vars(moved), correlation=self.correlation.to(device),
                               numbers=self.numbers)  # fmt: skip

    def split(self, count: int) -> list["Batch"]:
        """Split into at most `count` batches of nearly equal size."""
        parts, first = [], 0
        for part in super().split(count):
            numbers = self.numbers[first : first + len(part)]
            parts.append(
                StationaryBatch(**vars(part), correlation=self.correlation, numbers=numbers)
            )
            first += len(part)
        return list(parts)

    def noise(self, generator: torch.Generator) -> Tensor:
        """Draw noise like that of the images, of level 1: none where they are blanked (0)."""
        reach = len(self.correlation) // 2
        height, width = self.image.shape[-2:]
        side = max(height, width) + 2 * reach  # beyond which the circle closes on itself
        around = self.image.new_zeros(len(self), side, side)
        white = noise_like(around, generator)
        power = correlation_spectrum(self.correlation, (side, side))
        coloured = ifft2c(power.sqrt() * fft2c(white))
        if not self.image.is_complex():
            coloured = coloured.real
        turned = [turn(x, number) for x, number in zip(coloured, self.numbers, strict=True)]
        return torch.where(self.image != 0, torch.stack(turned)[:, :height, :width], 0)
