"""K-space as a list of readouts: the order in which a receiver sees its samples."""

from typing import Any

import numpy as np

from kspace_denoise.arrays import Array, like

Readouts = np.ndarray[Any, Any]


def check_readout_axis(readout_axis: int) -> None:
    """Raise ValueError unless the axis is one of the last two, counted from the end."""
    if readout_axis not in (-1, -2):
        raise ValueError(
            f"readout_axis is {readout_axis!r}, expected -1 or -2: along which axis of the k-space "
            "(..., ky, kx) the receiver samples in time"
        )


def readout_shape(kspace: Array, readout_axis: int) -> tuple[int, int, int]:
    """Return slices (all leading axes together), phase encodings and samples per readout."""
    samples = kspace.shape[readout_axis]
    encodings = kspace.shape[-3 - readout_axis]
    return int(np.prod(kspace.shape[:-3], dtype=np.int64)), encodings, samples


def from_readouts(
    readouts: Readouts, kspace: Array, readout_axis: int, channels: int | None = None
) -> Array:
    """Return readouts (slices, channels, encodings, samples) as k-space like the one given.

    `channels` replaces the number of coils where the channels are not the coils.
    """
    ordered = readouts if readout_axis == -1 else np.swapaxes(readouts, -1, -2)
    shape = (*kspace.shape[:-3], channels or kspace.shape[-3], *kspace.shape[-2:])
    return like(np.reshape(ordered, shape), kspace, kspace.dtype)
