"""A disk that is full, files that several programs read at once, and files larger than memory."""

import multiprocessing
import os
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import h5py
import numpy as np
import pytest

from kspace_denoise import formats
from kspace_denoise.scan import LazySlices, Scan
from tests.cli.runner import files_in
from tests.formats.files import kspace

CONTENT = kspace((4, 2, 32, 32))


@pytest.mark.parametrize("limit", [0, 1000, 20_000, 60_000, 66_000])
def test_a_full_disk_is_one_error_and_leaves_nothing(tmp_path: Path, limit: int) -> None:
    """In a process of its own, since HDF5 is known to crash one that it could not write in."""
    formats.write(tmp_path / "scan.h5", Scan(kspace=CONTENT))
    whole = (tmp_path / "scan.h5").read_bytes()
    assert len(whole) > limit
    code = f"""
import resource
from kspace_denoise import formats
scan = formats.read("scan.h5")
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
try:
    formats.write("scan.h5", scan)
except OSError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "[Errno 27] File too large: 'scan.h5'\n"
    assert files_in(tmp_path) == ["scan.h5"]
    assert (tmp_path / "scan.h5").read_bytes() == whole


def test_a_full_disk_is_noticed_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A long job stops at the first slice that could not be written."""
    asked = []

    def compute(index: int) -> np.ndarray:
        asked.append(index)
        if index == 3:
            monkeypatch.setattr("kspace_denoise.formats.create._write", _no_space)
        return np.ones((1, 64, 64), np.complex64)

    scan = Scan(kspace=LazySlices((100, 1, 64, 64), np.complex64, compute))
    with pytest.raises(OSError, match="No space left"):
        formats.write(tmp_path / "a.h5", scan)
    assert asked == [0, 1, 2, 3]
    assert files_in(tmp_path) == []


def _no_space(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_a_file_that_cannot_be_opened_is_named_as_the_user_did(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / f"{240 * 'x'}.h5"  # as long as a name can be
    formats.write(path, Scan(kspace=CONTENT))

    def refuse(self: Path, *_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(PermissionError, match=f"Permission denied: '{path}'"):
        formats.write(path, Scan(kspace=CONTENT))
    assert files_in(tmp_path) == [path.name]


VERSIONS = 12


def read_all(path: Path) -> set[complex]:
    """Read the file until its last version is there; return what a reader may have seen wrong."""
    wrong, value = set(), 0.0
    while value < VERSIONS:
        try:
            scan = formats.read(path)
            data = scan.kspace[:]  # type: ignore[union-attr]
        except ValueError as error:
            if "was changed while it was being read" not in str(error):
                raise
            continue
        value = float(data[0, 0, 0, 0].real)
        if (data != value).any():
            wrong |= set(np.unique(data))
    return wrong


def test_readers_never_see_half_of_a_new_version(tmp_path: Path) -> None:
    path = tmp_path / "scan.h5"
    formats.write(path, Scan(kspace=np.ones((6, 1, 16, 16), np.complex64)))
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, spawn) as processes, ThreadPoolExecutor(2) as threads:
        readers = [pool.submit(read_all, path) for pool in (processes, threads) for _ in range(2)]
        for version in range(2, VERSIONS + 1):
            formats.write(path, Scan(kspace=np.full((6, 1, 16, 16), version, np.complex64)))
            time.sleep(0.02)  # the clock of a file system ticks every few milliseconds
        assert [reader.result(60) for reader in readers] == [set()] * 4


def test_a_scan_of_a_file_that_was_replaced_says_so(tmp_path: Path) -> None:
    path = tmp_path / "scan.h5"
    formats.write(path, Scan(kspace=CONTENT))
    scan = formats.read(path)
    formats.write(path, Scan(kspace=CONTENT[:, :1]))
    with pytest.raises(ValueError, match="was changed while it was being read; read it again"):
        scan.kspace[0]  # type: ignore[union-attr]


@pytest.fixture
def huge(tmp_path: Path) -> Path:
    """Return a scan of 20 GB, of which two slices were written."""
    path = tmp_path / "huge.h5"
    shape = (768, 16, 640, 320)
    with h5py.File(path, "w") as file:
        dataset = file.create_dataset("kspace", shape, np.complex64, chunks=(1, *shape[1:]))
        dataset[700], dataset[384] = 1, 2
    assert np.prod(shape) * 8 > 20e9
    return path


def test_a_file_of_20_gb_opens_in_no_memory_and_no_time(huge: Path) -> None:
    # VmHWM, since ru_maxrss of a new process starts at what its parent held.
    code = f"""
import time
from pathlib import Path
from kspace_denoise import formats
def peak():
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
formats.read  # loads h5py and the rest
before, start = peak(), time.perf_counter()
scan = formats.read({str(huge)!r})
opened, seconds = peak() - before, time.perf_counter() - start
total = scan.kspace[700].sum().real + scan.kspace[5].sum().real
print(opened, peak() - before, seconds, total)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ
    )
    opened, read, seconds, total = (float(word) for word in done.stdout.split())
    one_slice = 16 * 640 * 320 * 8 / 1024  # in kB
    assert total == 16 * 640 * 320
    assert opened < one_slice
    assert one_slice < read < 6 * one_slice
    assert seconds < 5


def test_a_file_in_which_nothing_was_ever_written(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("kspace", (768, 16, 640, 320), np.complex64)
    with pytest.raises(ValueError, match="holds zeros only"):
        formats.read(tmp_path / "a.h5")
