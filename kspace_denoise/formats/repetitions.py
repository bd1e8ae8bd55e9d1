"""Repetitions of one scan that stand in files of their own, as in M4Raw."""

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from kspace_denoise.formats.fastmri import read_hdf5
from kspace_denoise.scan import Scan

_NAMES = (
    re.compile(r"(?P<scan>.+_(?:T1|T2|FLAIR|GRE))(?P<number>\d{2})"),  # M4Raw: 2022061003_T102
    re.compile(r"(?P<scan>.+_rep)(?P<number>\d+)"),
)


class _Name(NamedTuple):
    scan: str
    number: int


def repetitions(path: str | Path) -> list[Path]:
    """Return the files of all repetitions of a scan that stand beside this one, in order.

    Repetitions are told by their names: `<study>_<contrast><two digits>.h5`, as M4Raw names its T1,
    T2, FLAIR and GRE scans, or `<name>_rep<number>.h5`. A file of another name is alone.

    Raises:
        FileNotFoundError: if there is no such file.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file")
    own = _parsed(path)
    if own is None:
        return [path]
    numbered = {}
    for other in path.parent.glob(f"*{path.suffix}"):
        name = _parsed(other)
        if name is not None and name.scan == own.scan:
            numbered[name.number] = other
    return [numbered[number] for number in sorted(numbered)]


def read_repetitions(path: str | Path) -> list[Scan]:
    """Read all repetitions of a scan; `path` is the file of any of them.

    Raises:
        FileNotFoundError, ValueError: as `read`, and if they do not all have k-space of the same
            shape and the same mask.
    """
    scans: list[Scan] = []
    paths = repetitions(path)
    for one in paths:
        scan = read_hdf5(one)
        if not isinstance(scan, Scan):
            raise ValueError(f"{one} holds images, but a repetition of {path} holds k-space")
        if scan.kspace.shape != (scans or [scan])[0].kspace.shape:
            raise ValueError(
                f"{one} has k-space {scan.kspace.shape}, but {paths[0]} {scans[0].kspace.shape}: "
                "these are no repetitions of one scan"
            )
        if not _same_mask((scans or [scan])[0], scan):
            raise ValueError(f"{one} has another sampling mask than {paths[0]}")
        scans.append(scan)
    return scans


def _parsed(path: Path) -> _Name | None:
    for pattern in _NAMES:
        if found := pattern.fullmatch(path.stem):
            return _Name(found["scan"], int(found["number"]))
    return None


def _same_mask(one: Scan, other: Scan) -> bool:
    first, second = (np.ones(1, bool) if scan.mask is None else scan.mask for scan in (one, other))
    grid = one.kspace.shape[:1] + one.kspace.shape[2:]
    return np.array_equal(np.broadcast_to(first, grid), np.broadcast_to(second, grid))
