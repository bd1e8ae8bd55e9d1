"""Targets, contrasts and noise levels on the command line, as a user types them."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from kspace_denoise import formats, load
from kspace_denoise.classical import CLASSICAL
from kspace_denoise.cli.classical_options import ABOUT
from kspace_denoise.cli.company import NEEDS
from kspace_denoise.dmri.classical import VOLUME_METHODS
from kspace_denoise.objectives import METHODS, OF_VOLUMES
from kspace_denoise.scan import Images, Scan
from tests.cli.conftest import SHAPE, clean_kspace, covariance
from tests.cli.runner import fail, files_in, succeed
from tests.formats.files import kspace

TINY = """
steps = 2
batch = 2
patch = 16
symmetries = 1
[network]
base = 8
multipliers = [1, 2]
attention = []
"""
CPU = ("--device", "cpu")
LEVEL = 0.05


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.toml"
    path.write_text(TINY)
    return path


@pytest.fixture
def truth_file(clean_file: Path) -> Path:
    return clean_file


def noisy_scan(path: Path, seed: int, scale: float = 1.0) -> Path:
    """Write a repetition of the clean scan, with noise that it stores."""
    noise = np.linalg.cholesky(covariance()) @ kspace((2, 4, 40 * 32), seed=seed) / np.sqrt(2)
    data = (scale * clean_kspace() + noise.reshape(SHAPE)).astype(np.complex64)
    formats.write(path, Scan(kspace=data, noise_covariance=covariance(), readout_axis=-2))
    return path


def image_file(path: Path, seed: int = 0, sigma: float | None = None, cast=np.abs) -> Path:
    """Write Rician magnitudes of a disc, of noise level LEVEL."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[-1 : 1 : 64 * 1j, -1 : 1 : 64 * 1j]
    disc = 1.0 * (np.hypot(x, y) < 0.6)
    noise = LEVEL * (rng.standard_normal((2, 64, 64)) + 1j * rng.standard_normal((2, 64, 64)))
    data = cast(disc + noise)
    kind = np.complex64 if np.iscomplexobj(data) else np.float32
    formats.write(path, Images(data=data.astype(kind), sigma=sigma))
    return path


def train(method: str, source: object, out: Path, config: Path, *more: object) -> str:
    words = ["train", method, source, "--out", out, "--config", config, *more]
    raw = () if Path(str(source)).name.startswith("images") else ("--calibration", 12)
    return succeed(*words, *raw, *CPU).stderr


def test_the_help_tells_of_every_method_and_what_it_needs() -> None:
    assert set(NEEDS) == {*METHODS, *OF_VOLUMES}
    assert {*CLASSICAL, *VOLUME_METHODS, "FILE"} == set(ABOUT)
    helped = succeed("train", "--help").output
    assert all(f"\n  {name}" in helped for name in NEEDS)
    for method, text in NEEDS.items():
        assert ("--target" in text) == ({**METHODS, **OF_VOLUMES}[method].pair != "nothing")
    assert all(f"\n  {name}" in succeed("denoise", "--help").output for name in CLASSICAL)


def test_supervised_learns_from_the_clean_scan(
    scan_file: Path, truth_file: Path, config: Path, tmp_path: Path
) -> None:
    out = tmp_path / "m"
    train("supervised", scan_file, out, config, "--target", truth_file)
    record = load(out).record
    assert record["learnt_from"] == "clean"
    assert record["provenance"]["parameters"]["targets"] == [str(truth_file)]
    clean = tmp_path / "clean-image.h5"
    succeed("denoise", scan_file, clean, "--model", out, "--calibration", 12, *CPU)
    assert formats.read(clean).data.shape == (SHAPE[0], *SHAPE[2:])


@pytest.mark.filterwarnings("default:the noise of this data:UserWarning")
def test_a_prior_learns_from_scans_and_images_that_say_nothing_of_noise(
    clean_file: Path, config: Path, tmp_path: Path
) -> None:
    out = tmp_path / "prior"
    assert "it is taken for clean" in train("diffusion", clean_file, out, config)
    assert load(out).record["learnt_from"] == "scans taken for clean"
    images = tmp_path / "images.h5"
    formats.write(images, Images(data=np.ones((2, 32, 32), np.complex64) * (1 + 2j)))
    assert "it is taken for clean" in train("diffusion", images, tmp_path / "other", config)
    words = ["train", "diffusion", clean_file, "--target", images, "--out", out]
    assert "learns from scans that are clean" in fail(*words, *CPU)


