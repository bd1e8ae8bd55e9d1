"""Where slices lie in the patient, from the headers of acquisitions or images."""

import numpy as np

from kspace_denoise.scan import Numpy

_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0])


def affine_of(
    heads: Numpy, shape: tuple[int, int], field_of_view: tuple[float, float, float]
) -> Numpy | None:
    """Return the voxel-to-world matrix `(4, 4)` of a stack of slices, None where there is none.

    `heads` has position and directions of one acquisition or image for every slice, `shape` is the
    `(y, x)` of the images and `field_of_view` the extent along (x, y, z) in millimetres; x is the
    readout. Voxels are numbered (x, y, slice), the position is that of pixel n // 2, and the world
    is NIfTI's: right, anterior, superior. None if directions are not said, or the slices are not
    evenly spaced in parallel.
    """
    read, phase, normal = (heads[name].astype(np.float64) for name in _DIRECTIONS)
    position = heads["position"].astype(np.float64)
    if not np.allclose(np.linalg.norm([read[0], phase[0]], axis=-1), 1, atol=1e-3):
        return None
    if any(np.abs(x - x[0]).max() > 1e-3 for x in (read, phase)):
        return None
    step = normal[0] * field_of_view[2]
    if len(position) > 1:
        step = (position[-1] - position[0]) / (len(position) - 1)
        even = position[0] + np.arange(len(position))[:, None] * step
        if np.abs(even - position).max() > 1e-2 or not np.linalg.norm(step) > 0:
            return None
    elif not np.isclose(np.linalg.norm(normal[0]), 1, atol=1e-3):
        return None
    (ny, nx), columns = shape, [read[0], phase[0], step]
    columns[0] = columns[0] * field_of_view[0] / nx
    columns[1] = columns[1] * field_of_view[1] / ny
    affine = np.eye(4)
    affine[:3, :3] = _LPS_TO_RAS @ np.stack(columns, axis=-1)
    corner = position[0] - (nx // 2) * columns[0] - (ny // 2) * columns[1]
    affine[:3, 3] = _LPS_TO_RAS @ corner
    return affine


def place_slices(affine: Numpy, shape: tuple[int, int], slices: int) -> dict[str, Numpy]:
    """Return position and directions `(slices, 3)` of slices, as `affine_of` takes them."""
    columns = _LPS_TO_RAS @ affine[:3, :3]
    ny, nx = shape
    corner = _LPS_TO_RAS @ affine[:3, 3]
    centre = corner + (nx // 2) * columns[:, 0] + (ny // 2) * columns[:, 1]
    unit = columns / np.linalg.norm(columns, axis=0)
    directions = {name: np.tile(unit[:, i], (slices, 1)) for i, name in enumerate(_DIRECTIONS)}
    return {"position": centre + np.arange(slices)[:, None] * columns[:, 2], **directions}


_DIRECTIONS = ("read_dir", "phase_dir", "slice_dir")
