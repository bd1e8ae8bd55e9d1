"""Reading: fastMRI as published, with what its files lack or have broken, and bad files."""

import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest

from kspace_denoise import formats
from kspace_denoise.scan import Images, Scan
from tests.formats.files import (
    BAD_SCANS,
    HEADER,
    SHAPE,
    kspace,
    write_coded,
    write_fastmri,
    write_file,
)


def read_scan(path: Path) -> Scan:
    scan = formats.read(path)
    assert isinstance(scan, Scan)
    return scan


def test_multi_coil_fastmri(tmp_path: Path) -> None:
    mask = np.arange(10) % 4 == 0
    scan = read_scan(write_fastmri(tmp_path / "brain.h5", mask=mask))
    np.testing.assert_array_equal(scan.kspace[:], kspace(), strict=True)
    assert (scan.kspace.shape, scan.kspace.dtype) == (SHAPE, np.complex64)
    np.testing.assert_array_equal(scan.mask, mask)  # type: ignore[arg-type]
    assert scan.field_strength == pytest.approx(2.8936)
    assert scan.readout_axis == -2
    assert scan.header["acquisition"] == "AXT2"
    assert scan.header["ismrmrd"]["encoded_matrix"] == [24, 10, 1]
    assert scan.header["ismrmrd"]["recon_matrix"] == [12, 10, 1]
    assert scan.header["ismrmrd"]["recon_field_of_view_mm"] == [320, 320.5, 4.5]
    assert "notes" not in scan.header


def test_single_coil_fastmri_gets_a_coil_axis(tmp_path: Path) -> None:
    data = kspace()[:, 0]
    scan = read_scan(write_fastmri(tmp_path / "knee.h5", kspace=data))
    assert scan.kspace.shape == (3, 1, 24, 10)
    np.testing.assert_array_equal(scan.kspace[1], data[1][None], strict=True)
    np.testing.assert_array_equal(scan.kspace[:], data[:, None], strict=True)


def test_kspace_is_read_when_asked_for_and_no_file_stays_open(tmp_path: Path) -> None:
    path = write_fastmri(tmp_path / "brain.h5")
    scan = read_scan(path)
    copy = pickle.loads(pickle.dumps(scan))
    np.testing.assert_array_equal(copy.kspace[2], kspace()[2])
    with h5py.File(path, "r+") as file:  # would fail if a handle were open
        file["kspace"][2] = 7
    for one in (scan, copy):
        with pytest.raises(ValueError, match="was changed while it was being read"):
            one.kspace[2]


def test_relative_paths_survive_a_change_of_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_fastmri(tmp_path / "brain.h5")
    monkeypatch.chdir(tmp_path)
    scan = read_scan(Path("brain.h5"))
    monkeypatch.chdir("/")
    np.testing.assert_array_equal(scan.kspace[0], kspace()[0])


@pytest.mark.parametrize(
    ("header", "note"),
    [
        ("<ismrmrdHeader><broken", "ismrmrd_header not read"),
        (HEADER.replace("2.8936", "three"), "could not convert"),
        ('<!DOCTYPE x [<!ENTITY a "b">]>' + HEADER[39:], "entities"),
        ("", "ismrmrd_header not read"),
    ],
)
def test_a_broken_header_is_a_note(tmp_path: Path, header: str, note: str) -> None:
    scan = read_scan(write_fastmri(tmp_path / "brain.h5", ismrmrd_header=header))
    assert scan.field_strength is None
    assert scan.readout_axis == -2
    assert any(note in line for line in scan.header["notes"])


def test_a_header_of_another_namespace_is_read(tmp_path: Path) -> None:
    header = HEADER.replace(' xmlns="http://www.ismrm.org/ISMRMRD"', "")
    scan = read_scan(write_fastmri(tmp_path / "brain.h5", ismrmrd_header=header))
    assert scan.field_strength == pytest.approx(2.8936)


@pytest.mark.parametrize(
    ("value", "axis"), [(-1, -1), (-2, -2), ("none", None), ("unknown", None), (5, None)]
)
def test_the_attribute_decides_the_readout_axis(
    tmp_path: Path, value: int | str, axis: int | None
) -> None:
    path = write_fastmri(tmp_path / "scan.h5")
    with h5py.File(path, "r+") as file:
        file.attrs["readout_axis"] = value
    assert read_scan(path).readout_axis == axis


def test_without_a_hint_the_readout_axis_is_unknown(tmp_path: Path) -> None:
    assert read_scan(write_file(tmp_path / "scan.h5", kspace=kspace())).readout_axis is None


@pytest.mark.parametrize(("value", "tesla"), [(0.055, 0.055), ("unknown (3 T)", None), (0, None)])
def test_field_strength_attribute(tmp_path: Path, value: float | str, tesla: float | None) -> None:
    path = write_file(tmp_path / "scan.h5", {"field_strength_T": value}, kspace=kspace())
    assert read_scan(path).field_strength == tesla


def test_two_dimensional_integer_mask_and_stored_covariance(tmp_path: Path) -> None:
    mask = (np.arange(240).reshape(24, 10) % 3 == 0).astype(np.uint8)
    psi = np.array([[2, 0.5j], [-0.5j, 3]])
    path = write_file(tmp_path / "scan.h5", kspace=kspace(), mask=mask, noise_covariance=psi)
    scan = read_scan(path)
    np.testing.assert_array_equal(scan.mask, mask.astype(bool))  # type: ignore[arg-type]
    np.testing.assert_array_equal(scan.noise_covariance, psi)  # type: ignore[arg-type]


