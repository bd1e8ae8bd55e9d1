"""`train ddm2` and `denoise` of a diffusion scan as a user calls them."""

import dataclasses
import functools
import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kspace_denoise as kd
from kspace_denoise.networks import UNetConfig
from kspace_denoise.scan import Images
from tests.cli.runner import fail, files_in, run, succeed

TINY = """
steps = 8
batch = 2
patch = 16
[network]
base = 8
multipliers = [1]
attention = []
"""
SIGMA = 20.0
AFFINE = np.array([[-2.0, 0, 0, 90], [0, 2, 0, -80], [0, 0, 3, 10], [0, 0, 0, 1]])


@pytest.fixture(scope="module")
def scan() -> Images:
    scheme = kd.sim.gradient_scheme(6, b0=2)
    phantom = kd.sim.diffusion_phantom((2, 21, 18), scheme, seed=4)
    noise = np.random.default_rng(0).standard_normal((2, *phantom.image.shape))
    data = 300 * phantom.image + SIGMA * (noise[0] + 1j * noise[1])
    return Images(data=data.astype(np.complex64), bval=scheme.bval, bvec=scheme.bvec, affine=AFFINE)


@pytest.fixture
def folder(scan: Images, tmp_path: Path) -> Path:
    """A folder with the scan in the ways that scanners and tools leave it."""
    (tmp_path / "tiny.toml").write_text(TINY)
    magnitude = Images(data=np.abs(scan.data), affine=AFFINE, bval=scan.bval, bvec=scan.bvec)
    kd.write(tmp_path / "dwi.nii.gz", magnitude)
    (tmp_path / "dwi.json").write_text('{"EchoTime": 0.08}')
    kd.write(tmp_path / "bare.nii.gz", Images(data=np.abs(scan.data), affine=AFFINE))
    kd.write(tmp_path / "phase.nii.gz", Images(data=np.angle(scan.data), affine=AFFINE))
    kd.write(tmp_path / "complex.nii.gz", scan)
    return tmp_path


def train(folder: Path, source: str, *more: object) -> Any:
    out = folder / "model.safetensors"
    words = ["train", "ddm2", folder / source, "--out", out, "--config", folder / "tiny.toml"]
    return succeed(*words, "--device", "cpu", *more)


def test_train_denoise_and_what_travels_along(folder: Path, scan: Images) -> None:
    said = train(folder, "dwi.nii.gz", "--sigma", SIGMA, "--seed", 3, "--neighbours", 2)
    assert "b1000 noise model: 5 steps" in said.stdout
    assert "model.safetensors: 8 steps in" in said.stdout
    assert "the volumes of b = 0 are 2, too few to tell each from 2 others" in said.stderr
    assert "holds magnitudes" in said.stderr
    assert not [name for name in files_in(folder) if "checkpoint" in name]
    words = ["denoise", folder / "dwi.nii.gz", folder / "clean.nii.gz", "--device", "cpu"]
    done = succeed(*words, "--model", folder / "model.safetensors")
    told = done.stdout
    assert "note: --sigma 20.0, as in training" in done.stderr
    assert told == f"{folder / 'clean.nii.gz'}: 8 volumes of (2, 21, 18) voxels\n"
    clean = kd.read(folder / "clean.nii.gz")
    assert isinstance(clean, Images)
    assert clean.data.shape == scan.data.shape
    assert clean.bval is not None
    assert scan.bval is not None
    np.testing.assert_allclose(clean.bval, scan.bval)
    np.testing.assert_allclose(clean.bvec, scan.bvec, atol=1e-5)
    np.testing.assert_allclose(clean.affine, AFFINE)
    weighted = scan.bval > 0
    np.testing.assert_allclose(clean.data[~weighted], np.abs(scan.data[~weighted]), rtol=1e-6)
    assert not np.allclose(clean.data[weighted], np.abs(scan.data[weighted]))
    beside = json.loads((folder / "clean.json").read_text())
    assert beside["EchoTime"] == 0.08
    made_by = beside["kspace_denoise"]
    assert made_by["parameters"]["training"]["provenance"]["seed"] == 3
    read = [Path(one["path"]).name for one in made_by["inputs"]]
    assert read == ["dwi.nii.gz", "dwi.bval", "dwi.bvec"]


@pytest.mark.parametrize("model", ["mppca", "patch2self"])
def test_methods_without_training(folder: Path, scan: Images, model: str) -> None:
    out = folder / "clean.nii.gz"
    succeed("denoise", folder / "dwi.nii.gz", out, "--model", model)
    clean = kd.read(out)
    assert isinstance(clean, Images)
    assert clean.data.shape == scan.data.shape
    assert not np.array_equal(clean.data, np.abs(scan.data))


