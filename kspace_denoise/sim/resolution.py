"""From a fine grid to the voxels of an image: what k-space keeps, and what a voxel holds."""

import math
from typing import Any, TypeAlias

import numpy as np

Reals: TypeAlias = np.ndarray[Any, Any]


def central_kspace(kspace: Reals, shape: tuple[int, ...]) -> Reals:
    """Return the central `shape` of k-space, scaled so that the image keeps its level."""
    y, x = (n // 2 - m // 2 for n, m in zip(kspace.shape[-2:], shape, strict=True))
    part = kspace[..., y : y + shape[0], x : x + shape[1]]
    return part * math.sqrt(math.prod(shape) / math.prod(kspace.shape[-2:]))


def voxel_mean(values: Reals, shape: tuple[int, ...], factor: int) -> Reals:
    """Average `(y, x)` over the voxels of a grid `factor` times coarser, whose centres coincide."""
    reach = factor // 2
    weights = np.ones(2 * reach + 1, np.float32)
    if factor % 2 == 0:
        weights[[0, -1]] = 0.5  # the outermost samples are shared with the neighbour
    weights /= weights.sum()
    for size in shape:  # each turn averages the rows and transposes
        padded = np.pad(values, [(reach, reach), (0, 0)])
        start = factor * size // 2 - factor * (size // 2)
        stop = start + factor * size
        values = weights[0] * padded[start:stop:factor]
        for offset, weight in enumerate(weights[1:].tolist(), 1):
            values += np.float32(weight) * padded[start + offset : stop + offset : factor]
        values = values.T
    return values


def voxel_centres(values: Reals, shape: tuple[int, ...], factor: int) -> Reals:
    """Return `(..., y, x)` at the centres of the voxels of a grid `factor` times coarser."""
    y, x = (factor * n // 2 - factor * (n // 2) for n in shape)
    return values[..., y::factor, x::factor]
