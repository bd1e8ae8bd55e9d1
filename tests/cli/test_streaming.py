"""Commands on real-world files: M4Raw, fastMRI with its oversampling, a disk that is full."""

import json
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from kspace_denoise import formats, recon, sim
from kspace_denoise.crop import centre_crop
from kspace_denoise.fourier import fft2c, ifft2c
from kspace_denoise.scan import Images, Scan
from tests.cli.conftest import SHAPE, clean_kspace, covariance
from tests.cli.runner import fail, files_in, succeed
from tests.formats.files import M4RAW_LINES, M4RAW_SIGMA, kspace, write_file, write_m4raw

CPU = ["--device", "cpu"]


def read_images(path: Path) -> Images:
    images = formats.read(path)
    assert isinstance(images, Images)
    return images


@pytest.fixture(scope="module")
def m4raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("m4raw")
    write_m4raw(folder, "2022061003_T102", slices=1, seed=1)
    return write_m4raw(folder, slices=1)


def test_info_of_m4raw(m4raw: Path) -> None:
    found = json.loads(succeed("info", m4raw, "--json").stdout)
    assert found["kind"] == "M4Raw, one repetition"
    assert found["repetition"] == "1 of 2"
    assert found["repetitions"] == ["2022061003_T101.h5", "2022061003_T102.h5"]
    assert found["field_strength_T"] == 0.3
    assert found["peak_at_ky_kx"] == [136, 128]
    assert found["zero_columns"] == 61
    said = " ".join(found["warnings"])
    assert "(8, 0) samples from the centre (128, 128)" in said
    assert "columns 0-29, 225-255 (61 of 256) hold zeros only: filled with zeros" in said


def test_sense_of_m4raw_counts_no_noise_from_lines_that_are_zero(m4raw: Path) -> None:
    out = m4raw.with_name("image.h5")
    psi = 2 * M4RAW_SIGMA**2 * np.eye(4)
    noise = write_file(m4raw.with_name("noise.h5"), noise_covariance=psi)
    succeed("reconstruct", m4raw, out, "--method", "sense", "--noise", noise, *CPU)
    images = read_images(out)
    assert images.header["max"] == pytest.approx(float(np.abs(images.data).max()))
    sigma = M4RAW_SIGMA * np.sqrt((M4RAW_LINES.stop - M4RAW_LINES.start) / 256)
    np.testing.assert_allclose(images.sigma, sigma, rtol=1e-4)  # type: ignore[arg-type]
    air = images.data[0, :20]  # the object ends below; the noise is correlated along x only
    measured = np.sqrt(np.mean(np.abs(air) ** 2) / 2)
    assert measured == pytest.approx(sigma, rel=5 / np.sqrt(2 * air.size * 195 / 256))


@pytest.mark.parametrize("stage", ["before-sense", "after-sense"])
def test_denoising_m4raw(m4raw: Path, stage: str) -> None:
    out = m4raw.with_name(f"{stage}.h5")
    succeed("denoise", m4raw, out, "--model", "nlm", "--stage", stage, *CPU)
    with h5py.File(out) as file:
        clean, noisy, sigma = (file[n][0] for n in ("reconstruction", "noisy", "noisy_sigma"))
    # The noise was measured in k-space, to a few per cent.
    assert np.median(sigma) == pytest.approx(M4RAW_SIGMA * np.sqrt(195 / 256), rel=0.05)
    assert np.abs(clean[:20]).mean() < 0.5 * np.abs(noisy[:20]).mean()


@pytest.fixture
def oversampled(tmp_path: Path) -> Path:
    """Return a scan with twice the field of view along ky, and the size of its images."""
    wide = np.zeros((2, 4, 80, 32), np.complex64)
    wide[:, :, 20:60] = ifft2c(clean_kspace())
    data = sim.add_noise(fft2c(wide), covariance(), seed=0)
    path = tmp_path / "wide.h5"
    target = np.zeros((2, 40, 28), np.float32)
    header = {"readout_axis": -2, "field_strength_T": 3.0}
    return write_file(
        path, header, kspace=data, noise_covariance=covariance(), reconstruction_rss=target
    )


@pytest.mark.parametrize("method", ["rss", "sense"])
def test_nothing_is_cropped_unless_asked(oversampled: Path, method: str) -> None:
    whole, crop, size = (oversampled.with_name(f"{n}.h5") for n in ("whole", "crop", "size"))
    common = ["--method", method, *CPU]
    succeed("reconstruct", oversampled, whole, *common)
    succeed("reconstruct", oversampled, crop, *common, "--crop", "recon")
    succeed("reconstruct", oversampled, size, *common, "--crop", "16x8")
    images, smaller = read_images(whole), read_images(crop)
    assert images.data.shape == (2, 80, 32)
    np.testing.assert_array_equal(smaller.data, centre_crop(images.data, (40, 28)))
    np.testing.assert_array_equal(read_images(size).data, centre_crop(images.data, (16, 8)))
    if method == "sense":
        np.testing.assert_array_equal(smaller.sigma, centre_crop(images.sigma, (40, 28)))
    assert smaller.header["provenance"]["parameters"]["crop"] == [40, 28]
    assert "reconstruction_shape" not in smaller.header