@pytest.mark.parametrize("source", ["complex.nii.gz", "bare.nii.gz"])
def test_complex_scans_are_denoised_as_such(folder: Path, source: str) -> None:
    more: list[object] = ["--sigma", SIGMA]
    beside: list[object] = []
    if source == "bare.nii.gz":
        for name in ("bval", "bvec"):
            beside += [f"--{name}", folder / f"dwi.{name}"]
        beside += ["--phase", folder / "phase.nii.gz"]
    said = train(folder, source, *more, *beside)
    assert "holds magnitudes" not in said.stderr
    words = ["denoise", folder / source, folder / "clean.nii", "--sigma", SIGMA, *beside]
    succeed(*words, "--model", folder / "model.safetensors", "--device", "cpu")
    clean = kd.read(folder / "clean.nii")
    assert isinstance(clean, Images)
    assert clean.data.dtype == np.complex64


def test_settings_from_options_and_file_meet(folder: Path) -> None:
    train(folder, "dwi.nii.gz", "--neighbours", 1, "--sigma", SIGMA)
    model = kd.load(folder / "model.safetensors")
    assert isinstance(model, kd.VolumeDenoiser)
    assert (model.method.neighbours, model.method.mix_shells) == (1, False)
    assert [shell.bval for shell in model.shells] == [0, 1000]
    said = succeed("info", folder / "model.safetensors").stdout
    assert "ddm2" in said
    assert "b = 0, told from 1 others, b = 1000, told from 1 others" in said


def test_mixed_shells_come_with_a_warning(folder: Path) -> None:
    said = train(folder, "dwi.nii.gz", "--mix-shells", "--sigma", SIGMA)
    assert "warning: volumes of different b-values" in said.stderr


def test_too_few_volumes_for_mppca_are_told(folder: Path) -> None:
    said = train(folder, "dwi.nii.gz")
    assert "8 volumes are too few to tell the noise by MPPCA" in said.stderr


def test_resume_without_a_beginning(folder: Path) -> None:
    words = ["train", "ddm2", folder / "dwi.nii.gz", "--out", folder / "m.safetensors"]
    assert "there is nothing to resume" in fail(*words, "--resume")
    train(folder, "dwi.nii.gz", "--sigma", SIGMA)
    words[-1] = folder / "model.safetensors"
    assert "model.safetensors is complete: leave --resume out" in fail(*words, "--resume")


def test_a_denoiser_of_another_scan_is_told(folder: Path) -> None:
    train(folder, "dwi.nii.gz", "--sigma", SIGMA)
    model = ["--model", folder / "model.safetensors", "--device", "cpu"]
    assert (
        "warning" not in succeed("denoise", folder / "dwi.nii.gz", folder / "a.nii", *model).stderr
    )
    other = succeed("denoise", folder / "complex.nii.gz", folder / "b.nii", *model)
    assert "warning: the denoiser was trained on" in other.stderr


def test_an_interrupted_training_says_how_to_go_on(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, checkpoint: Path, **__: object) -> None:
        checkpoint.with_name(f"{checkpoint.name}.b0-noise-model").write_text("")
        raise KeyboardInterrupt

    module = importlib.import_module("kspace_denoise.cli.train_volumes")
    monkeypatch.setattr(module, "train_volumes", interrupted)
    words = ["train", "ddm2", folder / "dwi.nii.gz", "--out", folder / "m.safetensors"]
    assert "the same command with --resume goes on" in run(*words).stderr


def test_a_scan_is_described(folder: Path) -> None:
    said = succeed("info", folder / "dwi.nii.gz").stdout
    assert "2 of b = 0, 6 of b = 1000" in said
    assert "voxel_mm_xyz  2, 2, 3" in said


