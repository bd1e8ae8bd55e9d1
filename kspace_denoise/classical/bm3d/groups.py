"""Collaborative filtering: a group is shrunk as a whole, and its blocks go back to their places."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from kspace_denoise.classical.bm3d.blocks import add_blocks
from kspace_denoise.classical.bm3d.matching import Matches
from kspace_denoise.classical.bm3d.transforms import BlockTransform, group_transform

_CHUNK = {"cpu": 2**19, "cuda": 2**24}
"""Coefficients that are worked on at once: what fits the cache, or fills the device."""


class Shrunk(NamedTuple):
    """Coefficients `(groups, size, parts, pixels)` as shrinkage leaves them.

    `variance` `(groups, parts)` is what noise is left in each, over sigma²: its inverse is the
    weight of the group.
    """

    coefficients: Tensor
    variance: Tensor


Shrink = Callable[[Tensor, Tensor], Shrunk]
"""From the transform along a group `(size, size)` and the places of blocks `(groups, size)`."""


def collaborate(
    matches: Matches, blocks: Tensor, shrink: Shrink, transform: BlockTransform, window: Tensor
) -> Tensor:
    """Shrink every group and average blocks where they overlap: images `(images, parts, y, x)`.

    `blocks` `(images, rows, columns, parts, pixels)` says how they lie. Each counts by the weight
    of its group times `window`. Blocks are summed as coefficients, and transformed back once.
    """
    images, rows, columns, parts, pixels = blocks.shape
    total = blocks.new_zeros((images * rows * columns, parts * pixels))
    weights = blocks.new_zeros((len(total), parts))
    for places in _groups(matches, rows * columns, parts * pixels):
        along = group_transform(places.shape[-1], blocks.dtype, blocks.device)
        shrunk = shrink(along, places)
        # No group is trusted more than one that a single coefficient is left of.
        weight = 1 / shrunk.variance.clamp(min=1)
        kept = shrunk.coefficients.mul_(weight[:, None, :, None]).flatten(-2)
        total.index_add_(0, places.flatten(), torch.matmul(along.T, kept).flatten(0, 1))
        repeated = weight.repeat_interleave(places.shape[-1], dim=0)
        weights.index_add_(0, places.flatten(), repeated)
    restored = (total.view(blocks.shape) @ transform.inverse).mul_(window)
    norm = weights.view(images, rows, columns, parts, 1) * window
    size = round(pixels**0.5)
    return add_blocks(restored, size) / add_blocks(norm, size)


def transformed(rows: Tensor, along: Tensor, places: Tensor, parts: int) -> Tensor:
    """Return coefficients `(groups, size, parts, pixels)` of the groups of blocks at `places`."""
    blocks = rows.index_select(0, places.flatten()).view(*places.shape, -1)
    return torch.matmul(along, blocks).view(*places.shape, parts, -1)


def _groups(matches: Matches, blocks: int, features: int) -> Iterator[Tensor]:
    """Yield groups of one size each: the places `(groups, size)` among the blocks of all images."""
    images = torch.arange(len(matches.size), device=matches.size.device)
    places = (matches.position + images[:, None, None] * blocks).flatten(0, 1)
    sizes = matches.size.flatten()
    for size in torch.unique(sizes).tolist():
        alike = places[sizes == size, :size]
        chunk = max(1, _CHUNK.get(places.device.type, 2**19) // (size * features))
        yield from torch.split(alike, chunk)