def test_denoised_images_are_cropped_with_their_noise(oversampled: Path) -> None:
    out = oversampled.with_name("out.h5")
    succeed("denoise", oversampled, out, "--model", "nlm", "--crop", "recon", *CPU)
    with h5py.File(out) as file:
        shapes = {file[name].shape for name in ("reconstruction", "noisy", "noisy_sigma")}
    assert shapes == {(2, 40, 28)}


@pytest.mark.parametrize("command", ["rss", "sense", "denoise"])
def test_oversampling_is_removed_before_the_work(oversampled: Path, command: str) -> None:
    out, whole = oversampled.with_name("out.h5"), oversampled.with_name("whole.h5")
    model = ["--model", "nlm"] if command == "denoise" else ["--method", command]
    name = "denoise" if command == "denoise" else "reconstruct"
    succeed(name, oversampled, whole, *model, *CPU)
    succeed(name, oversampled, out, *model, "--remove-oversampling", *CPU)
    result, expected = read_images(out).data, centre_crop(read_images(whole).data, (40, 32))
    assert result.shape == (2, 40, 32)
    bright = np.abs(expected) > 0.5
    # Coil maps come from a k-space centre that is half as dense, and so differ a little.
    difference = np.abs(np.abs(result) - np.abs(expected))[bright]
    assert difference.max() < (1e-5 if command == "rss" else 0.1) * np.abs(expected).max()
    parameters = read_images(out).header["provenance"]["parameters"]
    assert parameters["oversampling_removed"] is True


def test_a_fastmri_test_set(tmp_path: Path) -> None:
    """Ten central columns are sampled: the maps come from these, unless more is asked for."""
    column = np.arange(32)
    mask = (np.abs(column - 16) < 5) | (column == 11) | (column % 2 == 0)
    padding = (column < 3) | (column >= 29)
    data = sim.add_noise(clean_kspace(), covariance(), seed=0) * (mask & ~padding)
    attributes = {"padding_left": 3, "padding_right": 29, "acceleration": 2, "readout_axis": -2}
    attributes["num_low_frequency"] = 10
    path, out = tmp_path / "test.h5", tmp_path / "out.h5"
    write_file(path, attributes, kspace=data, mask=mask & ~padding, noise_covariance=covariance())
    found = json.loads(succeed("info", path, "--json").stdout)
    assert found["kind"] == "fastMRI, test set"
    assert found["warnings"] == [
        "columns 0-2, 29-31 (6 of 32) hold zeros only: filled with zeros, without noise"
    ]
    succeed("reconstruct", path, out, "--method", "sense", *CPU)
    images = read_images(out)
    truth = np.sqrt(np.sum(np.abs(ifft2c(clean_kspace() * ~padding)) ** 2, axis=1))
    inside = truth > 0.5
    pulls = (np.abs(images.data) - truth)[inside] / np.asarray(images.sigma)[inside]
    assert np.median(np.abs(pulls)) < 1.5  # 0.67 of noise alone; maps from few lines add to it
    message = fail("reconstruct", path, tmp_path / "b.h5", "--method", "sense", "--calibration", 24)
    assert "calibration region are zero in all coils, so not sampled" in message


def test_crops_that_cannot_be(oversampled: Path, scan_file: Path) -> None:
    out = oversampled.with_name("out.h5")
    rss = ["--method", "rss", *CPU]
    assert "says nothing of the size" in fail(
        "reconstruct", scan_file, out, *rss, "--crop", "recon"
    )
    for crop in ("half", "10", "10x", "-1x5"):
        message = fail("reconstruct", oversampled, out, *rss, f"--crop={crop}")
        assert f"--crop {crop}: expected recon, or a size" in message
    for crop in ("81x10", "0x10"):
        message = fail("reconstruct", oversampled, out, *rss, "--crop", crop)
        assert "cannot crop 80 x 32" in message
    message = fail("reconstruct", scan_file, out, *rss, "--remove-oversampling")
    assert "says nothing of the size" in message
    image = write_file(out.with_name("image.h5"), reconstruction=kspace()[:, 0], noise_sigma=1.0)
    message = fail("denoise", image, out, "--model", "nlm", "--crop", "8x8", *CPU)
    assert "holds images: only k-space can be cropped on the way" in message
    assert not out.exists()


