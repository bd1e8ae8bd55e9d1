"""`simulate --trajectory`: what is written, its noise, and what other commands make of it."""

import json
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from matplotlib.image import imread

from kspace_denoise import crop, formats, recon, sim, snr, stages
from kspace_denoise.fourier import ifft2c
from kspace_denoise.nufft import Nufft
from kspace_denoise.samples import reconstruct_samples
from kspace_denoise.scan import Images, Scan
from tests.cli.conftest import SHAPE, clean_kspace, covariance
from tests.cli.runner import fail, files_in, succeed
from tests.cli.test_simulate import relative_error, simulated
from tests.formats.files import write_file

CPU = ["--device", "cpu"]
GRID = SHAPE[2:]


@pytest.mark.parametrize("kind", ["radial", "golden-angle", "spiral", "rosette"])
def test_samples_lie_along_the_trajectory(clean_file: Path, kind: str) -> None:
    options = ["--trajectory", kind, "--readouts", 9, "--samples", 50, "--noise-free", "--seed", 2]
    scan = simulated(clean_file, *options)
    expected = sim.trajectory(kind, GRID, 9, 50, seed=2)
    np.testing.assert_array_equal(scan.trajectory, expected)  # type: ignore[arg-type]
    assert scan.image_shape == GRID
    assert scan.kspace.shape == (*SHAPE[:2], 9, 50)
    exact = Nufft(expected, GRID, accuracy=1e-6).forward(ifft2c(clean_kspace()))
    np.testing.assert_allclose(scan.kspace[:], exact, atol=1e-4 * np.abs(exact).max())
    assert (scan.mask, scan.noise_covariance, scan.readout_axis) == (None, None, None)
    record = scan.header["provenance"]["parameters"]
    assert (record["trajectory"], record["readouts"], record["samples"]) == (kind, 9, 50)
    assert record["correlated_noise_share"] == 0


def test_added_noise_is_that_of_the_field_in_every_sample(scan_file: Path) -> None:
    out = scan_file.with_name("out.h5")
    options = ["--trajectory", "radial", "--field", 0.6, *CPU]
    done = succeed("simulate", scan_file, out, *options)
    scan = formats.read(out)
    assert isinstance(scan, Scan)
    psi = 0.04 * covariance()
    np.testing.assert_allclose(scan.noise_covariance, psi)  # type: ignore[arg-type]
    exact = Nufft(scan.trajectory, GRID, accuracy=1e-6).forward(ifft2c(clean_kspace()))
    assert relative_error(scan.kspace[:] - 0.04 * exact, psi) < 5
    # a⁴ of the source's noise in a² of the target's
    share = scan.header["provenance"]["parameters"]["correlated_noise_share"]
    assert share == pytest.approx(0.04)
    assert "4% of the noise variance comes from IN" in done.stderr


@pytest.fixture
def radial(scan_file: Path) -> Path:
    out = scan_file.with_name("radial.h5")
    succeed("simulate", scan_file, out, "--trajectory", "radial", "--field", 0.3, *CPU)
    return out


def test_sense_reconstructs_it(radial: Path) -> None:
    out = radial.with_name("image.h5")
    options = ["--method", "sense", "--calibration", 16, "--replicas", 8, "--crop", "32x24"]
    succeed("reconstruct", radial, out, *options, *CPU)
    images = formats.read(out)
    assert isinstance(images, Images)
    assert images.data.shape == (SHAPE[0], 32, 24)
    truth = crop.centre_crop(recon.rss(ifft2c(0.01 * clean_kspace())), (32, 24))
    inside = truth > 0.5 * truth.max()
    error = (np.abs(images.data) - truth)[inside]
    assert np.sqrt(np.mean(error**2)) < 3 * np.median(np.asarray(images.sigma)[inside])
    assert np.sqrt(np.mean(error**2)) < 0.15 * truth[inside].mean()


