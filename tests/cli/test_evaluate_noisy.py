"""`evaluate --noisy-reference`: the error without the noise of what an image is scored by."""

import json
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest

from kspace_denoise import Scan, write
from kspace_denoise.cli.chain import DECLARED_FREE
from kspace_denoise.fourier import fft2c
from kspace_denoise.metrics import error_against_noisy, object_mask
from kspace_denoise.recon import NoiseNotFound
from tests.cli.runner import fail, succeed
from tests.formats.files import kspace, write_file

SHAPE, SIGMA, LEFT = (2, 64, 60), 0.2, 0.5


@pytest.fixture
def truth() -> np.ndarray:
    y, x = np.mgrid[-1:1:64j, -1:1:60j]
    disc = 3 * (x**2 + y**2 < 0.6) * (1.5 + 0.3 * np.sin(5 * x))
    return np.stack([disc, disc]).astype(np.complex64)


@pytest.fixture
def denoised(tmp_path: Path, truth: np.ndarray) -> Path:
    """An image whose error is LEFT of the variance of the noise."""
    image = truth + SIGMA * np.sqrt(LEFT) * kspace(SHAPE, 1)
    return write_file(tmp_path / "denoised.h5", reconstruction=image)


@pytest.fixture
def reference(tmp_path: Path, truth: np.ndarray) -> Path:
    return write_file(
        tmp_path / "reference.h5",
        reconstruction=truth + SIGMA * kspace(SHAPE, 2),
        noise_sigma=np.full(SHAPE, SIGMA, np.float32),
    )


def scores(*words: Any) -> Any:
    return json.loads(succeed("evaluate", *words, "--noisy-reference", "--json").stdout)


def test_the_noise_of_the_reference_is_taken_off(denoised: Path, reference: Path) -> None:
    found = scores(denoised, reference)
    error = found["unbiased_error_standard_error"]
    assert 0.01 < error < 0.05
    assert found["unbiased_error"] == pytest.approx(LEFT, abs=4 * error)
    assert found["reference_sigma"] == pytest.approx(SIGMA)
    assert found["reference_sigma_from"] == "stored in the file"
    printed = succeed("evaluate", denoised, reference, "--noisy-reference").stdout
    assert f"unbiased   {found['unbiased_error']:.4f} ± {error:.4f} σ²" in printed
    cropped = scores(denoised, reference, "--crop", 48)
    assert cropped["unbiased_error"] == pytest.approx(LEFT, abs=0.15)


def test_a_level_that_is_given_takes_the_place_of_the_stored_one(
    denoised: Path, reference: Path
) -> None:
    told = scores(denoised, reference, "--sigma", 2 * SIGMA)
    assert told["reference_sigma"] == pytest.approx(2 * SIGMA)
    expected = (scores(denoised, reference)["unbiased_error"] + 1) / 4 - 1
    assert told["unbiased_error"] == pytest.approx(expected, abs=1e-5)


def test_a_raw_scan_is_reconstructed_with_the_noise_of_its_kspace(
    tmp_path: Path, truth: np.ndarray, denoised: Path
) -> None:
    scan = Scan(
        kspace=fft2c(truth + SIGMA * kspace(SHAPE, 2))[:, None],
        noise_covariance=2 * SIGMA**2 * np.eye(1),
    )
    write(tmp_path / "scan.h5", scan)
    found = scores(denoised, tmp_path / "scan.h5")
    error = found["unbiased_error_standard_error"]
    assert found["unbiased_error"] == pytest.approx(LEFT, abs=4 * error)
    assert found["pixels"] == "complex"
    assert found["reference_sigma_from"] == "stored in the file"
    message = fail("evaluate", denoised, tmp_path / "scan.h5", "--noisy-reference", "--sigma", 1)
    assert "holds k-space" in message


