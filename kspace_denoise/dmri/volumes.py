"""The volumes of a shell as training draws from them."""

import dataclasses
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from kspace_denoise.objectives.volume_batch import VolumeBatch
from kspace_denoise.symmetry import SYMMETRIES, turn
from kspace_denoise.training.facts import checksum
from kspace_denoise.training.images import integers, window

Tick = Callable[[], object]


def nothing() -> None:
    """Do nothing, between two volumes."""


@dataclasses.dataclass(frozen=True)
class Volumes:
    """A shell: `images` real `(volumes, slices, y, x)` of order one, 0 where blank.

    `neighbours` `(volumes, n)` are the other volumes that a volume is told from; `slab` adjacent
    slices go together, see `around`. `expected` `(volumes, slices, y, x)` and `states`
    `(volumes, slices, 3)` as in `VolumeBatch`.
    """

    images: Tensor
    neighbours: Tensor
    slab: int = 1
    expected: Tensor | None = None
    states: Tensor | None = None

    @property
    def blank(self) -> Tensor:
        """Which slices are of one value throughout, `(volumes, slices)`."""
        return (self.images == self.images[..., :1, :1]).all(dim=-1).all(dim=-1)

    def around(self, piece: int) -> list[int]:
        """Return the numbers of the slices that go together with one, itself in the middle.

        For one beyond the first or the last stands that as far on the other side: the slice itself
        must not be among its neighbours, where it would tell its own noise.
        """
        half, last = self.slab // 2, self.images.shape[1] - 1
        wanted = range(piece - half, piece + half + 1)
        return [k if 0 <= k <= last else 2 * piece - k for k in wanted]

    def identity(self) -> dict[str, Any]:
        """Return what tells these volumes from others, ready for JSON."""
        parts = {"images": self.images, "expected": self.expected}
        sums = {name: checksum([x]) for name, x in parts.items() if x is not None}
        return {"shape": list(self.images.shape), "neighbours": self.neighbours.tolist(), **sums}

    def draw(self, count: int, patch: int, generator: torch.Generator) -> VolumeBatch:
        """Draw `count` square crops of side `patch`, or less where images are smaller, turned."""
        there = torch.nonzero(~self.blank)
        chosen = there[integers(len(there), count, generator)].tolist()
        grid = self.images.shape[-2:]
        windows = [window(grid, min(patch, *grid), generator) for _ in chosen]
        turns = integers(SYMMETRIES, count, generator)
        slabs = [(volume, self.around(piece)) for volume, piece in chosen]

        def cut(images: Tensor, others: bool = False) -> Tensor:
            crops = []
            for (volume, slices), (rows, columns), number in zip(
                slabs, windows, turns, strict=True
            ):
                picked = images[self.neighbours[volume]] if others else images[volume]
                crops.append(turn(picked[..., slices, rows, columns], number))
            return torch.stack(crops)

        states = self.states
        return VolumeBatch(
            cut(self.images),
            cut(self.images, others=True),
            None if self.expected is None else cut(self.expected),
            None if states is None else torch.stack([states[v, s] for v, s in slabs]),
        )