def test_noise2noise_finds_the_repetitions_by_name_or_takes_those_given(
    config: Path, tmp_path: Path
) -> None:
    first, second = (noisy_scan(tmp_path / f"brain_rep{n}.h5", n) for n in (1, 2))
    out = tmp_path / "m"
    said = train("noise2noise", first, out, config)
    assert f"{first} is trained against its repetition {second}" in said
    found = load(out)
    train("noise2noise", first, out, config, "--target", second)
    given = load(out)
    assert found.record["losses"] == given.record["losses"]
    both = ["train", "noise2noise", first, second, "--out", out, "--config", config]
    said = succeed(*both, "--calibration", 12, *CPU).stderr
    assert f"{second} is trained against its repetition {first}" in said


def test_targets_that_are_wrong_are_said_before_the_first_step(
    scan_file: Path, truth_file: Path, config: Path, tmp_path: Path
) -> None:
    out = tmp_path / "m"
    before = files_in(tmp_path)
    common = ["--out", out, "--config", config, "--calibration", 12, *CPU]
    for words, message in (
        (["noise2noise", scan_file], "needs a second repetition of"),
        (["supervised", scan_file], "there are 1 IN and 0 --target"),
        (["supervised", scan_file, "--target", scan_file], "target is the noisy image itself"),
        (["c2s", scan_file, "--target", truth_file], "learns from the noisy scans alone"),
        (["noise2void", scan_file, "--target", truth_file], "learns from the noisy scans alone"),
        (
            ["supervised", scan_file, "--target", truth_file, "--target", truth_file],
            "there are 1 IN and 2 --target",
        ),
        (["supervised", scan_file, "--target", tmp_path / "none.h5"], "no such file"),
    ):
        assert message in fail("train", *words, *common)
    small = tmp_path / "small.h5"
    formats.write(small, Scan(kspace=clean_kspace()[:1]))
    said = fail("train", "supervised", scan_file, "--target", small, *common)
    assert "expected the same slices" in said
    small.unlink()
    assert files_in(tmp_path) == before


def test_a_second_contrast_is_learnt_from_and_asked_for_again(
    scan_file: Path, config: Path, tmp_path: Path
) -> None:
    other = noisy_scan(tmp_path / "T2.h5", 5, scale=0.5)
    out, clean = tmp_path / "m", tmp_path / "out.h5"
    train("c2s", scan_file, out, config, "--contrast", other)
    assert load(out).contrasts == 1
    assert load(out).record["provenance"]["parameters"]["contrasts"] == [[str(other)]]
    words = ["denoise", scan_file, clean, "--model", out, "--calibration", 12, *CPU]
    succeed(*words, "--contrast", other)
    with_other = formats.read(clean).data
    succeed(*words, "--contrast", noisy_scan(tmp_path / "T2b.h5", 6, scale=-0.5))
    assert not np.array_equal(formats.read(clean).data, with_other)
    clean.unlink()
    assert "trained with 1 other contrasts" in fail(*words)
    assert "2 were given" in fail(*words, "--contrast", other, "--contrast", other)
    assert not clean.exists()


def test_contrasts_of_several_scans_are_told_apart_by_their_order(
    scan_file: Path, config: Path, tmp_path: Path
) -> None:
    ben, t2, flair = (noisy_scan(tmp_path / f"{n}.h5", i) for i, n in enumerate("btf", 5))
    words = ["train", "c2s", scan_file, ben, "--out", tmp_path / "m", "--config", config, *CPU]
    words += ["--calibration", 12, "--contrast", t2, "--contrast", flair]
    said = succeed(*words).stderr
    assert f"{scan_file} with {t2}" in said
    assert f"{ben} with {flair}" in said
    said = fail(*words, "--contrast", t2)
    assert "3 --contrast for 2 IN: give equally many for each" in said
    small = tmp_path / "small.h5"
    formats.write(small, Scan(kspace=clean_kspace()[:1], noise_covariance=covariance()))
    said = fail("train", "c2s", scan_file, "--contrast", small, "--out", tmp_path / "m2", *CPU)
    assert "the same slices" in said
    assert not (tmp_path / "m2").exists()


