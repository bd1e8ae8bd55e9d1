"""`train` and `denoise` as a user calls them."""

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
from click.testing import Result

from kspace_denoise import formats, load, sim
from kspace_denoise.scan import Scan
from tests.cli.conftest import SHAPE, covariance
from tests.cli.runner import fail, files_in, run, succeed
from tests.formats.files import BAD_SCANS, kspace

TINY = """
steps = {steps}
batch = 2
patch = 16
checkpoint_seconds = 0
[network]
base = 8
multipliers = [1]
attention = [0]
heads = 2
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.toml"
    path.write_text(TINY.format(steps=20))
    return path


def train(scan_file: Path, config: Path, out: Path, *more: object) -> Result:
    words = ["train", "c2s", scan_file, "--out", out, "--config", config, "--calibration", 12]
    return succeed(*words, "--device", "cpu", *more)


@pytest.mark.parametrize("stage", ["after-sense", "before-sense"])
def test_train_then_denoise(scan_file: Path, config: Path, tmp_path: Path, stage: str) -> None:
    model, out = tmp_path / "model.safetensors", tmp_path / "clean.h5"
    train(scan_file, config, model, "--stage", stage, "--seed", 3)
    assert not [name for name in files_in(tmp_path) if "checkpoint" in name]
    denoiser = load(model)
    assert (denoiser.stage, denoiser.record["seed"], denoiser.record["steps"]) == (stage, 3, 20)
    words = ["denoise", scan_file, out, "--model", model, "--calibration", 12, "--device", "cpu"]
    said = succeed(*words).stdout
    assert said.startswith(f"{out}: 2 slices, 40 x 32, sigma of the noisy images 0.0")
    images = formats.read(out)
    assert images.data.shape == (SHAPE[0], *SHAPE[2:])
    assert images.data.dtype == np.complex64
    assert images.sigma is None
    record = images.header["provenance"]
    assert (record["parameters"]["stage"], record["parameters"]["method"]) == (stage, "c2s")


def test_a_table_of_the_network_is_for_that_of_the_method(scan_file: Path, tmp_path: Path) -> None:
    """Unless it names another one, which is then refused by name where it does not fit."""
    model, config = tmp_path / "blind.safetensors", tmp_path / "blind.toml"
    config.write_text("steps = 4\nbatch = 1\n[network]\nwidth = 8\nhole = 3\n")
    words = ["train", "blind-spot", scan_file, "--out", model, "--config", config]
    words += ["--calibration", 12, "--device", "cpu"]
    succeed(*words)
    network = load(model).config.network
    assert (network.architecture, vars(network)["width"], vars(network)["hole"]) == ("puca", 8, 3)
    config.write_text('steps = 4\n[network]\narchitecture = "unet"\n')
    assert "does not see the pixel itself, and unet does" in fail(*words)
    config.write_text("steps = 4\npatch = 500\n")
    assert "patch is 500, expected no more than the 32 pixels of the smallest" in fail(*words)


def test_denoise_without_training_lowers_the_error(
    scan_file: Path, clean_file: Path, tmp_path: Path
) -> None:
    out, clean = tmp_path / "nlm.h5", tmp_path / "clean-image.h5"
    words = ["--calibration", 12, "--device", "cpu"]
    succeed("denoise", scan_file, out, "--model", "nlm", *words)
    succeed("reconstruct", clean_file, clean, "--method", "rss", "--device", "cpu")
    truth = formats.read(clean).data
    result = np.abs(formats.read(out).data)
    import h5py

    with h5py.File(out) as file:
        noisy = np.abs(file["noisy"][:])
        assert file["noisy_sigma"].shape == noisy.shape
    assert np.mean((result - truth) ** 2) < 0.8 * np.mean((noisy - truth) ** 2)


def test_bm3d_is_told_the_spectrum_that_the_file_tells(tmp_path: Path) -> None:
    """Of noise that a taper took from high frequencies it leaves less than one that takes it for
    white; nlm has no use for it."""
    head = np.stack([sim.phantom((64, 56), seed=s, coils=4).kspace for s in range(2)])
    psi = 0.002 * sim.array_covariance(4, seed=1)
    power = np.exp(-(np.linspace(-2.5, 2.5, 56) ** 2))[None]
    power /= power.mean()
    noisy = head + sim.add_noise(np.zeros_like(head), psi, 3) * power**0.5
    errors = {}
    for name, spectrum in (("clean", None), ("white", None), ("told", power)):
        kspace = (head if name == "clean" else noisy).astype(np.complex64)
        scan = Scan(kspace=kspace, noise_covariance=psi, noise_spectrum=spectrum)
        formats.write(tmp_path / f"{name}.h5", scan)
    words = ["--model", "bm3d", "--calibration", 12, "--device", "cpu"]
    for name in ("white", "told"):
        out = tmp_path / f"{name}-denoised.h5"
        said = succeed("denoise", tmp_path / f"{name}.h5", out, *words).stderr
        assert ("bm3d is told how the noise is spread over k-space" in said) == (name == "told")
        record = formats.read(out).header["provenance"]["parameters"]
        assert record["noise_spectrum_told"] == (name == "told")
        clean = tmp_path / f"{name}-truth.h5"
        succeed("reconstruct", tmp_path / "clean.h5", clean, "--method", "rss", "--device", "cpu")
        errors[name] = np.mean((abs(formats.read(out).data) - abs(formats.read(clean).data)) ** 2)
    assert errors["told"] < 0.8 * errors["white"]


def test_kill_and_resume(scan_file: Path, config: Path, tmp_path: Path) -> None:
    config.write_text(TINY.format(steps=80))
    whole, killed = tmp_path / "whole.safetensors", tmp_path / "killed.safetensors"
    train(scan_file, config, whole)
    words = ["train", "c2s", scan_file, "--out", killed, "--config", config, "--calibration", 12]
    code = "from kspace_denoise.cli import main; main(prog_name='kspace-denoise')"
    process = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, words), "--device", "cpu"],
        stderr=subprocess.DEVNULL,
    )
    checkpoint = tmp_path / "killed.safetensors.checkpoint"
    while process.poll() is None and not checkpoint.exists():
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "training ended before it could be killed"
    assert not killed.exists()
    said = train(scan_file, config, killed, "--resume")
    assert re.search(r"note: training for 80 steps on cpu, going on from step \d+0\n", said.stderr)
    assert re.search(r": 80 steps in \d+ s, loss \d\.\d{3}\n$", said.stdout)
    one, other = load(whole).network.state_dict(), load(killed).network.state_dict()
    assert all(np.array_equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("kind", BAD_SCANS)
def test_bad_scans(tmp_path: Path, config: Path, kind: str) -> None:
    make, message = BAD_SCANS[kind]
    make(tmp_path / "bad.h5")
    before = files_in(tmp_path)
    bad, cpu = tmp_path / "bad.h5", ("--device", "cpu", "--calibration", 8)
    trained = fail("train", "c2s", bad, "--out", tmp_path / "m", "--config", config, *cpu)
    assert re.search(message, trained)
    denoised = fail("denoise", bad, tmp_path / "out.h5", "--model", "nlm", *cpu)
    assert re.search(message, denoised)
    assert files_in(tmp_path) == before


def test_wrong_words(scan_file: Path, config: Path, tmp_path: Path) -> None:
    out = tmp_path / "m"
    assert "there is: c2s" in fail("train", "ddm3", scan_file, "--out", out)
    assert "did you mean neighbor2neighbor?" in fail(
        "train", "neighbour2neighbour", scan_file, "--out", out
    )
    words = ("train", "c2s", scan_file, "--out", out, "--domain", "k")
    assert "expected one of image, stationary, svd" in fail(*words)
    words = ("train", "noise2void", scan_file, "--out", out, "--domain", "svd")
    assert "domain = 'svd' is for c2s" in fail(*words)
    assert "expected before-sense or" in fail(
        "train", "c2s", scan_file, "--out", out, "--stage", "sense"
    )
    assert "--mix-shells belong to ddm2, not to c2s" in fail(
        "train", "c2s", scan_file, "--out", out, "--bval", "x.bval"
    )
    assert "nothing to resume" in fail("train", "c2s", scan_file, "--out", out, "--resume")
    config.write_text("[objective]\nsprad = 1.0")
    said = run("train", "c2s", scan_file, "--out", out, "--config", config).stderr
    assert "c2s has no setting sprad" in said
    assert "note: training" not in said
    config.write_text('steps = "many"')
    assert "steps is 'many', expected a whole number" in fail(
        "train", "c2s", scan_file, "--out", out, "--config", config
    )
    config.write_text("stepz = 1")
    assert "unknown setting stepz" in fail(
        "train", "c2s", scan_file, "--out", out, "--config", config
    )
    config.write_text('architecture = "nafnet"')
    assert "architecture belongs under [network]" in fail(
        "train", "c2s", scan_file, "--out", out, "--config", config
    )
    said = fail("denoise", scan_file, out, "--model", "sure")
    assert "sure has to be trained" in said
    assert "kspace-denoise train sure IN --out sure.safetensors" in said
    assert "there is: nlm" in fail("denoise", scan_file, out, "--model", "bm4d")
    assert "not a safetensors file" in fail("denoise", scan_file, out, "--model", scan_file)
    assert "is also an input" in fail("denoise", scan_file, scan_file, "--model", "nlm")
    assert not out.exists()


def test_a_model_is_used_at_its_stage(scan_file: Path, config: Path, tmp_path: Path) -> None:
    model, out = tmp_path / "model", tmp_path / "out.h5"
    train(scan_file, config, model)
    words = ["denoise", scan_file, out, "--model", model, "--stage", "before-sense"]
    words += ["--calibration", 12, "--device", "cpu"]
    assert "was trained after-sense and is used before-sense" in fail(*words)
    succeed(*words, "--allow-other-stage")


def test_noise_that_cannot_be_found_is_said_before_training(
    clean_file: Path, config: Path, tmp_path: Path
) -> None:
    message = fail("train", "c2s", clean_file, "--out", tmp_path / "m", "--config", config)
    assert "--noise" in message


def test_a_noise_scan_can_be_given(clean_file: Path, config: Path, tmp_path: Path) -> None:
    import h5py

    noise = np.linalg.cholesky(covariance()) @ kspace((4, 5000), seed=1) / np.sqrt(2)
    with h5py.File(tmp_path / "noise.h5", "w") as file:
        file["noise"] = noise.astype(np.complex64)
    train(clean_file, config, tmp_path / "m", "--noise", tmp_path / "noise.h5")
    assert (tmp_path / "m").exists()


def test_noise_that_is_not_white_is_told(scan_file: Path, config: Path, tmp_path: Path) -> None:
    words = ["denoise", scan_file, tmp_path / "o.h5", "--model", "nlm", "--device", "cpu"]
    assert "not white" not in succeed(*words).stderr
    with h5py.File(scan_file, "r+") as file:
        file["noise_spectrum"] = np.linspace(0.2, 1.8, 32)
    for said in (succeed(*words).stderr, train(scan_file, config, tmp_path / "m").stderr):
        assert f"note: {scan_file}: noise is not white: its level goes from 0.45 to 1.34" in said


def test_lambda_tames_undersampling_on_the_way(scan_file: Path, config: Path) -> None:
    """SENSE with λ is what `reconstruct --lambda` gives, in training as in denoising."""
    out, image, model = (scan_file.with_name(n) for n in ("o.h5", "i.h5", "m.safetensors"))
    half = scan_file.with_name("half.h5")
    cpu = ["--device", "cpu"]
    options = ["--acceleration", 2, "--calibration", 12, "--mask", "equispaced", *cpu]
    succeed("simulate", scan_file, half, *options)
    common = ["--calibration", 12, "--lambda", 0.3, *cpu]
    succeed("reconstruct", half, image, "--method", "sense", *common)
    succeed("denoise", half, out, "--model", "nlm", *common)
    with h5py.File(out) as done, h5py.File(image) as expected:
        np.testing.assert_array_equal(done["noisy"][:], expected["reconstruction"][:])
        np.testing.assert_array_equal(done["noisy_sigma"][:], expected["noise_sigma"][:])
    train(half, config, model, "--lambda", 0.3)
    tamed = load(model).record["losses"]
    train(half, config, model)
    assert load(model).record["losses"] != tamed
