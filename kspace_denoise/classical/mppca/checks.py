"""What can be wrong with the volumes and the patches of MPPCA."""

import math
from collections.abc import Sequence

from kspace_denoise.arrays import Array, namespace
from kspace_denoise.classical.mppca.patches import Box, default_patch


def checked(
    volumes: Array,
    patch: int | Box | None,
    stride: int | Box | None,
    sigma: float | None,
    paper: bool,
) -> tuple[Box, Box, Box]:
    """Return the grid of voxels, the patch and the stride, each (slices, y, x).

    Raises:
        TypeError, ValueError: as `mppca`.
    """
    if paper and stride is not None:
        raise ValueError("stride: with paper there is a patch around every voxel; leave it out")
    if sigma is not None and paper:
        raise ValueError("sigma: the paper takes it from the data; leave one of both out")
    if sigma is not None and not 0 < sigma < math.inf:
        raise ValueError(f"sigma is {sigma}, expected a positive number")
    check_volumes(volumes)
    grid: Box = tuple(volumes.shape[1:])
    box = default_patch(grid, volumes.shape[0]) if patch is None else _box("patch", patch)
    if any(p > n for p, n in zip(box, grid, strict=True)) or math.prod(box) < 2:
        raise ValueError(
            f"patch is {box}, expected at least two voxels and no more than there are: {grid}"
        )
    apart = _box("stride", [max(1, p // 2) for p in box] if stride is None else stride)
    if any(s > p for s, p in zip(apart, box, strict=True)):
        raise ValueError(f"stride is {apart} and patch {box}: voxels in between would be left out")
    return grid, box, apart


def check_volumes(volumes: Array) -> None:
    """Refuse what are not some volumes of finite numbers.

    Raises:
        TypeError, ValueError: naming what was given and what was expected.
    """
    xp = namespace(volumes)
    if not xp.isdtype(volumes.dtype, ("real floating", "complex floating")):
        raise TypeError(f"volumes are {volumes.dtype}, expected floating or complex numbers")
    if volumes.ndim != 4 or volumes.shape[0] < 2 or 0 in volumes.shape:
        raise ValueError(
            f"volumes have shape {tuple(volumes.shape)}, expected (volumes, slices, y, x), at "
            "least two volumes: what is compared are the volumes of each voxel"
        )
    if not bool(xp.all(xp.isfinite(volumes))):
        raise ValueError("volumes hold NaN or infinite values: set them to 0 to leave them out")
    if not bool(xp.any(volumes != 0)):
        raise ValueError("volumes hold zeros only")


def _box(name: str, given: int | Sequence[int]) -> Box:
    values = [given] * 3 if isinstance(given, int) else list(given)
    if len(values) != 3 or min(values) < 1:
        raise ValueError(f"{name} is {given}, expected (slices, y, x), each an integer above 0")
    return values[0], values[1], values[2]
