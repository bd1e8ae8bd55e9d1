"""What each voxel of a phantom holds: the fractions of its tissues."""

from typing import Any, TypeAlias

import numpy as np

from kspace_denoise.sim.pose import Layer
from kspace_denoise.sim.resolution import voxel_mean

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
    return {name: voxel_mean(values, shape, factor) for name, values in found.items()}
