"""What Coil2Coil is given: the images of two groups of coils."""

import dataclasses

import torch
from torch import Tensor

from kspace_denoise.objectives.batch import Batch


@dataclasses.dataclass(frozen=True)
class TwoGroups(Batch):
    """A batch of images from one group of coils each, and what the other group saw.

    `other` (batch, y, x) is the image of the other coils, with noise of `sigma` as well, and
    `ratio` (batch, y, x) how much stronger the object is there: √(P_K / P_J), 0 where the first
    group sees nothing.
    """

    other: Tensor = dataclasses.field(default_factory=lambda: torch.empty(0))
    ratio: Tensor = dataclasses.field(default_factory=lambda: torch.empty(0))

    def to(self, device: str) -> "TwoGroups":
        """Return the batch on a device."""
        fields = (self.image, self.sigma, self.other, self.ratio)
        image, sigma, other, ratio = (x.to(device) for x in fields)
        return TwoGroups(image, sigma, other=other, ratio=ratio)

    def split(self, count: int) -> list["Batch"]:
        """Split into at most `count` batches of nearly equal size."""
        count = min(count, len(self))
        fields = (self.image, self.sigma, self.other, self.ratio)
        pieces = zip(*(torch.tensor_split(x, count) for x in fields), strict=True)
        return [TwoGroups(i, s, other=o, ratio=r) for i, s, o, r in pieces]
