"""New HDF5 files: whole by rename, and a full disk that is an error instead of a crash."""

import contextlib
import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import h5py

from kspace_denoise.formats.atomic import atomic

CheckDisk: TypeAlias = Callable[[], None]


@contextlib.contextmanager
def create_hdf5(path: str | Path) -> Iterator[tuple[h5py.File, CheckDisk]]:
    """Yield a new HDF5 file, which appears at `path` once the block succeeds.

    Beside it stands a function that raises if something could not be written: call it after
    every piece of a long job. In any case the end of the block does.

    Raises:
        FileNotFoundError: if the folder does not exist.
        ValueError: if `path` is a folder.
        OSError: if the disk is full or fails; nothing is left, an older `path` stays as it was.
    """
    path = Path(path)
    with atomic(path) as temporary, _Target(_opened(temporary, path), path) as target:
        try:
            with h5py.File(target, "w") as file:
                yield file, target.check
        finally:
            target.check()


class _Target(io.RawIOBase):
    """A file that keeps its first error for us and hides it from HDF5.

    When a write fails, the HDF5 library cannot close the file any more, and crashes the process
    when it ends.
    """

    def __init__(self, file: io.FileIO, final: Path) -> None:
        self._file = file
        self._final = final
        self._error: OSError | None = None

    def check(self) -> None:
        if self._error is not None:
            raise _named(self._error, self._final) from self._error

    def write(self, data: Any) -> int:
        rest = memoryview(data).cast("B")
        size = len(rest)
        with self._kept():
            while rest:
                rest = rest[_write(self._file, rest) :]
        return size

    def readinto(self, buffer: Any) -> int:
        count = self._file.readinto(buffer)
        buffer[count:] = bytes(len(buffer) - count)  # what could not be written is no damage
        return len(buffer)

    def truncate(self, size: int | None = None) -> int:
        with self._kept():
            self._file.truncate(size)
        return size or 0

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def close(self) -> None:
        self._file.close()
        super().close()

    @contextlib.contextmanager
    def _kept(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self._error = self._error or error


def _opened(temporary: Path, final: Path) -> io.FileIO:
    try:
        return temporary.open("w+b", buffering=0)
    except OSError as error:
        raise _named(error, final) from error


def _named(error: OSError, path: Path) -> OSError:
    """Return the error with the name of the file that the user asked for."""
    return OSError(error.errno, error.strerror or str(error), str(path))


def _write(file: io.FileIO, data: memoryview) -> int:
    return file.write(data)