def test_a_typing_error_is_guessed(folder: Path) -> None:
    words = ["denoise", folder / "dwi.nii.gz", folder / "a.nii", "--model", "mpcca"]
    assert "(did you mean mppca?)" in fail(*words)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["train", "ddm2", "bare.nii.gz"], "without b-values (--bval)"),
        (["train", "ddm2", "dwi.nii.gz", "--bval", "short.bval"], "has 3 b-values"),
        (["train", "ddm2", "dwi.nii.gz", "--neighbours", "6"], "no shell of b > 0 has more"),
        (["train", "ddm2", "dwi.nii.gz", "--vst"], "ddm2 has no use for --vst"),
        (["train", "ddm2", "dwi.nii.gz", "dwi.nii.gz"], "give one file"),
        (["train", "ddm2", "dwi.nii.gz", "--phase", "dwi.nii.gz"], "expected radians"),
        (["train", "ddm2", "nothing.nii.gz"], "no such file"),
        (["train", "c2s", "dwi.nii.gz", "--neighbours", "2"], "belong to ddm2, not to c2s"),
        (["denoise", "dwi.nii.gz", "out.nii.gz", "--model", "c2s"], "has to be trained"),
        (["denoise", "dwi.nii.gz", "out.h5", "--model", "mppca"], "are written as .nii"),
        (["denoise", "dwi.nii.gz", "dwi.nii.gz", "--model", "mppca"], "also an input"),
        (["denoise", "dwi.nii.gz", "dwi.nii", "--model", "mppca"], "would be overwritten"),
        (["denoise", "dwi.nii.gz", "o.nii", "--model", "mppca", "--vst"], "--vst has no meaning"),
        (["denoise", "complex.nii.gz", "o.nii", "--model", "patch2self"], "are complex"),
        (["denoise", "dwi.nii.gz", "o.h5", "--model", "bm3d", "--bval", "dwi.bval"], "--bval"),
    ],
)
def test_what_goes_wrong_is_said(
    folder: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], said: str
) -> None:
    monkeypatch.chdir(folder)
    (folder / "short.bval").write_text("0 1000 1000")
    before = files_in(folder)
    out = ["--out", "model.safetensors"] if words[0] == "train" else []
    assert said in fail(*words, *out)
    assert files_in(folder) == before


def test_the_help_teaches() -> None:
    text = run("train", "--help").stdout
    assert "kspace-denoise train ddm2 dwi.nii.gz" in text
    assert "Diffusion MRI" in text


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the demo train a tiny network."""
    command = importlib.import_module("kspace_denoise.cli.demo_volumes")
    tiny = functools.partial(
        kd.TrainConfig, UNetConfig(base=8, multipliers=(1,), attention=()), batch=2, patch=16
    )
    monkeypatch.setattr(command, "TrainConfig", tiny)


@pytest.mark.usefixtures("small")
def test_the_demo_leaves_a_report(folder: Path) -> None:
    out = folder / "report"
    said = succeed(
        "demo", "--dwi", folder / "dwi.nii.gz", "--minutes", 0.02, "--out", out, "--device", "cpu"
    )
    assert "report:" in said.stdout
    rows = json.loads((out / "results.json").read_text())
    methods = ["noisy", "mppca", "patch2self", "ddm2, stage 1", "ddm2"]
    assert [row["method"] for row in rows] == methods
    assert rows[0]["structure_smooth"] is None
    assert all(row["noise"] is None and row["noise_b0"] > 0 for row in rows)  # six directions
    page = (out / "report.html").read_text()
    assert page.count("data:image/png") == 3
    assert "http" not in page.replace("https", "http").split("<h2>Provenance")[0]
    for name in ("mppca", "patch2self", "ddm2", "ddm2-stage-1"):
        clean = kd.read(out / f"{name}.nii.gz")
        assert isinstance(clean, Images)
        assert clean.bval is not None
    assert isinstance(kd.load(out / "ddm2.safetensors"), kd.VolumeDenoiser)


@pytest.mark.usefixtures("small")
def test_the_demo_of_complex_images_leaves_patch2self_out(folder: Path) -> None:
    words = ["demo", "--dwi", folder / "complex.nii.gz", "--minutes", 0.01, "--out", folder / "o"]
    said = succeed(*words, "--device", "cpu").stdout
    assert "patch2self" not in said


@pytest.mark.usefixtures("small")
def test_a_blank_volume_does_not_stop_the_demo(folder: Path) -> None:
    scan = kd.read(folder / "dwi.nii.gz")
    assert isinstance(scan, Images)
    data = scan.data.copy()
    data[-1] = 0
    kd.write(folder / "blank.nii.gz", dataclasses.replace(scan, data=data))
    words = ["demo", "--dwi", folder / "blank.nii.gz", "--minutes", 0.01, "--out", folder / "o"]
    assert "report:" in succeed(*words, "--device", "cpu").stdout


def test_a_scan_without_tensors_is_refused_before_training(folder: Path) -> None:
    few = kd.read(folder / "dwi.nii.gz")
    assert isinstance(few, Images)
    assert few.bval is not None
    assert few.bvec is not None
    kept = slice(0, 6)
    kd.write(
        folder / "few.nii.gz",
        Images(data=few.data[kept], bval=few.bval[kept], bvec=few.bvec[kept]),
    )
    said = fail("demo", "--dwi", folder / "few.nii.gz", "--out", folder / "none")
    assert "a tensor needs" in said
