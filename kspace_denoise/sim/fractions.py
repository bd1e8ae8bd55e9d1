"""What each voxel of a phantom holds: the fractions of its tissues."""

from typing import Any, TypeAlias

import numpy as np

from kspace_denoise.sim.pose import Layer

Reals: TypeAlias = np.ndarray[Any, Any]


def tissue_fractions(
    layers: list[Layer], fine: tuple[int, int], shape: tuple[int, ...], factor: int
) -> dict[str, Reals]:
    """Return {tissue: fraction of the voxel}, float32 of `shape`, from layers on a finer grid.

    A later layer covers those before it; what none covers is air, so fractions sum to 1 or less.
    """
    uncovered = np.ones(fine, np.float32)
    found: dict[str, Reals] = {}
    for name, coverage, window in reversed(layers):
        seen = uncovered[window] * coverage
        uncovered[window] -= seen
        found.setdefault(name, np.zeros(fine, np.float32))[window] += seen
    return {name: _average(values, shape, factor) for name, values in found.items()}


def _average(values: Reals, shape: tuple[int, ...], factor: int) -> Reals:
    """Average over the voxels of a grid `factor` times coarser, whose centres coincide."""
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
