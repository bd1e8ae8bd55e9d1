"""`simulate --sigma --replay`: recorded noise at the level that was asked for."""

from pathlib import Path

import numpy as np
import pytest

from kspace_denoise import formats
from kspace_denoise.fourier import ifft2c
from kspace_denoise.scan import Scan
from tests.cli.conftest import SHAPE, clean_kspace, covariance
from tests.cli.runner import fail, succeed
from tests.cli.test_simulate import simulated
from tests.formats.files import kspace, write_file

CPU = ["--device", "cpu"]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "scan.h5"
    formats.write(path, Scan(kspace=clean_kspace(), readout_axis=-2, field_strength=3.0))
    return path


def recording(folder: Path, length: int, coils: int = 4) -> Path:
    """Write noise of which a line at frequency 0.2 has half the power."""
    thermal = 7 * kspace((coils, 400, length)) / np.sqrt(2)
    phase = np.random.default_rng(1).random((1, 400, 1))
    line = 7 * np.exp(2j * np.pi * (0.2 * np.arange(length) + phase))
    return write_file(folder / "noise.h5", noise=(thermal + line).astype(np.complex64))


@pytest.mark.parametrize(
    ("length", "mode"), [(100, "readouts"), (50, "readouts"), (30, "spectrum")]
)
def test_its_level_and_lines_are_those_of_the_recording(
    source: Path, length: int, mode: str
) -> None:
    options = ["--sigma", 0.1, "--replay", recording(source.parent, length), "--noise-free"]
    scan = simulated(source, *options)
    noise = scan.kspace[:] - clean_kspace()
    level = np.sqrt(np.mean(np.abs(noise) ** 2) / 2)
    assert level == pytest.approx(0.1, rel=0.05)
    psi = scan.noise_covariance
    assert psi is not None
    assert np.sqrt(np.median(np.diag(psi).real) / 2) == pytest.approx(0.1)
    assert abs(psi[0, 1]) == pytest.approx(0.5 * abs(psi[0, 0]), rel=0.1)  # the line is in all
    measured = np.sqrt(np.mean(np.abs(ifft2c(noise)) ** 2, axis=(0, 1, 3)) / 2)
    profile = scan.noise_profile
    assert profile is not None
    assert profile.shape == (SHAPE[2], 1)
    assert np.sqrt(np.mean(profile**2)) == pytest.approx(1)
    assert profile.argmax() == measured.argmax() == SHAPE[2] // 2 - 0.2 * SHAPE[2]
    far = profile[:, 0] < 1.5
    np.testing.assert_allclose(measured[far] / level, profile[far, 0], rtol=0.25)
    assert scan.header["provenance"]["parameters"]["replay"] == mode
    inputs = [Path(item["path"]).name for item in scan.header["provenance"]["inputs"]]
    assert inputs == ["scan.h5", "noise.h5"]


def test_noise_of_the_source_counts(scan_file: Path) -> None:
    options = ["--sigma", 0.1, "--replay", recording(scan_file.parent, 60)]
    scan = simulated(scan_file, *options)
    alone = simulated(scan_file, *options, "--noise-free")
    assert scan.noise_covariance is not None
    np.testing.assert_allclose(scan.noise_covariance - alone.noise_covariance, covariance())
    assert scan.noise_profile is not None
    assert alone.noise_profile is not None
    assert np.ptp(scan.noise_profile) < np.ptp(alone.noise_profile)


def test_refusals(source: Path, scan_file: Path) -> None:
    out = scan_file.with_name("out.h5")
    noise = recording(scan_file.parent, 60)
    common = ["simulate", scan_file, out, "--replay"]
    assert "--replay needs --sigma" in fail(*common, noise, "--snr", 3, *CPU)
    sigma = ["--sigma", 1, *CPU]
    assert "needs a Cartesian readout" in fail(*common, noise, *sigma, "--trajectory", "radial")
    assert "none.h5: no such file" in fail(*common, "none.h5", *sigma)
    other = recording(scan_file.parent, 60, coils=3)
    assert "the recording has 3 coils, the k-space 4" in fail(*common, other, *sigma)
    matrix = write_file(scan_file.with_name("psi.h5"), noise_covariance=covariance())
    assert "needs recorded samples" in fail(*common, matrix, *sigma)
    unknown = Scan(kspace=clean_kspace(), noise_covariance=covariance())
    formats.write(source, unknown)
    assert "--readout-axis" in fail("simulate", source, out, "--replay", noise, *sigma)
    coloured = Scan(
        kspace=clean_kspace(),
        noise_covariance=covariance(),
        noise_spectrum=np.linspace(0.5, 1.5, SHAPE[3]),
        readout_axis=-2,
    )
    formats.write(source, coloured)
    message = fail("simulate", source, out, "--replay", noise, *sigma)
    assert "not white in k-space" in message
    assert not out.exists()
    succeed(
        "simulate", source, out, "--replay", recording(scan_file.parent, 60), "--noise-free", *sigma
    )