def test_paper_and_vst_reach_the_settings(config: Path, tmp_path: Path) -> None:
    out = tmp_path / "m"
    images = image_file(tmp_path / "images.h5", sigma=LEVEL)
    train("noise2void", images, out, config, "--paper", "--vst")
    found = load(out)
    assert found.config.paper
    assert found.config.vst
    assert found.objective == METHODS["noise2void"].paper()
    succeed("denoise", images, tmp_path / "out.h5", "--model", out, *CPU)


@pytest.mark.parametrize("given", ["estimate", LEVEL])
def test_images_without_noise_level_are_given_one(
    config: Path, tmp_path: Path, given: object
) -> None:
    out, clean = tmp_path / "m", tmp_path / "out.h5"
    images = image_file(tmp_path / "images.h5")
    said = train("c2s", images, out, config, "--sigma", given)
    assert ("from the air" in said) == (given == "estimate")
    said = succeed("denoise", images, clean, "--model", out, "--sigma", given, *CPU)
    record = formats.read(clean).header["provenance"]["parameters"]
    assert record["noise"].startswith("estimated, air" if given == "estimate" else "--sigma")
    import h5py

    with h5py.File(clean) as file:
        np.testing.assert_allclose(file["noisy_sigma"][:], LEVEL, rtol=0.05)


def test_a_stored_level_can_be_replaced_and_that_is_said(tmp_path: Path) -> None:
    images = image_file(tmp_path / "images.h5", sigma=LEVEL)
    words = ["denoise", images, tmp_path / "out.h5", "--model", "wavelet", *CPU]
    assert "used instead" in succeed(*words, "--sigma", 0.1).stderr
    assert "used instead" not in succeed(*words).stderr


def test_noise_levels_that_are_wrong_are_said_before_anything_is_done(
    scan_file: Path, config: Path, tmp_path: Path
) -> None:
    images, out = image_file(tmp_path / "images.h5"), tmp_path / "out.h5"
    smooth = tmp_path / "smooth.h5"
    formats.write(smooth, Images(data=gaussian_filter(formats.read(images).data, (0, 1, 1))))
    phased = image_file(tmp_path / "complex.h5", sigma=LEVEL, cast=np.asarray)
    nlm = ["--model", "nlm", *CPU]
    trained = ["--out", out, "--config", config, *CPU]
    before = files_in(tmp_path)
    for words, message in (
        (["denoise", images, out, *nlm], "give --sigma X"),
        (["train", "c2s", images, *trained], "give --sigma X"),
        (["denoise", images, out, *nlm, "--sigma", "0"], "expected a positive number, or estimate"),
        (["denoise", images, out, *nlm, "--sigma", "gess"], "a positive number, or estimate"),
        (["denoise", smooth, out, *nlm, "--sigma", "estimate"], "smooth.h5: the noise level"),
        (["denoise", scan_file, out, *nlm, "--sigma", 0.1], "holds k-space: its noise comes from"),
        (["train", "c2s", scan_file, *trained, "--sigma", 0.1], "holds k-space: its noise comes"),
        (["denoise", scan_file, out, *nlm, "--vst"], "complex, with Gaussian noise"),
        (["denoise", phased, out, *nlm, "--vst"], "vst is for magnitude images"),
        (["train", "c2s", phased, *trained, "--vst"], "vst is for magnitude images"),
        (["train", "c2s", scan_file, *trained, "--vst"], "vst is for magnitude images"),
        (["train", "c2s", images, phased, *trained, "--sigma", LEVEL], "mixed"),
    ):
        assert message in fail(*words), words
    assert files_in(tmp_path) == before


def test_strength_and_vst_of_methods_without_training(config: Path, tmp_path: Path) -> None:
    images, out, model = image_file(tmp_path / "images.h5"), tmp_path / "out.h5", tmp_path / "m"
    words = ["denoise", images, out, "--sigma", LEVEL, *CPU, "--model"]
    results = []
    for more in ((), ("--strength", 0.3), ("--vst",)):
        told = "stays in the result; --vst takes it out" in succeed(*words, "wavelet", *more).stderr
        assert told == ("--vst" not in more)
        results.append(formats.read(out).data)
    air = [float(np.mean(result[:, :12, :12])) for result in results]
    assert np.std(results[1][:, :12, :12]) > 1.5 * np.std(results[0][:, :12, :12])
    assert air[0] == pytest.approx(1.2533 * LEVEL, rel=0.05)  # the floor of a magnitude stays,
    assert air[2] < 0.6 * air[0]  # and goes with --vst
    said = train("c2s", images, model, config, "--sigma", LEVEL)
    assert said.count("holds magnitudes: where the signal is weak") == 1
    for option in (("--strength", 2), ("--vst",)):
        assert f"{option[0]} belongs to methods without training" in fail(*words, model, *option)


