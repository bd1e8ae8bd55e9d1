"""`info`: text, JSON and pictures of scans, images and noise."""

import json
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from tests.cli.conftest import SIGMA
from tests.cli.runner import fail, files_in, succeed
from tests.formats.files import kspace, write_coded, write_fastmri, write_file


def test_a_scan_as_text(scan_file: Path) -> None:
    output = succeed("info", scan_file).stdout
    assert "raw k-space" in output
    assert "40, 32" in output
    assert "T1w" in output
    assert "3\n" in output


def test_a_scan_as_json(tmp_path: Path) -> None:
    data = kspace((3, 2, 24, 10))
    data[1] = 0
    data[0, :, 12, 5] = 99
    mask = np.arange(10) % 5 == 0
    path = write_fastmri(tmp_path / "scan.h5", kspace=data, mask=mask, noise_covariance=np.eye(2))
    found = json.loads(succeed("info", path, "--json").stdout)
    assert found["matrix_ky_kx"] == [24, 10]
    assert found["peak_at_ky_kx"] == [12, 5]
    assert found["sampled_fraction"] == pytest.approx(0.2)
    assert found["acceleration"] == pytest.approx(5)
    assert found["blank_slices"] == [1]
    assert found["noise_sigma"] == pytest.approx(np.sqrt(0.5))
    assert found["recon_matrix"] == [12, 10, 1]
    assert found["readout_axis"] == -2


def test_noise_that_cannot_be_found_is_said_to_be_unknown(tmp_path: Path) -> None:
    path = write_file(tmp_path / "scan.h5", kspace=kspace((1, 1, 6, 6)))
    assert json.loads(succeed("info", path, "--json").stdout)["noise_sigma"] is None
    assert "unknown" in succeed("info", path).stdout


def test_images_and_sets_of_images(tmp_path: Path) -> None:
    path = write_file(
        tmp_path / "image.h5", reconstruction=kspace()[:, 0], noise_sigma=np.full((24, 10), 0.5)
    )
    found = json.loads(succeed("info", path, "--json").stdout)
    assert (found["content"], found["noise_sigma"]) == ("complex images", 0.5)
    coded = write_coded(tmp_path / "coded.h5", "flair", "t2w")
    assert "2 sets of images" in succeed("info", coded).stdout


def test_a_noise_scan(tmp_path: Path) -> None:
    noise = SIGMA * kspace((4, 50, 100))
    path = write_file(tmp_path / "noise.h5", noise=noise)
    found = json.loads(succeed("info", path, "--json").stdout)
    # Each of the four levels rests on 10,000 real numbers, so its error is 1 / sqrt(20,000).
    assert abs(found["noise_sigma"] / SIGMA - 1) < 4 / np.sqrt(20_000)
    assert found["largest_coil_correlation"] < 5 / np.sqrt(5_000)
    assert found["samples_per_coil"] == 5000


@pytest.mark.parametrize("coils", [1, 4, 40])
def test_the_picture_of_a_scan(tmp_path: Path, coils: int) -> None:
    path = write_file(tmp_path / "scan.h5", kspace=kspace((1, coils, 12, 10)), mask=np.ones(10))
    succeed("info", path, "--picture", tmp_path / "scan.png")
    picture = imread(tmp_path / "scan.png")
    assert min(picture.shape[:2]) > 300
    assert picture.std() > 0.05
    assert files_in(tmp_path) == ["scan.h5", "scan.png"]


@pytest.mark.parametrize("complex_pixels", [True, False])
def test_the_picture_of_images(tmp_path: Path, complex_pixels: bool) -> None:
    data = kspace()[:, 0]
    path = write_file(
        tmp_path / "image.h5", reconstruction=data if complex_pixels else np.abs(data),
        noise_sigma=0.5,
    )  # fmt: skip
    succeed("info", path, "--picture", tmp_path / "image.svg")
    assert "<svg" in (tmp_path / "image.svg").read_text()


def test_pictures_that_cannot_be(tmp_path: Path, scan_file: Path) -> None:
    assert "ends in .png, .pdf or .svg" in fail("info", scan_file, "--picture", tmp_path / "a.txt")
    assert "no such folder" in fail("info", scan_file, "--picture", tmp_path / "no" / "a.png")
    noise = write_file(tmp_path / "noise.h5", noise=kspace()[0])
    assert "nothing to draw" in fail("info", noise, "--picture", tmp_path / "a.png")
    assert files_in(tmp_path) == ["noise.h5", "scan.h5"]


def test_real_files(real_data: Path, tmp_path: Path) -> None:
    for path in sorted(real_data.glob("*ch_*.h5")):
        found = json.loads(succeed("info", path, "--json").stdout)
        assert found["content"] in ("raw k-space", "noise scan")
    brain = real_data / "brain8ch_full.h5"
    succeed("info", brain, "--picture", tmp_path / "brain.png")
