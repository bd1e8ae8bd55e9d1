"""b-values and directions of a diffusion scan in text files, as FSL writes them."""

from pathlib import Path

import numpy as np

from kspace_denoise.formats.atomic import atomic
from kspace_denoise.scan import Numpy

_UNIT = 0.05  # how far from 1 a direction's length may be


def read_bval(path: str | Path) -> Numpy:
    """Read b-values in s/mm², `(volumes,)`, one line or one column.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it holds something else.
    """
    values = _numbers(path)
    if 1 not in values.shape or not (np.isfinite(values).all() and (values >= 0).all()):
        raise ValueError(
            f"{path} holds {values.shape[0]} lines of {values.shape[1]} numbers, expected one line "
            "of b-values, none negative"
        )
    return values.ravel()


def read_bvec(path: str | Path, volumes: int) -> Numpy:
    """Read directions, `(volumes, 3)`, from three lines (FSL) or three columns.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it holds something else, or directions that are neither 0 nor of length 1.
    """
    values = _numbers(path)
    if values.shape == (3, volumes):
        values = values.T
    if values.shape != (volumes, 3):
        raise ValueError(
            f"{path} holds {values.shape[0]} lines of {values.shape[1]} numbers, expected 3 lines "
            f"of {volumes}, one number for each volume, or {volumes} lines of 3"
        )
    length = np.linalg.norm(values, axis=1)
    odd = np.flatnonzero((length > 0) & (np.abs(length - 1) > _UNIT) | ~np.isfinite(length))
    if odd.size:
        raise ValueError(
            f"{path}: the direction of volume {odd[0]} has length {length[odd[0]]:.3g}, expected "
            "1, or 0 where b = 0"
        )
    return values


def write_gradients(stem: Path, bval: Numpy, bvec: Numpy | None) -> None:
    """Write `stem.bval` and, if there are directions, `stem.bvec`, as FSL does."""
    with atomic(stem.with_name(f"{stem.name}.bval")) as path:
        np.savetxt(path, bval[None], fmt="%g")
    if bvec is not None:
        with atomic(stem.with_name(f"{stem.name}.bvec")) as path:
            np.savetxt(path, bvec.T, fmt="%.6f")


def _numbers(path: str | Path) -> Numpy:
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    try:
        return np.loadtxt(path, ndmin=2)
    except (ValueError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is no table of numbers: {error}") from None
