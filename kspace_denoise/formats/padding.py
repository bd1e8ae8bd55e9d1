"""Columns that fastMRI pads with zeros: zero-filled, which is not the same as not sampled."""

from typing import Any

import numpy as np

from kspace_denoise.scan import Numpy


def with_padding(mask: Numpy | None, header: dict[str, Any], columns: int) -> Numpy | None:
    """Return the mask of a fastMRI file with its padding counted as sampled.

    Phase encoding reached from `padding_left` to `padding_right`; what lies outside was filled
    with zeros to make pixels square, so its data are known to be 0, without noise. Test sets have
    the two numbers as attributes, other files in the encoding limits of their header. Only a
    one-dimensional mask, of columns, is changed.
    """
    if mask is None or mask.ndim != 1 or mask.size != columns:
        return mask
    left, right = _padding(header, columns)
    column = np.arange(columns)
    return np.where((column < left) | (column >= right), mask.dtype.type(1), mask)


def _padding(header: dict[str, Any], columns: int) -> tuple[int, int]:
    """Return where acquired columns start and end."""
    left, right = header.get("padding_left"), header.get("padding_right")
    if isinstance(left, int) and isinstance(right, int) and 0 <= left < right <= columns:
        return left, right
    limits = header.get("ismrmrd", {}).get("phase_encoding_limits")
    if limits is not None and {"center", "maximum"} <= limits.keys():
        left = columns // 2 - limits["center"]
        right = left + limits["maximum"] + 1
        if 0 <= left < right <= columns:
            return left, right
    return 0, columns
