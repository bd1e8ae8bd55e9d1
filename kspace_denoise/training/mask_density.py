"""How probable it was that a scan's mask acquired each sample: E[P]."""

import functools

import numpy as np

from kspace_denoise import sim
from kspace_denoise.scan import Numpy, Scan


def mask_density(scan: Scan, mask: Numpy) -> Numpy:
    """Return E[P] `(ky, kx)` of the masks that `simulate` drew that of a slice from.

    Where the file does not say how its mask was drawn, the mask itself: its mean over many scans
    is E[P] of whatever they were drawn from. `mask` is `(ky, kx)`.
    """
    said = (scan.header.get("provenance") or {}).get("parameters") or {}
    drawn = [said.get(name) for name in ("mask", "acceleration", "calibration", "mask_axis")]
    if None in drawn:
        return mask.astype(np.float32)
    return _probability(mask.shape, *drawn)


@functools.lru_cache(maxsize=8)
def _probability(
    shape: tuple[int, ...], kind: str, acceleration: float, calibration: int, axis: int
) -> Numpy:
    return sim.mask_probability(kind, shape, acceleration, calibration, axis)
