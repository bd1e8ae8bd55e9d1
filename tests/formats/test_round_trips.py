"""The same scan through every format is the same array, and so are images."""

from pathlib import Path
from typing import Any

import h5py
import nibabel
import numpy as np
import pytest

import kspace_denoise as kd
from kspace_denoise.scan import Images, Scan
from tests.formats.files import HEADER, kspace

KSPACE = (".h5", ".mrd", ".cfl")
IMAGES = (*KSPACE, ".nii.gz")
ARRAYS = ("mask", "noise_covariance", "noise_profile", "noise_spectrum")
COVARIANCE = np.array([[2, 0.1j], [-0.1j, 3]])

SCANS: dict[str, dict[str, Any]] = {
    "full": {},
    "one coil, one slice": {"kspace": kspace((1, 1, 7, 5))},
    "lines": {"mask": np.arange(24)[:, None] % 3 == 0},
    "lines of each slice": {"mask": np.arange(72).reshape(3, 24, 1) % 5 < 2},
    "columns": {"mask": np.arange(10) % 3 > 0, "readout_axis": -2},
    "partial echoes": {"mask": (np.arange(24) > 5)[:, None] & (np.arange(10) > 3)},
    "anywhere": {"mask": kspace((24, 10)).real > 0, "readout_axis": None},
    "all of a mask": {"mask": np.ones((1, 24, 1), bool)},
    "noise": {
        "noise_covariance": COVARIANCE,
        "noise_profile": np.linspace(0.4, 1, 24, dtype=np.float32)[:, None],
        "noise_spectrum": np.linspace(0, 2, 10, dtype=np.float32),
        "field_strength": 0.3,
    },
    "header": {
        "field_strength": 2.8936,
        "header": {
            "ismrmrd_header": HEADER,
            "words": ["a", "ü"],
            "max": 0.1 + 0.2,
            "provenance": {"command": "x", "seed": 0},
        },
    },
}


def scan(readout_axis: int | None = -1, **changes: Any) -> Scan:
    made = Scan(**{"kspace": kspace(), "readout_axis": readout_axis, **changes})
    assert isinstance(made.kspace, np.ndarray)
    held = np.ones(1, bool) if made.mask is None else made.mask
    broad = np.broadcast_to(held, (len(made.kspace), *made.kspace.shape[2:]))
    return Scan(**{**vars(made), "kspace": made.kspace * broad[:, None]})


@pytest.mark.parametrize("suffix", KSPACE)
@pytest.mark.parametrize("case", list(SCANS))
def test_a_scan_comes_back_bit_for_bit(tmp_path: Path, suffix: str, case: str) -> None:
    given = scan(**SCANS[case])
    path = tmp_path / f"scan{suffix}"
    kd.write(path, given)
    back = kd.read(path)
    assert isinstance(back, Scan)
    np.testing.assert_array_equal(back.kspace[:], given.kspace[:], strict=True)
    for name in ARRAYS:
        np.testing.assert_equal(getattr(back, name), getattr(given, name))
    assert (back.readout_axis, back.field_strength) == (given.readout_axis, given.field_strength)
    assert back.header.items() >= given.header.items()
    np.testing.assert_array_equal(back.kspace[-1], given.kspace[-1])


@pytest.mark.parametrize("suffix", [".mrd", ".cfl"])
def test_real_scans_come_back_bit_for_bit(tmp_path: Path, real_data: Path, suffix: str) -> None:
    names = "brain16ch_lowres", "brain8ch_poisson_R8", "ulf55mT_caseA_AXFLAIR"
    for name in (*names, "pulseq3T_phantom_4ch_sol13", "knee1ch_fatsat_coronal"):
        given = kd.read(real_data / f"{name}.h5")
        assert isinstance(given, Scan)
        kd.write(tmp_path / f"scan{suffix}", given)
        back = kd.read(tmp_path / f"scan{suffix}")
        assert isinstance(back, Scan)
        np.testing.assert_array_equal(back.kspace[:], given.kspace[:])
        np.testing.assert_equal(back.mask, given.mask)
        assert back.header == given.header


