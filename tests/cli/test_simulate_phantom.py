"""`simulate phantom OUT`: a scan without any file to start from."""

import json
from pathlib import Path

import numpy as np
import pytest

from kspace_denoise import formats
from kspace_denoise.scan import Scan
from tests.cli.runner import fail, files_in, succeed
from tests.cli.test_simulate import relative_error

SMALL = ["--shape", "48x40", "--slices", 2, "--coils", 3, "--device", "cpu"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def drawn(name: str, *options: object) -> Scan:
    succeed("simulate", "phantom", name, *SMALL, *options)
    scan = formats.read(name)
    assert isinstance(scan, Scan)
    return scan


def test_a_phantom_has_noise_of_its_own_and_goes_to_low_field() -> None:
    clean = drawn("clean.h5", "--noise-free")
    assert clean.noise_covariance is None
    assert clean.kspace.shape == (2, 3, 48, 40)
    high = drawn("high.h5")
    low = drawn("low.h5", "--field", 0.3)
    assert (high.field_strength, low.field_strength) == (3.0, 0.3)
    for scan, gain in ((high, 1.0), (low, 0.01)):
        psi = scan.noise_covariance
        assert psi is not None
        assert relative_error(scan.kspace[:] - gain * clean.kspace[:], psi) < 5
        assert abs(psi[0, 1]) > 0.1 * abs(psi[0, 0])  # the coils share noise
    np.testing.assert_allclose(low.noise_covariance, 0.01 * high.noise_covariance)  # type: ignore[operator]
    record = low.header["provenance"]
    assert record["inputs"] == []
    assert record["parameters"]["phantom"]["field_T"] == 3.0
    assert (clean.kspace[0] != clean.kspace[1]).any()  # two heads


def test_its_snr_is_what_info_says() -> None:
    for options, snr in (([], 100), (["--field", 0.6], 20), (["--phantom-snr", 30], 30)):
        drawn("a.h5", "--slices", 1, *options)
        found = json.loads(succeed("info", "a.h5", "--json").stdout)
        assert found["snr"] == pytest.approx(snr, rel=0.03)


def test_its_header_knows_the_sequence() -> None:
    flair = drawn("flair.h5", "--contrast", "FLAIR")
    assert flair.header["contrast"] == "FLAIR"
    said = flair.header["ismrmrd"]["sequence"]
    assert (said["repetition_time_ms"], said["inversion_time_ms"]) == (9000, 2500)
    low = drawn("low.h5", "--contrast", "T1w", "--field", 1.5, "--sequence", "inversion-recovery")
    law = low.header["provenance"]["parameters"]["low_field"]
    assert set(law["timing_from"].values()) == {"header of IN"}
    assert law["relaxation_factor"] != 1


def test_a_file_of_that_name_is_a_file(folder: Path, scan_file: Path) -> None:
    scan_file.rename(folder / "phantom")
    succeed("simulate", "phantom", "out.h5", "--sigma", 1, "--device", "cpu")
    scan = formats.read("out.h5")
    assert isinstance(scan, Scan)
    assert scan.kspace.shape[1] == 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--shape", "big"], "--shape big: expected a size such as 256x256"),
        (["--shape", "8x8"], "16 or more"),
        (["--contrast", "T9"], "unknown contrast 'T9'"),
        (["--coils", 0], "0 is not in the range"),
        (["--source-field", -1], "field_strength is -1.0"),
        (["--noise", "n.h5"], "a phantom has noise of its own"),
        (["--field", 7], "field=7.0 T is above source_field=3.0 T"),
    ],
)
def test_refusals(folder: Path, options: list[object], message: str) -> None:
    assert message in fail("simulate", "phantom", "out.h5", *SMALL, *options)
    assert files_in(folder) == []


def test_the_word_in_capitals_is_a_slip() -> None:
    message = fail("simulate", "Phantom", "out.h5", *SMALL)
    assert message == "error: Phantom: no such file; to draw heads write `phantom`"


def test_options_of_phantoms_do_not_fit_files(scan_file: Path) -> None:
    message = fail("simulate", scan_file, "out.h5", "--sigma", 1, "--coils", 4)
    assert "--coils belongs to a phantom: give `phantom` as IN" in message


def test_a_scan_that_was_made_without_noise_is_known_to_have_none(tmp_path: Path) -> None:
    clean, noisy = tmp_path / "clean.h5", tmp_path / "noisy.h5"
    size = ("--shape", "32x32", "--slices", 1, "--coils", 2)
    succeed("simulate", "phantom", clean, *size, "--noise-free")
    succeed("simulate", clean, noisy, "--snr", 8)
    said = succeed("reconstruct", clean, tmp_path / "image.h5", "--method", "sense").stderr
    assert "the scan was simulated without noise: the image is written without a noise map" in said
    assert formats.read(noisy).noise_covariance is not None
    succeed("simulate", noisy, tmp_path / "less.h5", "--acceleration", 2)
    said = succeed("reconstruct", noisy, tmp_path / "image.h5", "--method", "sense").stderr
    assert "without noise" not in said