def test_blank_slices_are_written_as_zeros(tmp_path: Path) -> None:
    data = np.concatenate([0 * clean_kspace()[:1], clean_kspace()])
    formats.write(tmp_path / "a.h5", Scan(kspace=data, noise_covariance=covariance()))
    for command in (["reconstruct", "--method", "sense"], ["denoise", "--model", "nlm"]):
        succeed(command[0], tmp_path / "a.h5", tmp_path / "b.h5", *command[1:], *CPU)
        with h5py.File(tmp_path / "b.h5") as file:
            sigma = file["noise_sigma" if command[0] == "reconstruct" else "noisy_sigma"][:]
            assert not file["reconstruction"][0].any()
            assert not sigma[0].any()
            assert file["reconstruction"][1].any()


def test_a_profile_and_a_spectrum_reach_the_noise_map(scan_file: Path) -> None:
    profile = np.linspace(0.5, 1.5, 40)[:, None]
    profile /= np.sqrt(np.mean(profile**2))
    spectrum = np.linspace(0.2, 1.8, 32)
    flat, shaped = scan_file.with_name("flat.h5"), scan_file.with_name("shaped.h5")
    succeed("reconstruct", scan_file, flat, "--method", "sense", *CPU)
    with h5py.File(scan_file, "r+") as file:
        file["noise_profile"] = profile
        file["noise_spectrum"] = spectrum
    succeed("reconstruct", scan_file, shaped, "--method", "sense", *CPU)
    sigmas = [np.asarray(read_images(path).sigma) for path in (flat, shaped)]
    np.testing.assert_allclose(sigmas[1], sigmas[0] * profile, rtol=1e-3)


def test_simulated_noise_has_the_shape_of_the_source(scan_file: Path) -> None:
    profile = np.linspace(0.5, 1.5, 40)[:, None]
    profile /= np.sqrt(np.mean(profile**2))
    with h5py.File(scan_file, "r+") as file:
        file["noise_profile"] = profile
    source = formats.read(scan_file)
    out = scan_file.with_name("out.h5")
    for options in (["--sigma", 10], ["--field", 0.3], ["--snr", 0.05]):
        succeed("simulate", scan_file, out, *options, *CPU)
        result = formats.read(out)
        assert isinstance(result, Scan)
        assert isinstance(source, Scan)
        np.testing.assert_array_equal(result.noise_profile, profile)  # type: ignore[arg-type]
        scale = 0.01 if options[0] == "--field" else 1
        images = ifft2c(recon.whiten(result.kspace[:] - scale * source.kspace[:],
                                     result.noise_covariance))  # fmt: skip
        level = np.sqrt(np.mean(np.abs(images) ** 2, axis=(0, 1, 3)) / 2)
        count = 2 * SHAPE[0] * SHAPE[1] * SHAPE[3]
        np.testing.assert_allclose(level, profile[:, 0], rtol=5 / np.sqrt(2 * count))


FULL_DISK = """
import resource
from kspace_denoise.cli import main
resource.setrlimit(resource.RLIMIT_FSIZE, (15_000, 15_000))
for words in ("reconstruct scan.h5 out.h5 --method sense", "denoise scan.h5 out.h5 --model nlm",
              "simulate scan.h5 out.h5 --sigma 0.1"):
    try:
        main([*words.split(), "--device", "cpu"], "kspace-denoise")
    except SystemExit as end:
        print(end.code)
"""


def test_a_full_disk(scan_file: Path) -> None:
    """One error line, status 2, the old output as it was, and nothing else left."""
    out = scan_file.with_name("out.h5")
    out.write_text("older")
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK],
        cwd=out.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "2\n2\n2\n"
    assert done.stderr == 3 * "error: out.h5: File too large\n"
    assert out.read_text() == "older"
    assert files_in(out.parent) == ["out.h5", "scan.h5"]


@pytest.mark.parametrize(
    ("covariance_given", "message"),
    [
        (np.array([[1, 1], [0, 1]]), "noise.h5: noise covariance is not Hermitian"),
        (np.ones((2, 2)), "noise.h5: noise covariance is not positive definite"),
        (np.ones((2, 3)), r"noise.h5: noise covariance has shape (2, 3)"),
    ],
)
def test_a_noise_file_that_is_no_covariance(
    tmp_path: Path, covariance_given: np.ndarray, message: str
) -> None:
    scan = write_file(tmp_path / "scan.h5", kspace=kspace())
    noise = write_file(tmp_path / "noise.h5", noise_covariance=covariance_given)
    words = ["reconstruct", scan, tmp_path / "out.h5", "--method", "sense", "--noise", noise]
    assert message in fail(*words, *CPU)
    assert not (tmp_path / "out.h5").exists()
