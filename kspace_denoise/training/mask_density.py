"""How probable it was that a scan's mask acquired each sample: E[P]."""

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from kspace_denoise import sim
from kspace_denoise.scan import Numpy, Scan

_FAMILY = ("mask", "acceleration", "calibration", "mask_axis")


def mask_density(scan: Scan, mask: Numpy | None, sampled: Numpy) -> Numpy | None:
    """Return E[P] `(ky, kx)` of the masks that `simulate` drew that of a slice from.

    `sampled` `(ky, kx)` is what was acquired, without lines that are filled with zeros; without a
    mask that is E[P]. None where the file does not say how its mask was drawn, or lines of it are
    filled with zeros: the mean of what was sampled over many scans then is E[P].

    Raises:
        ValueError: if what the file says and the mask contradict each other.
    """
    if mask is None:
        return sampled.astype(np.float32)
    given = np.broadcast_to(mask, sampled.shape).astype(bool)
    family = _recorded(scan.header.get("provenance"))
    if family is None or (given != sampled).any():
        return None
    density = _probability(sampled.shape, *family)
    if not given[density == 1].all() or given[density == 0].any():
        said = ", ".join(f"{name} {value}" for name, value in zip(_FAMILY, family, strict=True))
        raise ValueError(
            f"the file says that its mask was drawn as {said}, and the mask is no such mask: take "
            "the provenance out of the header if it is of another file"
        )
    return density


def mean_density(densities: Sequence[Numpy | None], masks: Sequence[Numpy]) -> Numpy:
    """Return the mean over slices; those of unknown density count with their mask `(ky, kx)`.

    Raises:
        ValueError: if some positions were never sampled: nothing can be learnt of them.
    """
    sampled = np.any(masks, axis=0)
    if not sampled.all():
        raise ValueError(
            f"{np.count_nonzero(~sampled)} of {sampled.size} positions of k-space are sampled in "
            f"none of the {len(masks)} slices: nothing can be learnt of them; train on scans whose "
            "masks differ, and enough of them, without lines that are filled with zeros"
        )
    known = [m if d is None else d for d, m in zip(densities, masks, strict=True)]
    return np.asarray(np.mean(known, axis=0), np.float32)


def _recorded(said: Any) -> tuple[str, float, int, int] | None:
    """Return how a mask was drawn, from the record of the file or of what it was made from."""
    while isinstance(said, dict):
        parameters = said.get("parameters")
        if not isinstance(parameters, dict):
            return None
        if all(parameters.get(name) is not None for name in _FAMILY):
            kind, acceleration, calibration, axis = (parameters[name] for name in _FAMILY)
            return (kind, acceleration, calibration, axis) if kind in sim.MASKS else None
        said = parameters.get("source_provenance")
    return None


@functools.lru_cache(maxsize=8)
def _probability(
    shape: tuple[int, ...], kind: str, acceleration: float, calibration: int, axis: int
) -> Numpy:
    return sim.mask_probability(kind, shape, acceleration, calibration, axis)
