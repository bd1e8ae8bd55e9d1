"""`demo`: the whole chain in seconds, and what it must leave behind."""

import functools
import importlib
import json
import re
from pathlib import Path

import numpy as np
import pytest

from kspace_denoise import formats, load, sim
from kspace_denoise.demo import phantom_experiment, phantoms
from kspace_denoise.demo.experiment import Settings
from kspace_denoise.networks import UNetConfig
from kspace_denoise.scan import Scan
from kspace_denoise.training.config import TrainConfig
from tests.cli.runner import fail, succeed
from tests.formats.files import BAD_SCANS

command = importlib.import_module("kspace_denoise.cli.demo")  # the name is the command
ROW = {"method", "stage", "psnr_db", "ssim", "nmse", "unbiased_error", "data_range", "seconds"}


NETWORK = UNetConfig(base=8, multipliers=(1,), attention=(), heads=2)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few small subjects, a small network, and as many strengths as the protocol asks for."""
    monkeypatch.setattr(phantom_experiment, "TRAINING_SUBJECTS", 2)
    monkeypatch.setattr(phantom_experiment, "TEST_SUBJECTS", 1)
    monkeypatch.setattr(phantoms, "SLICES", 2)
    monkeypatch.setattr(phantoms, "SHAPE", (60, 57))
    config = TrainConfig(network=NETWORK, batch=2, patch=16, symmetries=1)
    monkeypatch.setattr(command, "Settings", functools.partial(Settings, config=config))


def run(out: Path, *words: object) -> list[dict]:
    succeed("demo", "--out", out, "--minutes", 0.02, "--device", "cpu", *words)
    rows = json.loads((out / "results.json").read_text())
    assert all(row.keys() >= ROW for row in rows)
    page = (out / "report.html").read_text()
    assert page.count("data:image/png") >= 3
    assert "http://" not in page
    assert "https://" not in page
    return rows


def test_phantoms(tmp_path: Path) -> None:
    rows = run(tmp_path / "demo")
    methods = [(row["method"], row["stage"]) for row in rows]
    assert methods == [
        ("noisy", None),
        ("nlm", "after-sense"),
        ("c2s", "after-sense"),
        ("c2s", "before-sense"),
    ]
    noisy, nlm = rows[:2]
    assert noisy["sigma_from_repetitions"] == pytest.approx(1, abs=0.05)
    assert nlm["psnr_db"] > noisy["psnr_db"] + 1
    slices = json.loads((tmp_path / "demo" / "slices.json").read_text())
    mean = np.mean([row["psnr_db"] for row in slices if row["method"] == "nlm"])
    assert mean == pytest.approx(nlm["psnr_db"])
    assert load(tmp_path / "demo" / "c2s-before-sense.safetensors").stage == "before-sense"
    assert json.loads((tmp_path / "demo" / "provenance.json").read_text())["seed"] == 0


def write_phantom(path: Path, snr: float, seed: int, coils: int = 2) -> Path:
    head = sim.phantom((48, 50), seed=5, coils=coils)
    psi = (np.abs(head.image).mean() / snr) ** 2 * sim.array_covariance(coils, seed=0)
    kspace = sim.add_noise(head.kspace[None], psi, seed=seed)
    formats.write(path, Scan(kspace=kspace, noise_covariance=psi))
    return path


def test_a_raw_file_that_is_its_own_reference(tmp_path: Path) -> None:
    data = write_phantom(tmp_path / "data.h5", snr=60, seed=1)
    rows = run(tmp_path / "demo", "--data", data)
    assert [row["method"] for row in rows] == ["noisy", "nlm", "c2s", "c2s", "c2s", "c2s"]
    assert all(row["psnr_db"] is not None and row["unbiased_error"] is None for row in rows)


def test_a_raw_file_with_another_repetition(tmp_path: Path) -> None:
    data = write_phantom(tmp_path / "one.h5", snr=4, seed=1, coils=1)
    reference = write_phantom(tmp_path / "two.h5", snr=4, seed=2, coils=1)
    rows = run(tmp_path / "demo", "--data", data, "--reference", reference)
    assert [row["method"] for row in rows] == ["noisy", "nlm", "c2s", "c2s"]
    assert all(row["psnr_db"] is None for row in rows)
    assert rows[0]["sigma_from_repetitions"] == pytest.approx(1, abs=0.05)
    assert rows[1]["unbiased_error"] < 0.9


def test_a_noisy_raw_file_alone_is_denoised_but_not_scored(tmp_path: Path) -> None:
    data = write_phantom(tmp_path / "data.h5", snr=4, seed=1, coils=1)
    rows = run(tmp_path / "demo", "--data", data)
    assert all(row["psnr_db"] is None and row["unbiased_error"] is None for row in rows)


def test_wrong_words(tmp_path: Path) -> None:
    assert "--reference needs --data" in fail("demo", "--reference", "x.h5")
    assert "no such file" in fail("demo", "--dwi", "x.nii.gz")
    assert "--bval, --bvec and --phase need --dwi" in fail("demo", "--bval", "x.bval")
    assert "--data has no meaning" in fail("demo", "--dwi", "x.nii.gz", "--data", "x.h5")
    assert "x.h5" in fail("demo", "--data", tmp_path / "x.h5", "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert "--minutes" in fail("demo", "--minutes", 0)


@pytest.mark.parametrize("kind", ["text", "zero", "nan", "two-dimensional"])
def test_bad_files_are_refused_before_training(tmp_path: Path, kind: str) -> None:
    make, message = BAD_SCANS[kind]
    make(tmp_path / "bad.h5")
    good = write_phantom(tmp_path / "good.h5", snr=4, seed=1, coils=1)
    out = tmp_path / "out"
    assert re.search(message, fail("demo", "--data", tmp_path / "bad.h5", "--out", out))
    words = ["demo", "--data", good, "--reference", tmp_path / "bad.h5", "--out", out]
    assert re.search(message, fail(*words))
    assert not (out / "report.html").exists()


def test_another_scan_is_no_repetition(tmp_path: Path) -> None:
    data = write_phantom(tmp_path / "one.h5", snr=4, seed=1, coils=1)
    other = write_phantom(tmp_path / "two.h5", snr=4, seed=1, coils=2)
    message = fail("demo", "--data", data, "--reference", other, "--out", tmp_path / "out")
    assert "expected another repetition of the same scan" in message
