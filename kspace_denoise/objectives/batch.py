"""What an objective is given: images with their noise level, and what some methods need beside."""

import dataclasses
from collections.abc import Sequence
from typing import Protocol, Self

import torch
from torch import Tensor

from kspace_denoise.objectives.noise_like import noise_like


class AnyBatch(Protocol):
    """What training asks of a batch, whatever it holds."""

    @property
    def device(self) -> torch.device:
        """Where the batch is."""
        ...

    def to(self, device: str) -> Self:
        """Return the batch on a device."""
        ...

    def split(self, count: int) -> Sequence[Self]:
        """Split into at most `count` batches of nearly equal size."""
        ...

    def __len__(self) -> int: ...


@dataclasses.dataclass(frozen=True)
class Batch:
    """Noisy images, their noise, and what else there is of the same slices.

    `image` is (batch, y, x), complex64 or float32; `sigma` is (batch,): the standard deviation of
    each real component of the noise, in the image's unit. `pair` (batch, y, x), in the unit of
    `image`, is what a method is taught with: the clean image, or another repetition. `condition`
    (batch, contrasts, y, x) holds the same slices in other contrasts, each in a unit of its own.
    """

    image: Tensor
    sigma: Tensor
    pair: Tensor | None = None
    condition: Tensor | None = None

    def to(self, device: str) -> "Batch":
        """Return the batch on a device."""
        fields = (self.image, self.sigma, self.pair, self.condition)
        return Batch(*(None if x is None else x.to(device) for x in fields))  # type: ignore[arg-type]

    def split(self, count: int) -> list["Batch"]:
        """Split into at most `count` batches of nearly equal size."""
        count = min(count, len(self))

        def parts(x: Tensor | None) -> tuple[Tensor | None, ...]:
            return (None,) * count if x is None else torch.tensor_split(x, count)

        fields = (self.image, self.sigma, self.pair, self.condition)
        return [Batch(*part) for part in zip(*map(parts, fields), strict=True)]

    def noise(self, generator: torch.Generator) -> Tensor:
        """Draw noise of level 1, like that of the images: none where they are blanked (0)."""
        return torch.where(self.image != 0, noise_like(self.image, generator), 0)

    def mean_square(self, error: Tensor) -> Tensor:
        """Return the mean square of images `(batch, y, x)` where noise is white, for each."""
        return error.abs().square().mean(dim=(-2, -1))

    @property
    def device(self) -> torch.device:
        """Where the batch is."""
        return self.image.device

    def __len__(self) -> int:
        return len(self.image)