def test_info_describes_it(radial: Path) -> None:
    found = json.loads(succeed("info", radial, "--json").stdout)
    assert (found["trajectory"], found["image_y_x"]) == ("radial", list(GRID))
    assert (found["readouts"], found["samples"]) == (63, 80)
    assert found["extent_ky_kx"] == pytest.approx([20, 16], rel=1e-3)
    assert found["snr"] is None
    assert "matrix_ky_kx" not in found
    assert found["warnings"] == []
    succeed("info", radial, "--picture", radial.with_name("a.png"))
    assert imread(radial.with_name("a.png")).std() > 0.05


def test_what_needs_a_grid_refuses_it(radial: Path) -> None:
    out = radial.with_name("out.h5")
    for method in ("rss", "adaptive", "l1-wavelet", "tv"):
        message = fail("reconstruct", radial, out, "--method", method, *CPU)
        assert f"--method {method} needs Cartesian k-space, and this scan has a traj" in message
    assert "denoising needs Cartesian" in fail("denoise", radial, out, "--model", "nlm", *CPU)
    model = radial.with_name("m.safetensors")
    assert "training needs Cartesian" in fail("train", "c2s", radial, "--out", model, *CPU)
    assert "the demo needs Cartesian" in fail(
        "demo", "--data", radial, "--out", out.with_suffix("")
    )
    for options in (["--acceleration", 2], ["--trajectory", "spiral"], ["--snr", 1]):
        assert "Cartesian k-space" in fail("simulate", radial, out, *options, *CPU)
    oversampling = ["--method", "sense", "--remove-oversampling", *CPU]
    assert "no Cartesian readout" in fail("reconstruct", radial, out, *oversampling)
    scan = formats.read(radial)
    assert isinstance(scan, Scan)
    with pytest.raises(ValueError, match="fully sampled Cartesian"):
        snr.scan_snr(scan, stages.KnownNoise(covariance()))
    with pytest.raises(ValueError, match="this scan is Cartesian"):
        reconstruct_samples(Scan(kspace=clean_kspace()), clean_kspace()[0])
    assert files_in(radial.parent) == ["radial.h5", "scan.h5"]


def test_noise_of_a_trajectory_must_be_given(radial: Path) -> None:
    with h5py.File(radial, "r+") as file:
        psi = file["noise_covariance"][:]
        del file["noise_covariance"]
    found = json.loads(succeed("info", radial, "--json").stdout)
    assert "lie along a trajectory" in found["warnings"][-1]
    noise = write_file(radial.with_name("noise.h5"), noise_covariance=psi)
    succeed("reconstruct", radial, radial.with_name("a.h5"), "--method", "sense",
            "--calibration", 16, "--noise", noise, *CPU)  # fmt: skip


def test_a_library_that_is_not_installed(clean_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "finufft", None)
    options = ["--trajectory", "radial", "--noise-free", *CPU]
    message = fail("simulate", clean_file, clean_file.with_name("out.h5"), *options)
    assert "pip install 'kspace-denoise[noncartesian]'" in message


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--trajectory", "circle"], "unknown trajectory 'circle'"),
        (["--trajectory", "radial", "--readouts", 0], "readouts is 0"),
        (["--sigma", 1, "--readouts", 9], "--readouts needs --trajectory"),
        (["--sigma", 1, "--samples", 9], "--samples needs --trajectory"),
    ],
)
def test_refusals(scan_file: Path, options: list[object], message: str) -> None:
    assert message in fail("simulate", scan_file, scan_file.with_name("out.h5"), *options, *CPU)
    assert files_in(scan_file.parent) == ["scan.h5"]


def test_replicas_without_known_noise_are_refused(radial: Path) -> None:
    scan = formats.read(radial)
    assert isinstance(scan, Scan)
    with pytest.raises(ValueError, match="give its noise_covariance"):
        reconstruct_samples(scan, scan.kspace[0], replicas=4)
