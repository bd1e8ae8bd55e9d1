"""Where images lie in the patient: voxel-to-world matrices, as NIfTI has them."""

import numpy as np

from kspace_denoise.scan import Numpy, Scan


def image_affine(scan: Scan) -> Numpy | None:
    """Return the voxel-to-world matrix `(4, 4)` of the images of a scan, in millimetres.

    Voxels are numbered (x, y, slice), x along axis -1. The header's own, or else the size of voxels
    that it says, with the world's origin in the centre of the first slice; None where it says
    neither, or the readout axis is not known.
    """
    if "affine" in scan.header:
        return np.asarray(scan.header["affine"], np.float64)
    extent = scan.header.get("ismrmrd", {}).get("encoded_field_of_view_mm")
    if extent is None or scan.readout_axis is None or scan.trajectory is not None:
        return None
    ny, nx = scan.kspace.shape[-2:]
    readout, phase, thickness = extent
    x, y = (readout, phase) if scan.readout_axis == -1 else (phase, readout)
    affine = np.diag([x / nx, y / ny, thickness, 1.0])
    affine[:2, 3] = -(nx // 2) * affine[0, 0], -(ny // 2) * affine[1, 1]
    return affine


def cropped_affine(affine: Numpy, whole: tuple[int, int], size: tuple[int, int]) -> Numpy:
    """Return the matrix of images `(y, x)` of `whole` that were cropped about their centre."""
    dy, dx = (n // 2 - m // 2 for n, m in zip(whole, size, strict=True))
    moved = affine.copy()
    moved[:3, 3] += dx * affine[:3, 0] + dy * affine[:3, 1]
    return moved
