"""Lines of ISMRMRD files, read when an image is asked for."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from h5py._objects import phil

from kspace_denoise.formats.hdf5 import file_identity, open_hdf5, read_array
from kspace_denoise.formats.mrd.acquisitions import Arrangement
from kspace_denoise.formats.mrd.fill import fill_image
from kspace_denoise.scan import Numpy


@dataclass(frozen=True)
class LineReader:
    """Reads the lines of one image; opens the file for each, so workers and forks are safe."""

    path: str
    dataset: str
    found: Arrangement
    grid: tuple[int, int]
    identity: tuple[int, ...]
    transposed: bool = False
    """Whether the readout goes to axis -2."""

    def __call__(self, index: int) -> Numpy:
        """Return k-space `(coils, ky, kx)` of an image.

        Raises:
            ValueError: if the file is damaged, or not the one any more that was opened first.
        """
        with open_series(self.path) as file:
            if file_identity(file) != self.identity:
                raise ValueError(f"{self.path} was changed while it was being read; read it again")
            own = self.found.image == index
            data = file[self.dataset]
            lines = read_lines(data, self.found.number[own], self.found.shape)
        kspace = fill_image(lines, self.found.ky[own], self.found, self.grid)
        return np.ascontiguousarray(kspace.swapaxes(-1, -2)) if self.transposed else kspace


def read_lines(data: h5py.Dataset, numbers: Numpy, shape: tuple[int, int]) -> Numpy:
    """Return the samples `(n, coils, samples)` of acquisitions of one shape `(coils, samples)`.

    Raises:
        ValueError: naming an acquisition that holds another number of values than its header says.
    """
    lines = np.empty((len(numbers), *shape), np.complex64)
    done = 0
    for run in _runs(numbers):
        rows = read_array(data.fields("data"), run)
        for values in rows:
            if values.size != 2 * lines[done].size:
                raise ValueError(
                    f"acquisition {numbers[done]} holds {values.size // 2} samples, but {shape[0]} "
                    f"coils of {shape[1]} were expected"
                )
            lines[done] = values.astype(np.float32, copy=False).view(np.complex64).reshape(shape)
            done += 1
    return lines


@contextlib.contextmanager
def open_series(path: str | Path) -> Iterator[h5py.File]:
    """Open a file whose values are of varying length, for this thread alone.

    h5py crashes where two threads read such values (h5py/h5py#2920): its own lock is held.
    """
    with phil, open_hdf5(path) as file:
        yield file


def read_heads(data: h5py.Dataset) -> Numpy:
    """Return the headers of all acquisitions, without their samples.

    Of chunked data from the bytes of the chunks: where HDF5 reads a part of a row, it reads the
    samples too and never frees them, so that memory grows with the file.
    """
    created = data.id.get_create_plist()
    if data.chunks is None or created.get_nfilters():
        return np.asarray(data.fields("head")[:])
    stored = data.id.get_type()
    rows = np.dtype(
        {
            "names": ["head"],
            "formats": [data.dtype["head"]],
            "offsets": [stored.get_member_offset(stored.get_member_index(b"head"))],
            "itemsize": stored.get_size(),
        }
    )
    heads = np.empty(len(data), data.dtype["head"])
    for start in range(0, len(data), data.chunks[0]):
        _, raw = data.id.read_direct_chunk((start,))
        found = np.frombuffer(raw, rows)["head"][: len(data) - start]
        heads[start : start + len(found)] = found
    return heads


def _runs(numbers: Numpy) -> list[slice]:
    """Return increasing numbers as slices of even step: HDF5 reads these quickly."""
    runs: list[slice] = []
    start = 0
    while start < len(numbers):
        step = int(numbers[start + 1] - numbers[start]) if start + 1 < len(numbers) else 1
        stop = start + 1
        while stop < len(numbers) and numbers[stop] - numbers[stop - 1] == step:
            stop += 1
        runs.append(slice(int(numbers[start]), int(numbers[stop - 1]) + 1, step))
        start = stop
    return runs
