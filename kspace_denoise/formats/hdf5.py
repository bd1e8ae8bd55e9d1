"""HDF5 in general: opening with clear errors, slices read when asked for, attributes."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from kspace_denoise.scan import LazySlices, Numpy

SUFFIXES = (".h5", ".hdf5")


@contextlib.contextmanager
def open_hdf5(path: str | Path) -> Iterator[h5py.File]:
    """Open an HDF5 file for reading.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is a folder, empty, no HDF5 file, or cut short.
    """
    path = Path(path)
    check_file(path)
    if not h5py.is_hdf5(path):
        raise ValueError(
            f"{path} is not an HDF5 file; HDF5 ({', '.join(SUFFIXES)}) and NIfTI can be read"
        )
    try:
        with h5py.File(path, "r") as file:
            yield file
    except BlockingIOError as error:
        raise ValueError(f"{path} is being written by another program") from error
    except (OSError, RuntimeError, KeyError) as error:
        # What h5py raises where the structure of a file is broken, beside genuine bugs.
        told = any(words in str(error) for words in ("Unable to", "iteration failed"))
        if not isinstance(error, OSError) and not told:
            raise
        reason = _reason(error)
        raise ValueError(f"{path} is a damaged HDF5 file ({reason}); copy it again") from error


def check_file(path: Path) -> None:
    """Refuse a path that is no readable file with something in it.

    Raises:
        OSError: FileNotFoundError, or PermissionError where the file must not be read.
        ValueError: if it is a folder or empty.
    """
    if path.is_dir():
        raise ValueError(f"{path} is a folder, expected a file")
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file")
    with path.open("rb") as file:
        if not file.read(1):
            raise ValueError(f"{path} is empty (0 bytes)")


def lazy_slices(path: str | Path, dataset: h5py.Dataset) -> LazySlices:
    """Return a complex dataset `(slices, [coils,] ky, kx)` as `(slices, coils, ky, kx)`, unread."""
    add_coil = dataset.ndim == 3
    slices, *rest = dataset.shape
    shape = (slices, 1, *rest) if add_coil else dataset.shape
    reader = SliceReader(
        str(Path(path).absolute()), dataset.name, add_coil, file_identity(dataset.file)
    )
    return LazySlices(shape, dataset.dtype.newbyteorder("="), reader)


@dataclass(frozen=True)
class SliceReader:
    """Reads one slice of a dataset; opens the file for each, so workers and forks are safe.

    `identity` tells the file from a later version of it, so that slices of two are never mixed.
    """

    path: str
    dataset: str
    add_coil: bool
    identity: tuple[int, ...]

    def __call__(self, index: int) -> Numpy:
        """Return slice `index`, complex `(coils, ky, kx)`.

        Raises:
            ValueError: if the file is damaged, or not the one any more that was opened first.
        """
        with open_hdf5(self.path) as file:
            if file_identity(file) != self.identity:
                raise ValueError(f"{self.path} was changed while it was being read; read it again")
            values = read_array(file[self.dataset], index)
        return values[None] if self.add_coil else values


def file_identity(file: h5py.File) -> tuple[int, ...]:
    """Return what a version of a file has of its own; inodes alone are used again."""
    status = os.fstat(file.id.get_vfd_handle())
    return status.st_ino, status.st_mtime_ns, status.st_size


def read_array(dataset: h5py.Dataset, key: Any = ()) -> Numpy:
    """Read `dataset[key]` in the byte order of this machine.

    Raises:
        ValueError: if the data cannot be read, as in a damaged file.
    """
    try:
        values = np.asarray(dataset[key])
    except (OSError, RuntimeError) as error:
        raise ValueError(
            f"{dataset.file.filename} is damaged: its dataset {dataset.name!r} cannot be read "
            f"({_reason(error)}); copy it again"
        ) from error
    return values.astype(values.dtype.newbyteorder("="), copy=False)


def attributes(item: h5py.File | h5py.Dataset) -> tuple[dict[str, Any], list[str]]:
    """Return the attributes as plain Python values, and notes on those that cannot be read."""
    values, notes = {}, []
    for name in item.attrs:
        try:
            values[name] = plain(item.attrs[name])
        except (OSError, TypeError, ValueError) as error:
            notes.append(f"attribute {name!r} not read: {error}")
    return values, notes


def plain(value: Any) -> Any:
    """Return an attribute as str, bool, int, float or a list of these.

    Raises:
        TypeError: if it is anything else (a reference, an empty attribute).
    """
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, np.ndarray):
        return [plain(v) for v in value]
    if isinstance(value, np.generic):
        value = value.item()
        return plain(value) if isinstance(value, bytes) else value
    if isinstance(value, (str, bool, int, float)):
        return value
    raise TypeError(f"it is a {type(value).__name__}")


def dataset_names(file: h5py.File) -> list[str]:
    """Return the names of the datasets at the root of the file."""
    return [name for name, item in file.items() if isinstance(item, h5py.Dataset)]


def contents(file: h5py.File) -> str:
    """Describe the datasets of a file for a message."""
    listed = [f"{name} {file[name].shape} {file[name].dtype}" for name in dataset_names(file)]
    return "; ".join(listed) or "no datasets"


def _reason(error: Exception) -> str:
    """Return the part of an HDF5 message that means something to a user."""
    text = str(error).strip("'")
    if "truncated" in text or "eof" in text:
        return "it was cut short"
    return text.split("(", 1)[-1].rstrip(")") or text