IMAGE_SETS: dict[str, dict[str, Any]] = {
    "complex": {"data": kspace((3, 24, 10))},
    "magnitude": {"data": np.abs(kspace((3, 24, 10)))},
    "real": {"data": kspace((1, 24, 10)).real.copy()},
    "level": {"data": kspace((3, 24, 10)), "sigma": 0.3},
    "map": {"data": kspace((3, 24, 10)), "sigma": np.abs(kspace((3, 24, 10), 1))},
    "volumes": {"data": np.abs(kspace((4, 3, 24, 10)))},
    "placed": {
        "data": kspace((3, 24, 10)),
        "affine": np.array([[-1.5, 0, 0.1, 4], [0, 2, 0, -7.5], [0.2, 0, 5, 30], [0, 0, 0, 1.0]]),
    },
}


@pytest.mark.parametrize("suffix", IMAGES)
@pytest.mark.parametrize("case", list(IMAGE_SETS))
def test_images_come_back_bit_for_bit(tmp_path: Path, suffix: str, case: str) -> None:
    given = Images(**IMAGE_SETS[case])
    path = tmp_path / f"images{suffix}"
    kd.write(path, given)
    back = kd.read(path)
    assert isinstance(back, Images)
    np.testing.assert_array_equal(back.data, given.data, strict=True)
    if suffix == ".nii.gz" and isinstance(given.sigma, float):
        np.testing.assert_allclose(np.asarray(back.sigma), given.sigma, rtol=1e-6)  # of each voxel
    else:
        np.testing.assert_equal(back.sigma, given.sigma)
    if given.affine is not None:
        assert back.affine is not None
        np.testing.assert_allclose(back.affine, given.affine, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("suffix", [".mrd", ".cfl"])
def test_double_precision_is_not_cut_in_silence(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(TypeError, match=r"complex128.*convert it"):
        kd.write(tmp_path / f"scan{suffix}", Scan(kspace=kspace().astype(complex)))
    assert not list(tmp_path.iterdir())


def test_other_programs_find_the_acquisitions(tmp_path: Path) -> None:
    import ismrmrd

    # this header lacks what the schema demands: another takes its place for other programs
    given = scan(header={"ismrmrd_header": HEADER}, **SCANS["lines"])
    kd.write(tmp_path / "scan.mrd", given)
    with ismrmrd.Dataset(str(tmp_path / "scan.mrd"), create_if_needed=False) as file:
        head = ismrmrd.xsd.CreateFromDocument(file.read_xml_header())
        matrix = head.encoding[0].encodedSpace.matrixSize
        assert (matrix.x, matrix.y) == (10, 24)
        assert file.number_of_acquisitions() == 3 * 8
        one = file.read_acquisition(10)
        assert (one.idx.slice, one.idx.kspace_encode_step_1, one.center_sample) == (1, 6, 5)
        np.testing.assert_array_equal(one.data, given.kspace[1][:, 6])
        assert file.read_acquisition(7).is_flag_set(ismrmrd.ACQ_LAST_IN_SLICE)
        assert file.read_acquisition(23).is_flag_set(ismrmrd.ACQ_LAST_IN_MEASUREMENT)


def test_a_trajectory_is_not_written_as_lines(tmp_path: Path) -> None:
    given = Scan(
        kspace=kspace(), trajectory=np.zeros((24, 10, 2), np.float32), image_shape=(16, 16)
    )
    with pytest.raises(ValueError, match="has a trajectory"):
        kd.write(tmp_path / "scan.mrd", given)
    kd.write(tmp_path / "scan.cfl", given)
    back = kd.read(tmp_path / "scan.cfl")
    assert isinstance(back, Scan)
    np.testing.assert_equal(back.trajectory, given.trajectory)


def test_unknown_names_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"ends in \.h5, \.hdf5, \.mrd, \.cfl, \.hdr, \.nii"):
        kd.write(tmp_path / "scan.npy", scan())
    with pytest.raises(TypeError, match="NIfTI holds images, not a Scan"):
        kd.write(tmp_path / "scan.nii", scan())


def test_nifti_and_ismrmrd_agree_on_where_a_voxel_is(tmp_path: Path) -> None:
    given = Images(**IMAGE_SETS["placed"])
    kd.write(tmp_path / "images.nii.gz", given)
    kd.write(tmp_path / "images.mrd", given)
    volume: Any = nibabel.load(tmp_path / "images.nii.gz")
    with h5py.File(tmp_path / "images.mrd") as file:
        heads = file["dataset/image_0/header"][:]
    centre = volume.affine @ [5, 12, 2, 1]  # pixel n // 2 of the last slice
    np.testing.assert_allclose(heads["position"][2] * [-1, -1, 1], centre[:3], rtol=1e-5)
