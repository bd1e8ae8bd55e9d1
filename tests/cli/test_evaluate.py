"""`evaluate`: scores, and every choice behind them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kspace_denoise.metrics import nmse, object_mask, psnr, ssim
from tests.cli.runner import fail, succeed
from tests.formats.files import kspace, write_file


@pytest.fixture
def truth() -> np.ndarray:
    y, x = np.mgrid[-1:1:40j, -1:1:36j]
    inside = (x**2 + y**2 < 0.6) * np.exp(1j * x)
    return (inside * np.array([1, 2])[:, None, None]).astype(np.complex64)


@pytest.fixture
def noisy(truth: np.ndarray) -> np.ndarray:
    return truth + 0.1 * kspace(truth.shape)


def scores(tmp_path: Path, image: np.ndarray, reference: np.ndarray, *options: Any) -> Any:
    a = write_file(tmp_path / "a.h5", reconstruction=image)
    b = write_file(tmp_path / "b.h5", reconstruction_rss=reference)
    return json.loads(succeed("evaluate", a, b, "--json", *options).stdout)


def test_complex_images_are_scored_inside_the_object(
    tmp_path: Path, truth: np.ndarray, noisy: np.ndarray
) -> None:
    found = scores(tmp_path, noisy, truth)
    mask = object_mask(truth)
    assert found["psnr_db"] == pytest.approx(psnr(noisy, truth, data_range=2, mask=mask))
    assert found["nmse"] == pytest.approx(nmse(noisy, truth, mask=mask))
    assert found["ssim"] == pytest.approx(ssim(np.abs(noisy), np.abs(truth), data_range=2))
    assert found["data_range"] == pytest.approx(2)
    assert found["data_range_from"] == "reference-max"
    assert (found["pixels"], found["crop"], found["slices"]) == ("complex", "none", 2)
    assert "object" in found["mask"]


def test_a_magnitude_reference_makes_it_a_magnitude_score(
    tmp_path: Path, truth: np.ndarray, noisy: np.ndarray
) -> None:
    found = scores(tmp_path, noisy, np.abs(truth), "--data-range", 4)
    expected = psnr(np.abs(noisy), np.abs(truth), data_range=4)
    assert found["psnr_db"] == pytest.approx(expected)
    assert (found["pixels"], found["mask"], found["data_range"]) == ("magnitude", "none", 4)


def test_magnitudes_of_complex_images_are_compared_where_asked(
    tmp_path: Path, truth: np.ndarray, noisy: np.ndarray
) -> None:
    found = scores(tmp_path, noisy * np.exp(1j), truth, "--magnitude")
    assert found["psnr_db"] == pytest.approx(psnr(np.abs(noisy), np.abs(truth), data_range=2))
    assert found["nmse"] == pytest.approx(nmse(np.abs(noisy), np.abs(truth)))
    assert (found["pixels"], found["mask"]) == ("magnitude", "none")


def test_crops_are_central(tmp_path: Path, truth: np.ndarray, noisy: np.ndarray) -> None:
    found = scores(tmp_path, np.abs(noisy), np.abs(truth)[:, 4:-4, 4:-4], "--crop", 20)
    a, b = np.abs(noisy)[:, 10:30, 8:28], np.abs(truth)[:, 10:30, 8:28]
    assert found["psnr_db"] == pytest.approx(psnr(a, b, data_range=float(b.max())))
    assert found["crop"] == "central 20 × 20"


def test_the_text_names_range_crop_pixels_and_mask(
    tmp_path: Path, truth: np.ndarray, noisy: np.ndarray
) -> None:
    a = write_file(tmp_path / "a.h5", reconstruction=noisy)
    b = write_file(tmp_path / "b.h5", reconstruction=truth)
    output = succeed("evaluate", a, b).stdout
    for words in (
        "range      2 (reference-max)",
        "crop       none, 2 slices",
        "(complex pixels, mask: object (of the reference))",
        "7 × 7 uniform window, full image",
        "b.h5 (reconstruction)",
    ):
        assert words in output
    assert "infinite" in succeed("evaluate", a, a).stdout


def test_a_phase_of_whole_slices_is_told(
    tmp_path: Path, truth: np.ndarray, noisy: np.ndarray
) -> None:
    b = write_file(tmp_path / "b.h5", reconstruction=truth)
    turned = noisy * np.exp(np.deg2rad([0, 134]) * 1j)[:, None, None]
    a = write_file(tmp_path / "a.h5", reconstruction=turned.astype(np.complex64))
    told = succeed("evaluate", a, b).stderr
    assert "note: the images differ by a phase (slice 1: 134 degrees): --magnitude" in told
    assert succeed("evaluate", a, b, "--magnitude").stderr == ""
    same = write_file(tmp_path / "same.h5", reconstruction=noisy)
    assert succeed("evaluate", same, b).stderr == ""  # noise alone
    assert succeed("evaluate", same, same).stderr == ""


def test_an_equal_image_is_null_in_json(tmp_path: Path, truth: np.ndarray) -> None:
    assert scores(tmp_path, truth, truth)["psnr_db"] is None


def test_refusals(tmp_path: Path, truth: np.ndarray) -> None:
    a = write_file(tmp_path / "a.h5", reconstruction=truth)
    b = write_file(tmp_path / "b.h5", reconstruction=truth[:, 1:])
    assert "(2, 40, 36), but the reference (2, 39, 36); --crop N" in fail("evaluate", a, b)
    assert "--crop 40 does not fit an image of 40 × 36" in fail("evaluate", a, a, "--crop", 40)
    assert "neither a number nor reference-max" in fail("evaluate", a, a, "--data-range", "max")
    assert "data_range is -1" in fail("evaluate", a, a, "--data-range", "-1")
    assert "smaller than the 7" in fail("evaluate", a, a, "--crop", 5)
    scan = write_file(tmp_path / "scan.h5", kspace=kspace())
    assert "it holds kspace" in fail("evaluate", scan, a)
