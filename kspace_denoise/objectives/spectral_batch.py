"""What an objective in the spectrum of a measurement is given: what each scan shows of it."""

import dataclasses

import torch
from torch import Tensor

from kspace_denoise.recon.spectral import SpectralOperator


@dataclasses.dataclass(frozen=True)
class SpectralBatch:
    """Scans through one operator's V, each with components of its own that are seen.

    `seen` (batch, y, x) is the spectrum that the data show, 0 where they show nothing; `nsr`
    (batch, y, x) its noise per real component, infinite there. `density` (y, x) is the probability
    that a component is seen. `operator` takes spectra to images and back. All in one unit, that of
    the images, in which these are of order one.
    """

    seen: Tensor
    nsr: Tensor
    density: Tensor
    operator: SpectralOperator

    def to(self, device: str) -> "SpectralBatch":
        """Return the batch on a device; operators of a common V hold nothing that would move."""
        return dataclasses.replace(
            self,
            seen=self.seen.to(device),
            nsr=self.nsr.to(device),
            density=self.density.to(device),
        )

    def split(self, count: int) -> list["SpectralBatch"]:
        """Split into at most `count` batches of nearly equal size."""
        pieces = zip(self.seen.tensor_split(count), self.nsr.tensor_split(count), strict=True)
        return [dataclasses.replace(self, seen=s, nsr=n) for s, n in pieces if len(s)]

    @property
    def device(self) -> torch.device:
        """Where the batch is."""
        return self.seen.device

    def __len__(self) -> int:
        return len(self.seen)