def test_what_cannot_be_scored_without_bias_is_refused(
    tmp_path: Path, truth: np.ndarray, denoised: Path, reference: Path
) -> None:
    bare = write_file(tmp_path / "bare.h5", reconstruction=truth + SIGMA * kspace(SHAPE, 2))
    assert "give --sigma X" in fail("evaluate", denoised, bare, "--noisy-reference")
    flat = write_file(tmp_path / "flat.h5", reconstruction=np.abs(truth))
    message = fail("evaluate", flat, reference, "--noisy-reference")
    assert "magnitudes have a noise floor" in message
    message = fail("evaluate", denoised, reference, "--noisy-reference", "--magnitude")
    assert "magnitudes have a noise floor" in message
    assert "needs --noisy-reference" in fail("evaluate", denoised, reference, "--sigma", 1)


def test_kspace_whose_noise_is_not_known_is_refused(
    tmp_path: Path, denoised: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "scan.h5", Scan(kspace=kspace((2, 1, 64, 60))))
    reason = Mock(side_effect=NoiseNotFound("it is all signal"))
    monkeypatch.setattr("kspace_denoise.cli.noisy_reference.load_noise", reason)
    message = fail("evaluate", denoised, tmp_path / "scan.h5", "--noisy-reference")
    assert "scan.h5: " in message
    assert "it is all signal" in message
    trajectory = np.zeros((4, 8, 2), np.float32)
    radial = Scan(kspace=kspace((2, 1, 4, 8)), trajectory=trajectory, image_shape=(64, 60))
    write(tmp_path / "radial.h5", radial)
    message = fail("evaluate", denoised, tmp_path / "radial.h5", "--noisy-reference")
    assert "along a trajectory: reconstruct it first" in message


def test_a_noisy_reference_is_told_of_where_it_matters(
    tmp_path: Path, truth: np.ndarray, denoised: Path, reference: Path
) -> None:
    told = succeed("evaluate", denoised, reference).stderr
    assert "holds noise of its own, 6" in told  # 1 / 1.5 of the squared error
    assert "--noisy-reference does not" in told
    assert "noise" not in succeed("evaluate", denoised, reference, "--noisy-reference").stderr
    clean = write_file(
        tmp_path / "clean.h5",
        reconstruction=truth,
        noise_sigma=np.full(SHAPE, 0.05 * SIGMA, np.float32),
    )
    assert succeed("evaluate", denoised, clean).stderr == ""
    data = {"kspace": fft2c(truth)[:, None], "reconstruction_rss": np.abs(truth)}
    scan = write_file(tmp_path / "scan.h5", **data)
    assert "is a raw scan" in succeed("evaluate", denoised, scan).stderr
    record = json.dumps({"sigma": None, "parameters": {"source_noise": DECLARED_FREE}})
    free = write_file(tmp_path / "free.h5", {"provenance": record}, **data)
    assert succeed("evaluate", denoised, free).stderr == ""


def test_sigma_maps_weigh_each_pixel_and_must_be_positive_inside(truth: np.ndarray) -> None:
    mask = object_mask(truth)
    sigma = np.broadcast_to(np.linspace(0.1, 0.4, 60), SHAPE)
    noise = [sigma * kspace(SHAPE, seed) for seed in (3, 4)]
    found = error_against_noisy(truth + noise[0], truth + noise[1], sigma, mask=mask)
    assert found.value == pytest.approx(1, abs=4 * found.standard_error)
    # The mean of |n|² / (2 sigma²) over independent pixels has the variance 1 / pixels.
    assert found.standard_error == pytest.approx(2 / np.sqrt(mask.sum()), rel=0.5)
    assert found.sigma == pytest.approx(np.sqrt(np.mean(sigma[mask] ** 2)))
    for bad in (0.0, np.nan, np.inf, -1.0):
        with pytest.raises(ValueError, match="positive and finite inside"):
            error_against_noisy(truth, truth + noise[0], bad, mask=mask)
    with pytest.raises(TypeError, match="complex images"):
        error_against_noisy(np.abs(truth), truth, 1.0, mask=mask)
    with pytest.raises(ValueError, match="choose a smaller block"):
        error_against_noisy(truth[:1], truth[:1], 1.0, mask=mask[:1], block=64)
