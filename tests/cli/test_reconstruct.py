"""`reconstruct`: images in the unit of the raw data, with a noise map that is true."""

import dataclasses
import importlib
import json
import warnings
from pathlib import Path

import h5py
import matplotlib.image
import numpy as np
import pytest
import torch

from kspace_denoise import formats
from kspace_denoise.cli.methods import METHODS, Settings, warn_if_amplified, warn_if_apart
from kspace_denoise.cli.sampling import Sampling
from kspace_denoise.denoiser import Denoiser, build_network, load
from kspace_denoise.fourier import ifft2c
from kspace_denoise.networks import UNetConfig
from kspace_denoise.objectives import C2S
from kspace_denoise.objectives.diffusion import Diffusion
from kspace_denoise.scan import Images, Scan
from kspace_denoise.stages import Slice, known_noise
from kspace_denoise.training.config import TrainConfig
from tests.cli.conftest import SHAPE, SIGMA, clean_kspace, covariance
from tests.cli.runner import fail, run, succeed
from tests.formats.files import kspace

CPU = ["--device", "cpu"]


def prior_for(method: str, folder: Path) -> list[object]:
    """Return the options of a sampler, with a small untrained prior; nothing for other methods."""
    if METHODS[method].sampling is None:
        return []
    config = TrainConfig(network=UNetConfig(base=8, multipliers=(1,), attention=(), heads=2))
    network = build_network(config.network, 2)
    prior = Denoiser(network, Diffusion(), "diffusion", "after-sense", config, {"steps": 0})
    prior.save(folder / "prior.safetensors")
    return ["--model", folder / "prior.safetensors", "--samples", 2]


def keep_one_slice(path: Path) -> None:
    """Leave the first slice of a scan: samplers take their time."""
    scan = formats.read(path)
    formats.write(path, dataclasses.replace(scan, kspace=scan.kspace[:1]))


def reconstructed(source: Path, *options: object) -> Images:
    output = source.with_name("image.h5")
    succeed("reconstruct", source, output, *options, *CPU)
    images = formats.read(output)
    assert isinstance(images, Images)
    return images


def test_rss_is_that_of_the_centred_orthonormal_transform(scan_file: Path) -> None:
    images = reconstructed(scan_file, "--method", "rss")
    data = formats.read(scan_file).kspace[:]  # type: ignore[union-attr]
    np.testing.assert_allclose(
        images.data, np.sqrt(np.sum(np.abs(ifft2c(data)) ** 2, axis=1)), rtol=1e-5
    )
    assert images.data.dtype == np.float32
    assert images.header["dataset"] == "reconstruction_rss"


def test_sense_is_complex_in_the_unit_of_the_data(scan_file: Path) -> None:
    images = reconstructed(scan_file, "--method", "sense")
    truth = np.sqrt(np.sum(np.abs(ifft2c(clean_kspace())) ** 2, axis=1))
    inside = truth > 0.5
    assert images.data.dtype == np.complex64
    assert images.data.shape == (2, 40, 32)
    assert np.abs(images.data)[inside].mean() == pytest.approx(truth[inside].mean(), rel=0.02)
    with h5py.File(scan_file.with_name("image.h5")) as file:
        assert file["noise_sigma"].shape == file["reconstruction"].shape


def test_the_noise_map_is_true(tmp_path: Path) -> None:
    """Two draws of noise on the same object: their difference, over sqrt(2) sigma, is N(0, 1)."""
    root = np.linalg.cholesky(covariance())
    draws = []
    for seed in (1, 2):
        noise = (root @ kspace((2, 4, 40 * 32), seed=seed) / np.sqrt(2)).reshape(SHAPE)
        scan = Scan(kspace=clean_kspace() + noise, noise_covariance=covariance())
        formats.write(tmp_path / "scan.h5", scan)
        draws.append(reconstructed(tmp_path / "scan.h5", "--method", "sense"))
    a, b = draws
    assert isinstance(a.sigma, np.ndarray)
    truth = np.sqrt(np.sum(np.abs(ifft2c(clean_kspace())) ** 2, axis=1))
    inside = truth > 0.5
    # Equal coils: noise decides which of them is the maps' phase reference, one phase per slice.
    turn = np.sum(a.data * b.data.conj(), axis=(1, 2), keepdims=True)
    difference = a.data - b.data * turn / np.abs(turn)
    pulls = (difference / (np.sqrt(2) * a.sigma))[inside]
    variance = np.mean(np.abs(pulls) ** 2) / 2
    # Maps estimated from each draw add a little noise of their own.
    assert 1 - 4 / np.sqrt(pulls.size) < variance < 1.3