def test_big_endian_and_double_data_keep_their_values(tmp_path: Path) -> None:
    path = write_file(tmp_path / "scan.h5", kspace=kspace().astype(">c16"))
    scan = read_scan(path)
    assert scan.kspace.dtype == np.complex128
    np.testing.assert_array_equal(scan.kspace[0], kspace()[0])


def test_unreadable_attributes_and_provenance_become_notes(tmp_path: Path) -> None:
    path = write_file(tmp_path / "scan.h5", kspace=kspace(), provenance="{broken")
    with h5py.File(path, "r+") as file:
        file.attrs["empty"] = h5py.Empty("f")
        file.attrs["bytes"] = np.bytes_(b"axial")
    header = read_scan(path).header
    assert header["bytes"] == "axial"
    assert [line.split(" not read")[0] for line in header["notes"]] == [
        "attribute 'empty'",
        "provenance",
    ]


def test_images_where_there_is_no_kspace(tmp_path: Path) -> None:
    data = np.abs(kspace()[:, 0])
    images = formats.read(write_file(tmp_path / "image.h5", reconstruction_rss=data))
    assert isinstance(images, Images)
    np.testing.assert_array_equal(images.data, data, strict=True)
    assert images.header["dataset"] == "reconstruction_rss"


def test_the_target_of_a_fastmri_file_is_read_as_images(tmp_path: Path) -> None:
    data = np.abs(kspace()[:, 0])
    path = write_fastmri(tmp_path / "brain.h5", reconstruction_rss=data)
    np.testing.assert_array_equal(formats.read_images(path).data, data)
    with pytest.raises(ValueError, match="neither `kspace` nor reconstruction"):
        formats.read_images(write_file(tmp_path / "none.h5", mask=np.ones(3)))


def test_integer_coded_images(tmp_path: Path) -> None:
    one = formats.read(write_coded(tmp_path / "one.h5", "ref3T"))
    assert isinstance(one, Images)
    np.testing.assert_allclose(one.data, 5)
    several = write_coded(tmp_path / "two.h5", "flair", "t2w")
    with pytest.raises(ValueError, match=r"2 sets of images: flair, t2w; name one.*'flair'"):
        formats.read(several)
    assert formats.read(several, dataset="t2w").header["dataset"] == "t2w"
    with pytest.raises(ValueError, match=r"no dataset 'dwi'; it holds flair \(2, 3, 3\) uint16"):
        formats.read(several, dataset="dwi")


def test_integers_without_a_scale_are_refused(tmp_path: Path) -> None:
    path = write_file(tmp_path / "image.h5", reconstruction_rss=np.ones((1, 2, 2), np.uint16))
    with pytest.raises(ValueError, match="without a `scale`"):
        formats.read(path)


@pytest.mark.parametrize("kind", BAD_SCANS)
def test_bad_files_are_refused(tmp_path: Path, kind: str) -> None:
    make, message = BAD_SCANS[kind]
    make(tmp_path / "bad.h5")
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        read_scan(tmp_path / "bad.h5").kspace[:]


def test_kspace_that_is_a_group(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        file.create_group("kspace/coil0")
    with pytest.raises(ValueError, match="`kspace` is a group"):
        formats.read(tmp_path / "scan.h5")


def test_data_damaged_in_the_middle(tmp_path: Path) -> None:
    path = tmp_path / "scan.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("kspace", data=kspace((3, 2, 64, 64)), chunks=(1, 2, 64, 64),
                            compression="gzip")  # fmt: skip
        start = file["kspace"].id.get_chunk_info(0).byte_offset
    whole = bytearray(path.read_bytes())
    whole[start : start + 500] = b"\xff" * 500
    path.write_bytes(whole)
    scan = read_scan(path)
    with pytest.raises(ValueError, match="is damaged: its dataset '/kspace' cannot be read"):
        scan.kspace[0]


def test_a_noise_scan_is_no_scan(tmp_path: Path) -> None:
    path = write_file(tmp_path / "noise.h5", noise=kspace()[0])
    assert formats.is_noise_scan(path)
    with pytest.raises(ValueError, match="give it as --noise"):
        formats.read(path)


def test_every_real_file_reads(real_data: Path) -> None:
    for path in sorted(real_data.glob("*.h5")):
        if "noise" in path.name:
            assert formats.read_noise(path).samples is not None
        elif "reference" in path.name:
            assert isinstance(formats.read(path, dataset="ref3T_FLAIR"), Images)
        else:
            scan = read_scan(path)
            assert scan.kspace[0].shape == scan.kspace.shape[1:]
            assert "notes" not in scan.header


def test_random_damage_is_read_or_refused(tmp_path: Path) -> None:
    """A file whose structure is broken raises ValueError, whatever h5py makes of it."""
    whole = write_fastmri(tmp_path / "whole.h5").read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(100):
        damaged, start = bytearray(whole), int(rng.integers(len(whole) - 300))
        damaged[start : start + 100] = rng.bytes(100)
        (tmp_path / "bad.h5").write_bytes(damaged)
        try:
            scan = formats.read(tmp_path / "bad.h5")
            assert isinstance(scan, Images) or scan.kspace[:] is not None
        except (ValueError, TypeError):
            refused += 1
    assert refused > 10
