"""BART's files: dimensions in BART's order, zeros not sampled, halves that do not fit refused."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import kspace_denoise as kd
from kspace_denoise.fourier import ifft2c
from kspace_denoise.scan import Images, Scan
from tests.formats.files import kspace


def write(path: Path, dimensions: list[int], values: np.ndarray) -> Path:
    """Write as BART does: the first dimension fastest."""
    path.with_suffix(".hdr").write_text(f"# Dimensions\n{' '.join(map(str, dimensions))} \n")
    values.astype("<c8").ravel(order="F").tofile(path.with_suffix(".cfl"))
    return path.with_suffix(".cfl")


def read(path: Path, kind: str | None = None) -> Scan:
    scan = kd.read(path, kind)
    assert isinstance(scan, Scan)
    return scan


def test_dimensions_of_bart_come_to_their_axes(tmp_path: Path) -> None:
    values = kspace((10, 7, 1, 3, 2, 4))  # READ, PHS1, PHS2, COIL, MAPS, TE
    path = write(tmp_path / "a", [10, 7, 1, 3, 2, 4], values)
    scan = read(path)
    expected = values[:, :, 0].transpose(4, 3, 2, 1, 0).reshape(8, 3, 7, 10)
    np.testing.assert_array_equal(scan.kspace[:], expected)
    np.testing.assert_array_equal(read(path.with_suffix(".hdr")).kspace[5], expected[5])
    assert (scan.readout_axis, scan.mask) == (-1, None)


def test_a_slice_of_a_volume_has_no_readout(tmp_path: Path) -> None:
    values = kspace((1, 7, 10, 3))
    scan = read(write(tmp_path / "a", [1, 7, 10, 3], values))
    np.testing.assert_array_equal(scan.kspace[0], values[0].transpose(2, 1, 0))
    assert scan.readout_axis is None


def test_zeros_in_all_coils_were_not_sampled(tmp_path: Path) -> None:
    values = kspace((10, 7, 1, 3))
    values[:, ::2] = 0
    scan = read(write(tmp_path / "a", [10, 7, 1, 3], values))
    np.testing.assert_array_equal(scan.mask, np.repeat(np.arange(7) % 2 == 1, 10).reshape(7, 10))


def test_one_coil_is_images_unless_the_user_says_otherwise(tmp_path: Path) -> None:
    values = kspace((10, 7))
    path = write(tmp_path / "a", [10, 7], values)
    images = kd.read(path)
    assert isinstance(images, Images)
    np.testing.assert_array_equal(images.data[0], values.T)
    np.testing.assert_array_equal(read(path, "kspace").kspace[0, 0], values.T)
    with pytest.raises(ValueError, match="'volume' is no kind of BART array"):
        kd.read(path, "volume")


def test_bad_pairs(tmp_path: Path) -> None:
    path = write(tmp_path / "a", [10, 7, 5, 3], kspace((10, 7, 5, 3)))
    with pytest.raises(ValueError, match=r"three-dimensional k-space \(10, 7, 5\)"):
        kd.read(path)
    write(tmp_path / "b", [10, 8], kspace((10, 7)))
    with pytest.raises(ValueError, match=r"b.cfl has 560 bytes, but its header says .* 10 8 1"):
        kd.read(tmp_path / "b.cfl")
    (tmp_path / "b.hdr").write_text("# Nothing\n")
    with pytest.raises(ValueError, match=r"b\.hdr is no BART header"):
        kd.read(tmp_path / "b.cfl")
    (tmp_path / "b.hdr").unlink()
    with pytest.raises(FileNotFoundError, match=r"b\.hdr"):
        kd.read(tmp_path / "b.cfl")


@pytest.mark.skipif(shutil.which("bart") is None, reason="no BART")
def test_bart_itself_reads_and_writes_it(tmp_path: Path) -> None:
    given = kspace((1, 3, 7, 10))
    kd.write(tmp_path / "in.cfl", Scan(kspace=given, readout_axis=-1))
    subprocess.run(["bart", "fft", "-iu", "3", "in", "out"], cwd=tmp_path, check=True)
    found = read(tmp_path / "out.cfl").kspace[0]
    np.testing.assert_allclose(found, ifft2c(given[0]), atol=1e-5)