def test_undersampled_sense(scan_file: Path) -> None:
    under = scan_file.with_name("under.h5")
    options = ["--acceleration", 2, "--mask", "equispaced", "--calibration", 12]
    succeed("simulate", scan_file, under, *options, *CPU)
    full = reconstructed(scan_file, "--method", "sense", "--calibration", 12)
    half = reconstructed(under, "--method", "sense", "--calibration", 12)
    inside = np.abs(full.data) > 0.5
    assert isinstance(half.sigma, np.ndarray)
    assert isinstance(full.sigma, np.ndarray)
    assert (half.sigma[inside] > full.sigma[inside]).all()
    error = np.linalg.norm((half.data - full.data)[inside]) / np.linalg.norm(full.data[inside])
    assert error < 0.1


@pytest.mark.filterwarnings("default")
def test_coils_that_cannot_unfold_a_mask_are_told_and_lambda_tames_them(scan_file: Path) -> None:
    image = scan_file.with_name("image.h5")
    with h5py.File(scan_file, "r+") as file:
        mask = np.zeros(SHAPE[-1], bool)
        mask[13:19] = mask[0] = True  # 25 lines in a row to fill in with four coils
        file["mask"] = mask
        file["kspace"][...] *= mask
    options = ["--method", "sense", "--calibration", 6]
    plain = succeed("reconstruct", scan_file, image, *options, *CPU)
    assert "warning: these coils cannot separate the pixels" in plain.stderr
    tamed = succeed("reconstruct", scan_file, image, *options, "--lambda", 0.01, *CPU)
    assert "warning" not in tamed.stderr
    sigma = formats.read_images(image).sigma
    assert sigma is not None
    assert np.median(sigma) < 10 * SIGMA


def test_noise_that_a_mask_amplifies_is_told() -> None:
    maps, lines = np.full((4, 6, 6), 0.5), np.array([True, False] * 3)
    image = np.zeros((6, 6))
    piece = Slice(maps, lines, maps, image, image + 25, image + 1)
    with pytest.warns(UserWarning, match="multiplies the noise of the image by 25, .* --lambda"):
        warn_if_amplified(piece, lines)
    warn_if_amplified(piece._replace(sigma=image + 9), lines)
    warn_if_amplified(piece, np.ones(6, bool))


def test_full_sampling_amplifies_nothing(scan_file: Path) -> None:
    with h5py.File(scan_file, "r+") as file:  # most coils are far quieter than the others
        file["kspace"][:, :3] *= 0.01
        scale = np.diag([0.01, 0.01, 0.01, 1])
        file["noise_covariance"][...] = scale @ covariance() @ scale
    image = scan_file.with_name("image.h5")
    assert "unfold" not in succeed("reconstruct", scan_file, image, "--method", "sense").stderr


def test_lines_missing_without_a_mask_are_refused(scan_file: Path) -> None:
    with h5py.File(scan_file, "r+") as file:
        file["kspace"][..., 1:10:2] = 0
    message = fail("reconstruct", scan_file, scan_file.with_name("x.h5"), "--method", "sense", *CPU)
    assert "5 columns of k-space between acquired ones are empty, the first is column 1" in message


