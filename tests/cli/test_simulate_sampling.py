"""`simulate`: masks of every kind, one for all slices or one each, and interference."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from kspace_denoise import formats, sim
from kspace_denoise.scan import Scan
from tests.cli.conftest import SHAPE, clean_kspace, covariance
from tests.cli.runner import fail, files_in, succeed
from tests.cli.test_simulate import relative_error, simulated

CPU = ["--device", "cpu"]


@pytest.mark.parametrize("kind", sim.MASKS)
def test_every_kind_of_mask(tmp_path: Path, kind: str) -> None:
    wide = np.concatenate([clean_kspace()] * 3, axis=-1)  # gsure needs more than 30 lines
    formats.write(tmp_path / "scan.h5", Scan(kspace=wide, readout_axis=-2))
    acceleration = 1.5 if kind == "partial-fourier" else 2
    options = ["--acceleration", acceleration, "--mask", kind, "--seed", 3]
    done = succeed("simulate", tmp_path / "scan.h5", tmp_path / "out.h5", *options, *CPU)
    scan = formats.read(tmp_path / "out.h5")
    assert isinstance(scan, Scan)
    expected = sim.mask(kind, wide.shape[-2:], acceleration, None, 3)
    assert scan.mask is not None
    np.testing.assert_array_equal(np.broadcast_to(scan.mask, expected.shape), expected)
    np.testing.assert_array_equal(scan.kspace[:], np.where(expected, wide, 0))
    record = scan.header["provenance"]["parameters"]
    real = sim.achieved_acceleration(expected)
    assert record["achieved_acceleration"] == pytest.approx(real)
    assert scan.header["acceleration"] == pytest.approx(real)
    assert f"acceleration {real:.3f}" in done.stdout
    assert (record["mask"], record["mask_per_slice"]) == (kind, False)


def test_a_mask_per_slice(scan_file: Path) -> None:
    options = ["--acceleration", 2, "--calibration", 6, "--mask-per-slice"]
    scan = simulated(scan_file, *options)
    assert scan.mask is not None
    assert scan.mask.shape == (SHAPE[0], 1, SHAPE[3])
    assert (scan.mask[0] != scan.mask[1]).any()
    assert (scan.mask.sum(axis=(1, 2)) == SHAPE[3] // 2).all()
    sampled = np.broadcast_to(scan.mask[:, None], SHAPE)
    np.testing.assert_array_equal(scan.kspace[:] != 0, sampled)
    again = simulated(scan_file, *options)
    np.testing.assert_array_equal(again.mask, scan.mask)  # type: ignore[arg-type]


def test_the_readout_axis_may_be_given(clean_file: Path) -> None:
    options = ["--acceleration", 2, "--calibration", 4, "--readout-axis", "-1"]
    scan = simulated(clean_file, *options)
    assert scan.mask is not None
    assert scan.mask.shape == (SHAPE[2], 1)
    assert scan.readout_axis == -1


def test_interference_comes_with_detectors(scan_file: Path) -> None:
    plain = simulated(scan_file, "--sigma", 0.1)
    without = plain.kspace[:]
    scan = simulated(scan_file, "--sigma", 0.1, "--interference", 3)
    disturbance = scan.kspace[:] - without
    record = scan.header["provenance"]["parameters"]["interference"]
    level = np.sqrt(np.mean(np.abs(disturbance) ** 2) / 2)
    # Three broadband sources and three lines with a power that comes and goes.
    assert level == pytest.approx(record["sigma"], rel=0.3)
    assert record["sigma"] == pytest.approx(3 * scan.header["provenance"]["sigma"])
    np.testing.assert_array_equal(scan.noise_covariance, plain.noise_covariance)  # type: ignore[arg-type]
    with h5py.File(scan_file.with_name("out.h5")) as file:
        detectors = file["emi_kspace"][:]
    assert detectors.shape == (SHAPE[0], 5, *SHAPE[2:])
    # What the coils receive of the sources can be told from the detectors, as nothing else can.
    for index in range(len(detectors)):
        seen, target = detectors[index].reshape(5, -1).T, disturbance[index].reshape(4, -1).T
        left = target - seen @ np.linalg.lstsq(seen, target, rcond=None)[0]
        assert np.mean(np.abs(left) ** 2) < 0.5 * np.mean(np.abs(target) ** 2)


def test_interference_of_undersampled_scans_is_sampled_too(scan_file: Path) -> None:
    options = ["--acceleration", 2, "--calibration", 6, "--interference", 1]
    scan = simulated(scan_file, *options)
    with h5py.File(scan_file.with_name("out.h5")) as file:
        detectors = file["emi_kspace"][:]
    sampled = np.broadcast_to(scan.mask, detectors.shape)  # type: ignore[arg-type]
    np.testing.assert_array_equal(detectors != 0, sampled)


def test_interference_alone_leaves_the_noise_what_it_was(scan_file: Path) -> None:
    scan = simulated(scan_file, "--interference", 1)
    np.testing.assert_allclose(scan.noise_covariance, covariance())  # type: ignore[arg-type]
    noise = formats.read(scan_file).kspace[:] - clean_kspace()  # type: ignore[union-attr]
    assert relative_error(noise, covariance()) < 5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--acceleration", 2, "--mask", "spirl"], "unknown mask kind 'spirl'"),
        (["--acceleration", "inf"], "acceleration is inf"),
        (["--acceleration", 100], "acceleration=100"),
        (["--acceleration", 2, "--calibration", 99], "calibration=99 lines, expected 0 to the 32"),
        (["--acceleration", 2.5, "--mask", "equispaced"], "not an integer"),
        (["--acceleration", 3, "--mask", "partial-fourier"], "below 2"),
        (["--sigma", 1, "--calibration", 4], "--calibration needs --acceleration"),
        (["--sigma", 1, "--mask-per-slice"], "--mask-per-slice needs --acceleration"),
        (["--acceleration", 2, "--readout-axis", "-1"], "but the file says -2"),
        (["--acceleration", 2, "--trajectory", "radial"], "choose one of --acceleration and"),
        (["--interference", 0], "0.0 is not in the range"),
        (["--noise-free", "--interference", 1], "relative to the noise"),
    ],
)
def test_refusals(scan_file: Path, options: list[object], message: str) -> None:
    assert message in fail("simulate", scan_file, scan_file.with_name("out.h5"), *options, *CPU)
    assert files_in(scan_file.parent) == ["scan.h5"]


def test_interference_needs_a_readout_axis(tmp_path: Path) -> None:
    scan = Scan(kspace=clean_kspace(), noise_covariance=covariance())
    formats.write(tmp_path / "a.h5", scan)
    options = ["simulate", tmp_path / "a.h5", tmp_path / "out.h5", "--interference", 1, *CPU]
    assert "give --readout-axis" in fail(*options)
    succeed(*options, "--readout-axis", "-2")
