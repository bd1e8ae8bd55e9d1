"""Small HDF5 files, good and bad, that the tests of formats and commands read."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

HEADER = """<?xml version="1.0" encoding="utf-8"?>
<ismrmrdHeader xmlns="http://www.ismrm.org/ISMRMRD">
 <acquisitionSystemInformation>
  <systemFieldStrength_T>2.8936</systemFieldStrength_T>
 </acquisitionSystemInformation>
 <encoding>
  <encodedSpace><matrixSize><x>24</x><y>10</y><z>1</z></matrixSize>
   <fieldOfView_mm><x>640</x><y>372</y><z>4.5</z></fieldOfView_mm></encodedSpace>
  <reconSpace><matrixSize><x>12</x><y>10</y><z>1</z></matrixSize>
   <fieldOfView_mm><x>320</x><y>320.5</y><z>4.5</z></fieldOfView_mm></reconSpace>
 </encoding>
</ismrmrdHeader>"""

SHAPE = (3, 2, 24, 10)


def kspace(shape: tuple[int, ...] = SHAPE, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(np.complex64)


def write_file(path: Path, attributes: dict[str, Any] | None = None, **datasets: Any) -> Path:
    with h5py.File(path, "w") as file:
        for name, values in datasets.items():
            file[name] = values
        file.attrs.update(attributes or {})
    return path


def write_fastmri(path: Path, **datasets: Any) -> Path:
    """Write a file such as fastMRI publishes, header and attributes included."""
    attributes = {"acquisition": "AXT2", "max": 1.5, "norm": 20.0, "patient_id": "abc"}
    content: dict[str, Any] = {"kspace": kspace(), "ismrmrd_header": HEADER, **datasets}
    return write_file(path, attributes, **content)


def write_coded(path: Path, *names: str) -> Path:
    """Write sets of integer-coded images, value = dataset * scale."""
    write_file(path, **{name: np.full((2, 3, 3), 500, np.uint16) for name in names})
    with h5py.File(path, "r+") as file:
        for name in names:
            file[name].attrs["scale"] = 0.01
    return path


def _with_nan() -> np.ndarray:
    data = kspace()
    data[1, 0, 3, 4] = np.nan
    return data


def _truncated(path: Path) -> None:
    whole = write_fastmri(path, kspace=kspace((3, 2, 64, 64))).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


BAD_SCANS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "missing": (lambda _: None, "no such file"),
    "folder": (lambda path: path.mkdir(), "is a folder"),
    "empty": (lambda path: path.touch(), "is empty"),
    "text": (lambda path: path.write_text("k-space, honestly"), "is not an HDF5 file"),
    "truncated": (_truncated, "cut short"),
    "no kspace": (lambda path: write_file(path, data=np.ones((2, 2))), r"holds data \(2, 2\)"),
    "real": (lambda path: write_file(path, kspace=kspace().real), "kspace is float32"),
    "two-dimensional": (lambda path: write_file(path, kspace=kspace()[0, 0]), r"shape \(24, 10\)"),
    "zero": (lambda path: write_file(path, kspace=0 * kspace()), "holds zeros only"),
    "nan": (lambda path: write_file(path, kspace=_with_nan()), "slice 1 holds 1 value"),
    "mask": (
        lambda path: write_file(path, kspace=kspace(), mask=np.ones(11)),
        "mask has 11 values, but the k-space has 10",
    ),
}
"""Name: (what makes the bad file at a path, what the message must say)."""
