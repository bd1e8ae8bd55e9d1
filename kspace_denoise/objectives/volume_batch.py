"""What an objective is given that learns from the volumes of a diffusion scan."""

import dataclasses

import torch
from torch import Tensor


@dataclasses.dataclass(frozen=True)
class VolumeBatch:
    """Slices of some volumes, real, with the same slices of others.

    `image` `(batch, slab, y, x)` is noisy: an odd number of adjacent slices, of which the middle
    one is to be denoised. `others` `(batch, n, slab, y, x)` are the same slices of n other volumes.
    Once there is a noise model, `expected` `(batch, slab, y, x)` is what it says of the image, and
    `state` `(batch, slab, 3)` the state of each slice: see `State`. Pixels that are 0 are blank.
    """

    image: Tensor
    others: Tensor
    expected: Tensor | None = None
    state: Tensor | None = None

    def to(self, device: str) -> "VolumeBatch":
        """Return the batch on a device."""
        return VolumeBatch(*(None if x is None else x.to(device) for x in self._fields))  # type: ignore[arg-type]

    def split(self, count: int) -> list["VolumeBatch"]:
        """Split into at most `count` batches of nearly equal size."""
        count = min(count, len(self))

        def parts(x: Tensor | None) -> tuple[Tensor | None, ...]:
            return (None,) * count if x is None else torch.tensor_split(x, count)

        return [VolumeBatch(*part) for part in zip(*map(parts, self._fields), strict=True)]

    @property
    def _fields(self) -> tuple[Tensor | None, ...]:
        return (self.image, self.others, self.expected, self.state)

    @property
    def device(self) -> torch.device:
        """Where the batch is."""
        return self.image.device

    def __len__(self) -> int:
        return len(self.image)
