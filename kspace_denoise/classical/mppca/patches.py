"""Patches of volumes: where they lie, how they are cut out and put back."""

import itertools
import math

import torch
from torch import Tensor

Box = tuple[int, int, int]

_VOXELS = 60  # below, the law of many does not hold


def default_patch(grid: Box, volumes: int) -> Box:
    """Return the smallest odd cube of more voxels than volumes, and of 60, within the grid.

    `grid` is (slices, y, x). Where there are too few slices for a cube, it is wider in the plane.
    """
    for side in itertools.count(3, 2):
        box = (min(side, grid[0]), min(side, grid[1]), min(side, grid[2]))
        if math.prod(box) > max(volumes, _VOXELS) or box == grid:
            return box
    raise AssertionError


def patch_voxels(grid: Box, patch: Box, stride: Box) -> Tensor:
    """Return the flat indices of the voxels of every patch, `(patches, voxels of one)`.

    Every voxel lies in a patch; the last one along an axis ends where the grid does.
    """
    per_axis = [
        torch.tensor(sorted({*range(0, n - p, s), n - p}))
        for n, p, s in zip(grid, patch, stride, strict=True)
    ]
    corners = torch.cartesian_prod(*per_axis)
    within = torch.cartesian_prod(*(torch.arange(p) for p in patch))
    steps = torch.tensor([grid[1] * grid[2], grid[2], 1])
    return (corners @ steps)[:, None] + within @ steps


def centred_patches(grid: Box, patch: Box) -> tuple[Tensor, Tensor]:
    """Return the flat indices of the patch around each voxel, and the place of the voxel within it.

    `(voxels, voxels of a patch)` and `(voxels,)`. At the rim the patch lies inside the grid, and
    the voxel off its centre.
    """
    voxels = torch.cartesian_prod(*(torch.arange(n) for n in grid))
    sides = torch.tensor(patch)
    corners = torch.minimum((voxels - sides // 2).clamp(min=0), torch.tensor(grid) - sides)
    within = torch.cartesian_prod(*(torch.arange(p) for p in patch))
    steps = torch.tensor([grid[1] * grid[2], grid[2], 1])
    own = torch.tensor([patch[1] * patch[2], patch[2], 1])
    return (corners @ steps)[:, None] + within @ steps, (voxels - corners) @ own
