"""Writing: what is written reads back bit for bit, appears whole, or leaves nothing."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from kspace_denoise import formats
from kspace_denoise.formats.atomic import atomic
from kspace_denoise.scan import Images, LazySlices, Scan
from tests.formats.files import HEADER, SHAPE, kspace, write_fastmri

ATTRIBUTES = {
    "acquisition": "AXT2",
    "max": 0.1 + 0.2,
    "count": 3,
    "flag": True,
    "lags": [0.1, 0.2],
    "words": ["a", "ü"],
    "readout_axis": -1,
    "field_strength_T": 0.3,
}


@pytest.mark.parametrize("dtype", [np.complex64, np.complex128])
def test_a_scan_comes_back_bit_for_bit(tmp_path: Path, dtype: type) -> None:
    scan = Scan(
        kspace=kspace().astype(dtype),
        mask=np.arange(24)[:, None] % 2 == 0,
        noise_covariance=np.array([[2, 0.1j], [-0.1j, 3]]),
        noise_profile=np.linspace(0.4, 1, 24, dtype=np.float32)[:, None],
        noise_spectrum=np.linspace(0, 2, 10, dtype=np.float32),
        field_strength=0.3,
        readout_axis=-1,
        header={**ATTRIBUTES, "provenance": {"command": "x", "seed": 0, "sigma": 0.1}},
    )
    formats.write(tmp_path / "scan.h5", scan)
    back = formats.read(tmp_path / "scan.h5")
    assert isinstance(back, Scan)
    np.testing.assert_array_equal(back.kspace[:], scan.kspace, strict=True)  # type: ignore[arg-type]
    for name in ("mask", "noise_covariance", "noise_profile", "noise_spectrum"):
        np.testing.assert_array_equal(getattr(back, name), getattr(scan, name), strict=True)
    assert back.field_strength == 0.3
    assert back.readout_axis == -1
    assert back.header.items() >= scan.header.items()


def test_a_fastmri_file_survives_reading_and_writing(tmp_path: Path) -> None:
    scan = formats.read(write_fastmri(tmp_path / "brain.h5", mask=np.arange(10) % 2 == 0))
    formats.write(tmp_path / "copy.h5", scan)
    back = formats.read(tmp_path / "copy.h5")
    assert isinstance(scan, Scan)
    assert isinstance(back, Scan)
    said = {"readout_axis": -2, "field_strength_T": 2.8936}
    assert back.header == {**scan.header, **said}
    assert back.header["ismrmrd_header"] == HEADER
    np.testing.assert_array_equal(back.kspace[:], scan.kspace[:], strict=True)


@pytest.mark.parametrize("words", ["none", "unknown"])
def test_what_is_not_known_stays_unknown(tmp_path: Path, words: str) -> None:
    """A header that looks like fastMRI must not turn an unknown readout axis into -2."""
    header = {"acquisition": "A", "max": 1.0, "norm": 1.0, "patient_id": "x", "readout_axis": words}
    formats.write(tmp_path / "scan.h5", Scan(kspace=kspace(), header=header))
    back = formats.read(tmp_path / "scan.h5")
    assert isinstance(back, Scan)
    assert back.readout_axis is None
    assert back.field_strength is None
    assert back.header["readout_axis"] == words


def test_large_scans_are_written_slice_by_slice(tmp_path: Path) -> None:
    asked = []

    def compute(index: int) -> np.ndarray:
        asked.append(index)
        return kspace()[index]

    scan = Scan(kspace=LazySlices(SHAPE, np.complex64, compute))
    formats.write_hdf5(tmp_path / "scan.h5", scan, progress=lambda indices: list(indices)[::1])
    assert asked == [0, 1, 2]
    np.testing.assert_array_equal(formats.read(tmp_path / "scan.h5").kspace[:], kspace())  # type: ignore[union-attr]


@pytest.mark.parametrize("dtype", [np.complex64, np.float32])
@pytest.mark.parametrize("sigma", [None, 0.25, np.linspace(0, 1, 240, dtype=np.float32)])
def test_images_come_back_bit_for_bit(
    tmp_path: Path, dtype: type, sigma: float | np.ndarray | None
) -> None:
    data = kspace()[:, 0].astype(dtype) if dtype is np.complex64 else np.abs(kspace()[:, 0])
    if isinstance(sigma, np.ndarray):
        sigma = sigma.reshape(24, 10)
    images = Images(data=data, sigma=sigma, header=ATTRIBUTES)
    formats.write(tmp_path / "image.h5", images)
    back = formats.read(tmp_path / "image.h5")
    assert isinstance(back, Images)
    np.testing.assert_array_equal(back.data, data, strict=True)
    np.testing.assert_array_equal(back.sigma, sigma)  # type: ignore[arg-type]
    assert isinstance(back.sigma, type(sigma))
    assert back.header == {**ATTRIBUTES, "dataset": "reconstruction"}
    with h5py.File(tmp_path / "image.h5") as file:
        assert ("noise_sigma" in file) == (sigma is not None)


def test_images_keep_the_name_of_their_dataset_and_diffusion_directions(tmp_path: Path) -> None:
    images = Images(
        data=np.ones((2, 4, 4), np.float32),
        sigma=0.5,
        affine=np.diag([1.5, 1.5, 3, 1]),
        bval=np.array([0, 1000.0]),
        bvec=np.eye(3)[:2],
        header={"dataset": "reconstruction_rss"},
    )
    extra = {"reconstruction_esc": np.zeros((2, 4, 4), np.float32)}
    formats.write_hdf5(tmp_path / "image.h5", images, extra)
    with h5py.File(tmp_path / "image.h5") as file:
        assert "reconstruction_esc" in file
    back = formats.read(tmp_path / "image.h5")
    assert isinstance(back, Images)
    assert back.header["dataset"] == "reconstruction_rss"
    assert back.sigma == 0.5
    for name in ("affine", "bval", "bvec"):
        np.testing.assert_array_equal(getattr(back, name), getattr(images, name), strict=True)


def test_a_failure_in_the_middle_leaves_the_old_file(tmp_path: Path) -> None:
    formats.write(tmp_path / "scan.h5", Scan(kspace=kspace()))
    before = (tmp_path / "scan.h5").read_bytes()
    bad = kspace()
    bad[2] = np.nan
    scan = Scan(kspace=LazySlices(SHAPE, np.complex64, lambda i: bad[i]))
    with pytest.raises(ValueError, match="slice 2"):
        formats.write(tmp_path / "scan.h5", scan)
    assert [path.name for path in tmp_path.iterdir()] == ["scan.h5"]
    assert (tmp_path / "scan.h5").read_bytes() == before


def test_the_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.h5", "b.h5"):
        formats.write(tmp_path / name, Scan(kspace=kspace(), header=ATTRIBUTES))
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def test_what_cannot_be_written(tmp_path: Path) -> None:
    scan = Scan(kspace=kspace())
    with pytest.raises(ValueError, match=r"ends in \.h5, \.hdf5"):
        formats.write(tmp_path / "scan.txt", scan)
    with pytest.raises(FileNotFoundError, match="nowhere: no such folder"):
        formats.write(tmp_path / "nowhere" / "scan.h5", scan)
    (tmp_path / "folder.h5").mkdir()
    with pytest.raises(ValueError, match="is a folder"):
        formats.write(tmp_path / "folder.h5", scan)
    with pytest.raises(TypeError, match="cannot write a ndarray"):
        formats.write(tmp_path / "scan.h5", kspace())  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="header entry 'nested' is a dict"):
        formats.write(tmp_path / "scan.h5", Scan(kspace=kspace(), header={"nested": {"a": 1}}))
    assert [path.name for path in tmp_path.iterdir()] == ["folder.h5"]


def test_atomic_files_check_their_place(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is a folder"), atomic(tmp_path):
        pass
    with pytest.raises(FileNotFoundError, match="no such folder"), atomic(tmp_path / "a" / "b"):
        pass
    with atomic(tmp_path / "a.txt") as temporary:
        temporary.write_text("whole")
        assert not (tmp_path / "a.txt").exists()
    assert [p.read_text() for p in tmp_path.iterdir()] == ["whole"]


def test_a_trajectory_comes_back(tmp_path: Path) -> None:
    positions = np.random.default_rng(0).uniform(-8, 8, (24, 10, 2)).astype(np.float32)
    scan = Scan(kspace=kspace(), trajectory=positions, image_shape=(16, 15))
    formats.write(tmp_path / "radial.h5", scan)
    back = formats.read(tmp_path / "radial.h5")
    assert isinstance(back, Scan)
    np.testing.assert_array_equal(back.trajectory, positions, strict=True)  # type: ignore[arg-type]
    assert back.image_shape == (16, 15)
    np.testing.assert_array_equal(back.kspace[:], scan.kspace, strict=True)  # type: ignore[arg-type]
    with h5py.File(tmp_path / "radial.h5", "r+") as file:
        del file["trajectory"].attrs["image_shape"]
    again = formats.read(tmp_path / "radial.h5")
    assert isinstance(again, Scan)
    assert again.image_shape == (16, 16)  # the extent of the samples


def test_further_datasets_are_written_slice_by_slice(tmp_path: Path) -> None:
    asked = []

    def compute(name: str, index: int) -> np.ndarray:
        asked.append((name, index))
        return kspace()[index]

    scan = Scan(kspace=LazySlices(SHAPE, np.complex64, lambda i: compute("kspace", i)))
    extra = {"emi_kspace": LazySlices(SHAPE, np.complex64, lambda i: compute("emi", i))}
    formats.write_hdf5(tmp_path / "scan.h5", scan, extra)
    assert asked == [(name, i) for i in range(3) for name in ("kspace", "emi")]
    with h5py.File(tmp_path / "scan.h5") as file:
        np.testing.assert_array_equal(file["emi_kspace"][:], kspace())
