"""What an objective in k-space of several coils is given: each scan with its own operators."""

import dataclasses
from typing import NamedTuple

import torch
from torch import Tensor

from kspace_denoise.recon.sense_operator import SenseOperator
from kspace_denoise.recon.spectral_sense import SenseSampling


class Measured(NamedTuple):
    """One slice of whitened k-space through maps of unit norm, in the unit of the image.

    `kspace` (coils, ky, kx), 0 where not sampled, has noise of `sigma` per real component;
    `operator` is A, and `density`, broadcastable to (ky, kx), the probability of each sample under
    the masks that this one was drawn from. `shown` decomposes A, or A of fewer lines: what of the
    image a state of the diffusion is made from.
    """

    kspace: Tensor
    sigma: float
    density: Tensor
    operator: SenseOperator
    shown: SenseSampling

    def to(self, device: str) -> "Measured":
        """Return the slice on a device."""
        return Measured(
            self.kspace.to(device),
            self.sigma,
            self.density.to(device),
            self.operator.to(device),
            self.shown.to(device),
        )


@dataclasses.dataclass(frozen=True)
class CoilBatch:
    """Slices of one matrix size, `scans`, each of any number of coils."""

    scans: tuple[Measured, ...]

    def to(self, device: str) -> "CoilBatch":
        """Return the batch on a device."""
        return CoilBatch(tuple(scan.to(device) for scan in self.scans))

    def split(self, count: int) -> list["CoilBatch"]:
        """Split into at most `count` batches of nearly equal size."""
        pieces = torch.arange(len(self)).tensor_split(count)
        return [CoilBatch(tuple(self.scans[i] for i in piece)) for piece in pieces if len(piece)]

    @property
    def device(self) -> torch.device:
        """Where the batch is."""
        return self.scans[0].kspace.device

    def __len__(self) -> int:
        return len(self.scans)
