"""`simulate`: no two draws share their noise, and what cannot be computed is refused."""

from pathlib import Path

import numpy as np
import pytest

from kspace_denoise import formats
from kspace_denoise.scan import Scan
from tests.cli.conftest import SHAPE, clean_kspace, covariance
from tests.cli.runner import fail, files_in, succeed
from tests.cli.test_simulate import CPU, simulated
from tests.formats.files import kspace


def test_repetitions_get_independent_noise(scan_file: Path) -> None:
    source = formats.read(scan_file)
    assert isinstance(source, Scan)
    other = scan_file.with_name("other.h5")
    noise = 0.02 * kspace(SHAPE, seed=5)
    formats.write(other, Scan(kspace=clean_kspace() + noise, noise_covariance=covariance()))
    added = []
    for path in (scan_file, other):
        before = formats.read(path)
        assert isinstance(before, Scan)
        scan = simulated(path, "--sigma", 0.5)
        added.append(scan.kspace[:] - before.kspace[:])
    one, two = (x.ravel() for x in added)
    correlation = abs(np.vdot(one, two)) / np.linalg.norm(one) / np.linalg.norm(two)
    assert correlation < 4 / np.sqrt(one.size)


def test_slices_with_the_same_data_get_independent_noise(tmp_path: Path) -> None:
    path = tmp_path / "same.h5"
    formats.write(path, Scan(kspace=np.repeat(clean_kspace()[:1], 2, axis=0)))
    one, two = simulated(path, "--sigma", 0.5, "--noise-free").kspace[:] - clean_kspace()[0]
    correlation = abs(np.vdot(one, two)) / np.linalg.norm(one) / np.linalg.norm(two)
    assert correlation < 4 / np.sqrt(one.size)


def test_a_trajectory_through_zero_filled_kspace_is_refused(tmp_path: Path) -> None:
    data = clean_kspace() + 0.02 * kspace(SHAPE, seed=5)
    data[..., :4] = 0
    path = tmp_path / "filled.h5"
    formats.write(
        path,
        Scan(kspace=data, noise_covariance=covariance(), field_strength=3.0, readout_axis=-2),
    )
    out = tmp_path / "out.h5"
    said = fail("simulate", path, out, "--trajectory", "radial", *CPU)
    assert "12% of the k-space of IN is zero-filled" in said
    assert files_in(tmp_path) == ["filled.h5"]
    succeed("simulate", path, out, "--trajectory", "radial", "--field", 0.28, *CPU)


def test_a_blank_slice_stays_blank_along_a_trajectory(tmp_path: Path) -> None:
    data = clean_kspace() + 0.02 * kspace(SHAPE, seed=5)
    data[0] = 0
    path = tmp_path / "blank.h5"
    formats.write(path, Scan(kspace=data, noise_covariance=covariance(), field_strength=3.0))
    scan = simulated(path, "--trajectory", "radial", "--readouts", 9, "--field", 0.28)
    assert [bool(piece.any()) for piece in scan.kspace[:]] == [False, True]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--field", 0.3, "--source-field", 0], "--source-field 0: expected a positive number"),
        (["--relaxation-factor", 1e200, "--field", 0.3], "too large or too small"),
        (["--trajectory", "radial", "--readouts", 100000000], "give fewer readouts"),
    ],
)
def test_numbers_beyond_sense_are_refused(scan_file: Path, options: list, said: str) -> None:
    out = scan_file.with_name("out.h5")
    assert said in fail("simulate", scan_file, out, *options, *CPU)
    assert not out.exists()


def test_the_record_of_a_phantom_is_true(tmp_path: Path) -> None:
    out = tmp_path / "head.h5"
    small = ["simulate", "phantom", out, "--shape", "32x32", "--slices", 1, "--coils", 2]
    said = fail(*small, "--noise-free", "--phantom-snr", 20)
    assert "--phantom-snr and --noise-free contradict each other" in said
    succeed(*small, "--noise-free", "--acceleration", 2, *CPU)
    scan = formats.read(out)
    assert isinstance(scan, Scan)
    record = scan.header["provenance"]["parameters"]
    assert record["phantom"]["phantom_snr"] is None
    assert record["calibration"] == 3  # 8 % of 32 lines


def test_a_source_without_noise_is_told_how_to_say_so(clean_file: Path) -> None:
    out = clean_file.with_name("out.h5")
    assert "or say --noise-free" in fail("simulate", clean_file, out, "--sigma", 0.1)