def test_a_denoiser_to_start_from_brings_its_network(
    scan_file: Path, config: Path, tmp_path: Path
) -> None:
    model, out = tmp_path / "m", tmp_path / "n"
    train("c2s", scan_file, model, config)
    train("c2s", scan_file, out, config, "--start", model)  # the same network: nothing to say
    config.write_text(TINY.replace("base = 8", "base = 16"))
    said = fail("train", "c2s", scan_file, "--out", out, "--config", config, "--start", model, *CPU)
    assert "goes on with the network of that denoiser" in said
    config.write_text("steps = 2\nbatch = 2\npatch = 16\n")
    train("c2s", scan_file, out, config, "--start", model)
    assert load(out).config.network == load(model).config.network


@pytest.mark.filterwarnings("default:the denoiser to start from")
def test_the_config_that_made_a_paper_denoiser_refines_it(
    scan_file: Path, config: Path, tmp_path: Path
) -> None:
    model, out = tmp_path / "m", tmp_path / "n"
    train("c2s", scan_file, model, config, "--paper")
    refined = tmp_path / "refined.toml"
    refined.write_text(TINY + '[objective]\nrefinement = "paper"\n')
    said = train("c2s", scan_file, out, refined, "--paper", "--start", model)
    assert "note: refinement" not in said
    assert "warning" not in said
    assert load(out).objective.refinement == "paper"
    assert load(out).config.network == load(model).config.network
    said = train("c2s", scan_file, out, refined, "--start", model)
    assert "warning: the denoiser to start from was trained with paper = true and this" in said


@pytest.mark.parametrize("refinement", ["paper", "fixed", "conditioned"])
def test_a_refinement_from_scratch_is_noted(
    scan_file: Path, config: Path, tmp_path: Path, refinement: str
) -> None:
    config.write_text(TINY + f'[objective]\nrefinement = "{refinement}"\n')
    said = train("c2s", scan_file, tmp_path / "m", config)
    assert (f'note: refinement = "{refinement}" follows a training' in said) == (
        refinement != "conditioned"  # which can be learnt from the beginning
    )


def test_the_noisy_file_is_no_contrast_of_its_own(
    scan_file: Path, config: Path, tmp_path: Path
) -> None:
    model, other = tmp_path / "m", noisy_scan(tmp_path / "other.h5", 3)
    said = train("c2s", scan_file, model, config, "--contrast", other)
    assert f"note: {scan_file} with {other}" in said
    words = ["denoise", scan_file, tmp_path / "o.h5", "--model", model, "--calibration", 12, *CPU]
    assert "contrast 1 of 1 is the noisy image itself" in fail(*words, "--contrast", scan_file)
    assert not (tmp_path / "o.h5").exists()


def test_a_level_above_the_image_is_noted(tmp_path: Path) -> None:
    images = image_file(tmp_path / "images.h5")
    words = ["denoise", images, tmp_path / "out.h5", "--model", "wavelet", *CPU, "--sigma"]
    assert "--sigma 50 is above the largest magnitude in" in succeed(*words, 50).stderr
    assert "above the largest" not in succeed(*words, LEVEL).stderr


def test_a_target_of_another_contrast_is_warned_of(config: Path, tmp_path: Path) -> None:
    files = [noisy_scan(tmp_path / f"{name}.h5", n) for n, name in enumerate(("T1w", "T2w"))]
    for path in files:
        scan = formats.read(path)
        assert isinstance(scan, Scan)
        named = dataclasses.replace(scan, kspace=scan.kspace[:], header={"contrast": path.stem})
        formats.write(path, named)
    said = train("noise2noise", files[0], tmp_path / "m", config, "--target", files[1])
    assert f"{files[0]} says that it is T1w, and its target {files[1]} T2w" in said


def test_noise_that_is_not_known_is_said_with_the_file(
    scan_file: Path, clean_file: Path, config: Path, tmp_path: Path
) -> None:
    words = ["train", "c2s", scan_file, "--out", tmp_path / "m", "--config", config, *CPU]
    assert f"{clean_file}: no part of the scan" in fail(*words, "--contrast", clean_file)
