"""Block matching: for every reference block the blocks around it that look like it."""

from typing import NamedTuple

import torch
from torch import Tensor

from kspace_denoise.classical.bm3d.blocks import reference_grid

_TILE = 4
"""References are compared in tiles of 4 x 4, whose search windows overlap for the most part."""


class Matches(NamedTuple):
    """The blocks that make up every group.

    `position` `(images, references, most)` counts the blocks of an image row by row; nearest
    first, the reference itself before all. `size` `(images, references)` says how many of them
    are alike enough, rounded down to a power of two.
    """

    position: Tensor
    size: Tensor


def find_matches(
    blocks: Tensor,
    *,
    step: int,
    radius: int,
    most: int,
    limit: float,
    penalty: Tensor | None = None,
) -> Matches:
    """Find the `most` nearest of all blocks `(images, rows, columns, features)`.

    The distance of two blocks is their squared difference, summed over the features, plus
    `penalty[dy + radius, dx + radius]` of their displacement; blocks further than `limit` are left
    out. References stand `step` apart, candidates up to `radius` away in both directions.
    """
    images, rows, columns, _ = blocks.shape
    most = min(most, _most_in_window(rows, columns, radius))
    ys = reference_grid(rows, step, blocks.device)
    xs = reference_grid(columns, step, blocks.device)
    search = _Search(
        blocks, blocks.square().sum(-1), _displaced(blocks, radius, step, penalty), radius
    )
    position = torch.empty((images, len(ys), len(xs), most), dtype=torch.long, device=blocks.device)
    distance = torch.empty(position.shape, dtype=blocks.dtype, device=blocks.device)
    for i in range(0, len(ys), _TILE):
        for j in range(0, len(xs), _TILE):
            tile = (slice(None), slice(i, i + _TILE), slice(j, j + _TILE))
            distance[tile], position[tile] = search.nearest(ys[tile[1]], xs[tile[2]], most)
    alike = (distance <= limit).sum(-1).clamp(min=1)
    size = 2 ** alike.log2().floor().long()
    return Matches(position.flatten(1, 2), size.flatten(1))


def _most_in_window(rows: int, columns: int, radius: int) -> int:
    """Return how many blocks even the reference in a corner has around it."""
    return min(rows, radius + 1) * min(columns, radius + 1)


def _displaced(blocks: Tensor, radius: int, step: int, penalty: Tensor | None) -> Tensor:
    """Return what each displacement adds to a distance: infinity outside, -infinity at itself."""
    reach = radius + _TILE * step
    table = blocks.new_full((2 * reach + 1, 2 * reach + 1), torch.inf)
    inside = slice(reach - radius, reach + radius + 1)
    table[inside, inside] = 0.0 if penalty is None else penalty
    table[reach, reach] = -torch.inf
    return table


class _Search:
    """The nearest blocks of a tile of references, found by one matrix product."""

    def __init__(self, blocks: Tensor, energy: Tensor, displaced: Tensor, radius: int) -> None:
        self.blocks, self.energy, self.displaced, self.radius = blocks, energy, displaced, radius
        self.added: dict[tuple[int, ...], Tensor] = {}

    def nearest(self, ys: Tensor, xs: Tensor, most: int) -> tuple[Tensor, Tensor]:
        """Return distance and position `(images, y, x, most)` for references at `ys` x `xs`."""
        images, rows, columns, features = self.blocks.shape
        y0, y1 = max(int(ys[0]) - self.radius, 0), min(int(ys[-1]) + self.radius + 1, rows)
        x0, x1 = max(int(xs[0]) - self.radius, 0), min(int(xs[-1]) + self.radius + 1, columns)
        candidates = self.blocks[:, y0:y1, x0:x1].reshape(images, -1, features)
        references = self.blocks[:, ys][:, :, xs].reshape(images, -1, features)
        own = self.energy[:, ys][:, :, xs].reshape(images, -1, 1)
        other = self.energy[:, y0:y1, x0:x1].reshape(images, 1, -1)
        distance = torch.baddbmm(other, references, candidates.mT, alpha=-2)
        distance += self._displacements(ys - y0, xs - x0, y1 - y0, x1 - x0)
        distance, index = torch.topk(distance, most, largest=False)
        position = (index // (x1 - x0) + y0) * columns + index % (x1 - x0) + x0
        shape = (images, len(ys), len(xs), most)
        return (distance + own).reshape(shape), position.reshape(shape)

    def _displacements(self, ys: Tensor, xs: Tensor, rows: int, columns: int) -> Tensor:
        """Return what displacement adds, `(references, candidates)`, kept for tiles alike."""
        key = (*ys.tolist(), -1, *xs.tolist(), rows, columns)
        if key not in self.added:
            reach = self.displaced.shape[0] // 2
            dy = torch.arange(rows, device=ys.device) - ys[:, None] + reach
            dx = torch.arange(columns, device=xs.device) - xs[:, None] + reach
            table = self.displaced[dy[:, None, :, None], dx[None, :, None, :]]
            self.added[key] = table.reshape(len(ys) * len(xs), rows * columns)
        return self.added[key]