def test_the_seed_moves_the_wavelets(scan_file: Path) -> None:
    images = [reconstructed(scan_file, "--method", "l1-wavelet", "--seed", i).data for i in (0, 1)]
    assert 0 < np.abs(images[0] - images[1]).max() < 0.05


def test_a_mask_along_both_axes_needs_replicas(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    mask = rng.random(SHAPE[-2:]) < 0.8
    mask[10:30, 6:26] = True
    data = clean_kspace()[:1] * mask
    scan = Scan(kspace=data, mask=mask, noise_covariance=covariance())
    formats.write(tmp_path / "scan.h5", scan)
    options = ["--method", "sense", "--calibration", 16]
    result = succeed("reconstruct", tmp_path / "scan.h5", tmp_path / "image.h5", *options, *CPU)
    assert "give --replicas N" in result.stderr
    images = formats.read(tmp_path / "image.h5")
    assert isinstance(images, Images)
    assert images.sigma is None
    assert reconstructed(tmp_path / "scan.h5", *options, "--replicas", 2).sigma is not None


def test_without_known_noise_there_is_no_noise_map(clean_file: Path) -> None:
    output = clean_file.with_name("image.h5")
    result = succeed("reconstruct", clean_file, output, "--method", "sense", *CPU)
    assert "written without a noise map" in result.stderr
    images = formats.read(output)
    assert isinstance(images, Images)
    assert images.sigma is None


@pytest.mark.parametrize("method", ["adaptive", "l1-wavelet", "tv"])
def test_other_methods_are_near_the_truth(scan_file: Path, method: str) -> None:
    images = reconstructed(scan_file, "--method", method)
    truth = np.sqrt(np.sum(np.abs(ifft2c(clean_kspace())) ** 2, axis=1))
    error = np.abs(np.abs(images.data) - truth)[truth > 0.5]
    assert images.data.dtype == np.complex64
    assert np.sqrt(np.mean(error**2)) < 1.2 * SIGMA
    assert (images.sigma is not None) == (method == "adaptive")


def test_adaptive_combination_has_the_noise_of_its_maps(scan_file: Path) -> None:
    images = reconstructed(scan_file, "--method", "adaptive")
    sense = reconstructed(scan_file, "--method", "sense")
    inside = np.abs(sense.data) > 0.5
    ratio = (images.sigma / sense.sigma)[inside]  # type: ignore[operator]
    assert np.median(ratio) == pytest.approx(1, abs=0.01)
    with h5py.File(scan_file, "r+") as file:
        file["mask"] = np.arange(32) % 2 == 0
    message = fail("reconstruct", scan_file, scan_file.with_name("a.h5"), "--method", "adaptive")
    assert "so it needs full sampling" in message


def test_a_penalty_smooths_as_its_weight_says(scan_file: Path) -> None:
    weak = reconstructed(scan_file, "--method", "tv", "--lambda", 1e-3, "--replicas", 4)
    sense = reconstructed(scan_file, "--method", "sense")
    strong = reconstructed(scan_file, "--method", "tv", "--lambda", 3, "--replicas", 4)
    np.testing.assert_allclose(weak.data, sense.data, atol=0.1 * SIGMA)
    # The mean of 2 · 40 · 32 variances of 4 replicas each is known to 1 %.
    measured = np.sqrt(np.mean(np.square(weak.sigma)) / np.mean(np.square(sense.sigma)))  # type: ignore[arg-type]
    assert measured == pytest.approx(1, abs=0.05)
    assert np.median(strong.sigma) < 0.5 * np.median(sense.sigma)  # type: ignore[arg-type]
    assert strong.header["provenance"]["parameters"]["penalty"] == 3


def test_methods_without_known_noise(clean_file: Path) -> None:
    output = clean_file.with_name("image.h5")
    succeed("reconstruct", clean_file, output, "--method", "adaptive", *CPU)
    assert formats.read(output).sigma is None  # type: ignore[union-attr]
    output.unlink()
    assert "give --noise FILE" in fail("reconstruct", clean_file, output, "--method", "tv", *CPU)
    assert not output.exists()


def test_one_coil(tmp_path: Path) -> None:
    data = clean_kspace()[:, :1]
    formats.write(tmp_path / "scan.h5", Scan(kspace=data, noise_covariance=np.array([[0.5]])))
    images = reconstructed(tmp_path / "scan.h5", "--method", "sense")
    np.testing.assert_allclose(images.data, ifft2c(data)[:, 0], atol=1e-6)
    np.testing.assert_allclose(images.sigma, 0.5, rtol=1e-6)  # type: ignore[arg-type]


def test_provenance(scan_file: Path) -> None:
    record = reconstructed(scan_file, "--method", "sense").header["provenance"]
    assert record["parameters"]["method"] == "sense"
    assert record["parameters"]["noise"] == "stored in the file"
    assert len(record["inputs"][0]["sha256"]) == 64


@pytest.mark.parametrize("method", ["ddrm", "split-gibbs", "dds", "pigdm"])
def test_samplers_write_mean_and_spread_in_the_unit_of_the_data(
    scan_file: Path, method: str
) -> None:
    keep_one_slice(scan_file)
    images = reconstructed(
        scan_file, "--method", method, *prior_for(method, scan_file.parent), "--calibration", 12
    )
    with h5py.File(scan_file.with_name("image.h5")) as file:
        spread = file["posterior_std"][:]
    sense = reconstructed(scan_file, "--method", "sense", "--calibration", 12)
    inside = np.abs(sense.data) > 0.5
    error = np.abs(images.data - sense.data)[inside].mean()
    assert error < 0.3 * np.abs(sense.data)[inside].mean()
    assert images.sigma is None
    assert images.header["provenance"]["parameters"]["sampling"]["samples"] == 2
    assert spread.shape == images.data.shape
    assert spread[inside].min() > 0


@pytest.mark.filterwarnings("ignore:the images are")  # the prior knows nothing
@pytest.mark.parametrize("given", [None, 5])
@pytest.mark.parametrize("method", ["ddrm", "split-gibbs", "dds", "pigdm"])
def test_a_sampler_asks_as_often_as_its_progress_bar_counts(
    scan_file: Path, method: str, given: int | None
) -> None:
    prior = load(Path(str(prior_for(method, scan_file.parent)[1])))
    prior.objective = Diffusion(smallest=1e-6)  # none of the levels is below it, and left out
    scan, asked = formats.read(scan_file), []
    sampling = Sampling(2, given).over(METHODS[method].sampling)
    settings = Settings(known_noise(scan), 12, 0, 0, None, prior, sampling)
    METHODS[method].run(scan.kspace[0], None, settings._replace(tick=lambda: asked.append(1)))
    assert len(asked) == sampling.calls


def test_steps_sweeps_and_precision_are_the_users(scan_file: Path) -> None:
    keep_one_slice(scan_file)
    words = ["--method", "split-gibbs", *prior_for("split-gibbs", scan_file.parent)]
    images = reconstructed(scan_file, *words, "--steps", 3, "--sweeps", 4, "--bfloat16")
    given = {"samples": 2, "steps": 3, "sweeps": 4, "bfloat16": True, "keep_samples": False}
    assert images.header["provenance"]["parameters"]["sampling"] == given


def test_a_report_shows_images_their_spread_and_samples(scan_file: Path) -> None:
    folder = scan_file.with_name("page")
    words = ["--method", "dds", *prior_for("dds", scan_file.parent), "--report", folder]
    images = reconstructed(scan_file, *words, "--keep-samples")
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "posterior for split-gibbs" in page
    assert page.count("data:image/png;base64") == len(images.data)
    assert json.loads((folder / "provenance.json").read_text())["parameters"]["method"] == "dds"
    picture = matplotlib.image.imread(folder / "slice-0.png")
    for side in (picture[:, : picture.shape[1] // 2], picture[:, picture.shape[1] // 2 :]):
        assert side[..., :3].std() > 0.1  # no empty panels
    with h5py.File(scan_file.with_name("image.h5")) as file:
        samples = file["posterior_samples"][:]
        assert samples.shape == (len(images.data), 2, *images.data.shape[1:])
        np.testing.assert_allclose(samples.mean(axis=1), images.data, rtol=1e-4, atol=1e-5)


def test_a_report_of_sense_shows_the_noise_map(scan_file: Path) -> None:
    folder = scan_file.with_name("page")
    reconstructed(scan_file, "--method", "sense", "--report", folder)
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "posterior" not in page.split("Provenance")[0]
    assert (folder / "slice-0.png").exists()


def test_a_sampler_tells_of_noise_that_is_not_white(scan_file: Path) -> None:
    output = scan_file.with_name("image.h5")
    words = ["--method", "ddrm", *prior_for("ddrm", scan_file.parent), *CPU]
    assert "white" not in succeed("reconstruct", scan_file, output, *words).stderr
    with h5py.File(scan_file, "r+") as file:
        file["noise_spectrum"] = np.linspace(0.2, 1.8, 32)
    said = succeed("reconstruct", scan_file, output, *words).stderr
    assert "noise is not white" in said
    assert "ddrm takes it for white" in said


def test_images_that_do_not_fit_their_data_are_told() -> None:
    """With the right maps the error of the data is its noise, with others it is not."""
    rng = np.random.default_rng(0)
    kspace = 30 * clean_kspace()[0]
    maps = ifft2c(kspace) / np.linalg.norm(ifft2c(kspace), axis=0).clip(1e-3)
    mask = np.zeros(SHAPE[2:], bool)
    mask[:, ::2] = True
    noise = rng.standard_normal((2, *kspace.shape))
    white = ((kspace + noise[0] + 1j * noise[1]) * mask).astype(np.complex64)
    image = np.linalg.norm(ifft2c(kspace), axis=0).astype(np.complex64)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_if_apart(white, maps.astype(np.complex64), mask, image)
    with pytest.warns(UserWarning, match="times as far from the data as noise is"):
        warn_if_apart(white, np.roll(maps, 8, axis=-1).astype(np.complex64), mask, image)


@pytest.mark.filterwarnings("ignore:the images are")  # the prior knows nothing
def test_lines_filled_with_zeros_are_drawn_by_samplers(scan_file: Path) -> None:
    """The file says nothing of them; what was not measured is uncertain, with a mask or without."""
    keep_one_slice(scan_file)
    scan = formats.read(scan_file)
    kspace = scan.kspace[:].copy()
    kspace[..., :10] = 0
    mask = np.arange(SHAPE[-1]) >= 10
    words = ["--method", "ddrm", *prior_for("ddrm", scan_file.parent), "--calibration", 8]
    formats.write(scan_file, dataclasses.replace(scan, kspace=kspace))
    padded = reconstructed(scan_file, *words)
    formats.write(scan_file, dataclasses.replace(scan, kspace=kspace, mask=mask[None, None]))
    np.testing.assert_allclose(reconstructed(scan_file, *words).data, padded.data, atol=1e-4)


def test_blank_slices_are_told(scan_file: Path) -> None:
    scan = formats.read(scan_file)
    kspace = scan.kspace[:].copy()
    kspace[1] = 0
    formats.write(scan_file, dataclasses.replace(scan, kspace=kspace))
    words = ["reconstruct", scan_file, scan_file.with_name("image.h5"), "--method", "rss", *CPU]
    assert "slices without data, counted from 0: [1]" in succeed(*words).stderr


def test_a_sampler_needs_noise_that_is_known(clean_file: Path) -> None:
    words = ["--method", "ddrm", *prior_for("ddrm", clean_file.parent), *CPU]
    output = clean_file.with_name("image.h5")
    said = run("reconstruct", clean_file, output, *words).stderr
    assert "error: no part of the scan is noise alone" in said
    assert "written without a noise map" not in said


def test_a_denoiser_of_one_level_is_no_prior(scan_file: Path) -> None:
    network = build_network(UNetConfig(base=8, multipliers=(1,), attention=(), heads=2), 2)
    config = TrainConfig(network=network.network.config)
    model = scan_file.with_name("c2s.safetensors")
    Denoiser(network, C2S(), "c2s", "after-sense", config, {}).save(model)
    words = ["reconstruct", scan_file, scan_file.with_name("o.h5"), "--method", "ddrm"]
    assert "c2s was trained near that of its scans" in fail(*words, "--model", model, *CPU)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--method", "magic"], "--method magic is no method; there is rss, adaptive, sense"),
        ([], "Missing option '--method'"),
        (["--method", "sense", "--calibration", 99], "does not fit k-space of 40 x 32"),
        (["--method", "sense", "--replicas", -1], "replicas=-1"),
        (["--method", "tv", "--replicas", 1], "replicas is 1, expected at least 2"),
        (["--method", "adaptive", "--replicas", 8], "--replicas: adaptive needs none"),
        (["--method", "rss", "--lambda", 1], "--lambda: rss has no penalty"),
        (["--method", "tv", "--lambda", 0], "0.0 is not in the range"),
        (["--method", "ddrm"], "ddrm needs --model MODEL, a denoiser of every noise level"),
        (["--method", "ddrm", "--model", "x"], "x"),
        (["--method", "sense", "--model", "x"], "--model: sense uses no denoiser"),
        (["--method", "sense", "--samples", 8], "--samples: sense draws no samples; ddrm"),
        (["--method", "tv", "--bfloat16"], "--bfloat16: tv draws no samples"),
        (["--method", "ddrm", "--sweeps", 9], "--sweeps: ddrm has none; split-gibbs has"),
        (["--method", "rss", "--report", __file__], "is a file, expected a folder"),
        (["--method", "tv", "--keep-samples"], "--keep-samples: tv draws no samples"),
    ],
)
def test_refusals(scan_file: Path, options: list[object], message: str) -> None:
    output = scan_file.with_name("image.h5")
    assert message in fail("reconstruct", scan_file, output, *options, *CPU)
    assert not output.exists()


@pytest.mark.parametrize("method", [name for name in METHODS if name != "split-gibbs"])
def test_torch_tensors_give_the_same_image(
    scan_file: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """What --device cuda does, on tensors of the CPU."""
    if METHODS[method].sampling:
        keep_one_slice(scan_file)
    words = ["--method", method, *prior_for(method, scan_file.parent)]
    plain = reconstructed(scan_file, *words)
    module = importlib.import_module("kspace_denoise.cli.reconstruct")
    monkeypatch.setattr(module, "to_device", lambda values, _: torch.from_numpy(values))
    tensors = reconstructed(scan_file, *words)
    # Samplers pass rounding on from step to step.
    atol = 1e-4 if METHODS[method].sampling else 1e-5
    np.testing.assert_allclose(tensors.data, plain.data, atol=atol)
    if method == "sense":
        np.testing.assert_allclose(tensors.sigma, plain.sigma, rtol=1e-4)  # type: ignore[arg-type]


@pytest.mark.cuda
@pytest.mark.parametrize("method", METHODS)
def test_on_a_gpu(scan_file: Path, method: str) -> None:
    words = ["--method", method, *prior_for(method, scan_file.parent)]
    plain = reconstructed(scan_file, *words)
    output = scan_file.with_name("gpu.h5")
    succeed("reconstruct", scan_file, output, *words, "--device", "cuda")
    found = formats.read_images(output).data
    if METHODS[method].sampling:  # a GPU draws other numbers
        with h5py.File(output) as file:
            spread = np.abs(file["posterior_std"][:])
        off = np.abs(found - plain.data)
        assert np.sqrt(np.mean(off**2)) < 3 * np.sqrt(np.mean(spread**2))
    else:
        np.testing.assert_allclose(found, plain.data, atol=1e-4)
