"""`simulate`: the noise and the mask that it writes are those that it was asked for."""

import importlib
from pathlib import Path

import numpy as np
import pytest
import torch

from kspace_denoise import formats, recon
from kspace_denoise.fourier import ifft2c
from kspace_denoise.metrics import object_mask
from kspace_denoise.scan import Scan
from tests.cli.conftest import SHAPE, SIGMA, clean_kspace, covariance
from tests.cli.runner import fail, files_in, succeed
from tests.formats.files import kspace, write_file

CPU = ["--device", "cpu"]


def simulated(source: Path, *options: object) -> Scan:
    output = source.with_name("out.h5")
    succeed("simulate", source, output, *options, *CPU)
    scan = formats.read(output)
    assert isinstance(scan, Scan)
    return scan


def relative_error(noise: np.ndarray, psi: np.ndarray) -> float:
    """Return the largest error of a sample covariance in units of its standard error."""
    samples = np.moveaxis(noise, 1, 0).reshape(len(psi), -1)
    found = samples @ samples.conj().T / samples.shape[1]
    level = np.sqrt(np.outer(np.diag(psi), np.diag(psi)).real / samples.shape[1])
    return float(np.max(np.abs(found - psi) / level))


def test_sigma_adds_white_noise_to_every_coil(scan_file: Path) -> None:
    source = formats.read(scan_file)
    scan = simulated(scan_file, "--sigma", 0.05, "--seed", 3)
    added = scan.kspace[:] - source.kspace[:]  # type: ignore[union-attr]
    white = 2 * 0.05**2 * np.eye(4)
    assert relative_error(added, white) < 5
    np.testing.assert_allclose(scan.noise_covariance, covariance() + white)
    assert scan.field_strength == 3.0


def test_sigma_on_a_clean_source(clean_file: Path) -> None:
    scan = simulated(clean_file, "--sigma", 0.05, "--noise-free")
    assert relative_error(scan.kspace[:] - clean_kspace(), 2 * 0.05**2 * np.eye(4)) < 5
    np.testing.assert_allclose(scan.noise_covariance, 2 * 0.05**2 * np.eye(4))


def test_field_scales_signal_and_noise(scan_file: Path) -> None:
    scan = simulated(scan_file, "--field", 1.5)
    psi = 0.25 * covariance()
    np.testing.assert_allclose(scan.noise_covariance, psi)
    assert relative_error(scan.kspace[:] - 0.25 * clean_kspace(), psi) < 5
    assert scan.field_strength == 1.5
    law = scan.header["provenance"]["parameters"]["low_field"]
    assert (law["field_T"], law["source_field_T"]) == (1.5, 3.0)


@pytest.mark.parametrize("options", [[], ["--noise-free"]])
def test_snr_is_met(scan_file: Path, clean_file: Path, options: list[str]) -> None:
    """SNR: the mean SENSE magnitude of the truth over sigma, inside the object."""
    scan = simulated(clean_file if options else scan_file, "--snr", 8, *options)
    truth = recon.rss(ifft2c(recon.whiten(clean_kspace(), scan.noise_covariance)))
    assert truth[object_mask(truth)].mean() == pytest.approx(8, rel=0.02)
    noise = scan.kspace[:] - clean_kspace()
    assert relative_error(noise, scan.noise_covariance) < 5  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("readout", "kind", "shape"),
    [
        (-2, "random", (32,)),
        (-2, "equispaced", (32,)),
        (-1, "random", (40, 1)),
        (None, None, (32,)),
    ],
)
def test_the_mask_runs_along_the_phase_encoding(
    tmp_path: Path, readout: int | None, kind: str | None, shape: tuple[int, ...]
) -> None:
    scan = Scan(kspace=clean_kspace(), readout_axis=readout, noise_covariance=covariance())
    formats.write(tmp_path / "scan.h5", scan)
    options = ["--mask", kind] if kind else []
    result = simulated(
        tmp_path / "scan.h5", "--acceleration", 4, "--calibration", 4, "--sigma", 0.01, *options
    )
    assert result.mask is not None
    assert result.mask.shape == shape
    sampled = np.broadcast_to(result.mask, SHAPE)
    assert not result.kspace[:][~sampled].any()
    assert result.kspace[:][sampled].all()
    along = result.mask.ravel()
    centre = len(along) // 2
    assert along[centre - 2 : centre + 2].all()
    if kind != "equispaced":
        assert along.sum() == len(along) // 4


def test_undersampling_alone_needs_no_noise(clean_file: Path) -> None:
    scan = simulated(clean_file, "--acceleration", 2, "--calibration", 8)
    sampled = np.broadcast_to(scan.mask, SHAPE)  # type: ignore[arg-type]
    np.testing.assert_array_equal(scan.kspace[:], np.where(sampled, clean_kspace(), 0))


def test_samples_that_were_never_acquired_stay_zero(tmp_path: Path) -> None:
    data = clean_kspace()
    data[:, :, :6] = 0
    mask = np.arange(32) % 2 == 0
    data[..., ~mask] = 0
    formats.write(tmp_path / "scan.h5", Scan(kspace=data, mask=mask))
    scan = simulated(tmp_path / "scan.h5", "--sigma", 0.1, "--noise-free")
    np.testing.assert_array_equal(scan.kspace[:] != 0, data != 0)
    np.testing.assert_array_equal(scan.mask, mask)  # type: ignore[arg-type]


def test_seeds_repeat_and_slices_differ(scan_file: Path) -> None:
    results = [simulated(scan_file, "--sigma", 1, "--seed", seed).kspace[:] for seed in (0, 0, 1)]
    np.testing.assert_array_equal(results[0], results[1])
    assert (results[0] != results[2]).all()
    source = formats.read(scan_file).kspace[:]  # type: ignore[union-attr]
    assert ((results[0] - source)[0] != (results[0] - source)[1]).all()


@pytest.mark.parametrize(
    ("first", "second"),
    [(["--sigma", 0.05], ["--sigma", 0.05]), (["--field", 1.5], ["--field", 0.75])],
)
def test_a_chain_with_one_seed_draws_independent_noise(
    scan_file: Path, first: list[object], second: list[object]
) -> None:
    """Ψ of the third scan counts the noise of the source and of both simulations."""
    middle, last = scan_file.with_name("out.h5"), scan_file.with_name("last.h5")
    once = simulated(scan_file, *first).kspace[:]
    succeed("simulate", middle, last, *second, *CPU)
    scan = formats.read(last)
    assert isinstance(scan, Scan)
    gain = 1.0 if "--sigma" in first else 1 / 16
    psi = scan.noise_covariance
    assert psi is not None
    assert relative_error(scan.kspace[:] - gain * clean_kspace(), psi) < 5
    before = formats.read(scan_file).kspace[:]  # type: ignore[union-attr]
    step = np.sqrt(gain)
    added = [x.ravel() for x in (once - step * before, scan.kspace[:] - step * once)]
    shared = abs(np.vdot(*added)) / (np.linalg.norm(added[0]) * np.linalg.norm(added[1]))
    assert shared < 5 / np.sqrt(added[0].size)


def test_a_phantom_and_what_is_added_to_it_hold_other_noise(tmp_path: Path) -> None:
    path, more = tmp_path / "a.h5", tmp_path / "b.h5"
    small = ["--shape", "48x40", "--slices", 1, "--coils", 1, *CPU]
    succeed("simulate", "phantom", path, *small)
    succeed("simulate", "phantom", tmp_path / "clean.h5", *small, "--noise-free")
    succeed("simulate", path, more, "--sigma", 1, *CPU)
    clean, noisy, noisier = (
        formats.read(p).kspace[:].ravel()  # type: ignore[union-attr]
        for p in (tmp_path / "clean.h5", path, more)
    )
    own, added = noisy - clean, noisier - noisy
    shared = abs(np.vdot(own, added)) / (np.linalg.norm(own) * np.linalg.norm(added))
    assert shared < 5 / np.sqrt(own.size)


def test_provenance_and_header(scan_file: Path) -> None:
    scan = simulated(scan_file, "--sigma", 0.05, "--seed", 7)
    record = scan.header["provenance"]
    assert record["command"].startswith(f"kspace-denoise simulate {scan_file} ")
    assert record["inputs"][0]["path"] == str(scan_file)
    assert record["seed"] == 7
    assert record["sigma"] == pytest.approx(np.hypot(0.05, SIGMA))
    assert record["parameters"]["source_noise"] == "stored in the file"
    assert scan.header["contrast"] == "T1w"
    images = recon.rss(ifft2c(scan.kspace[:]))
    assert scan.header["max"] == pytest.approx(images.max())  # not that of the source


def test_a_noise_scan_is_used(scan_file: Path, tmp_path: Path) -> None:
    noise = write_file(tmp_path / "noise.h5", noise=0.5 * kspace((4, 20_000)))
    scan = simulated(scan_file, "--field", 1.5, "--noise", noise)
    # Each entry of the covariance is known to 1 / sqrt(20,000) of its level.
    np.testing.assert_allclose(
        scan.noise_covariance,  # type: ignore[arg-type]
        0.25 * 2 * 0.25 * np.eye(4),
        atol=0.125 * 5 / np.sqrt(20_000),
    )
    record = scan.header["provenance"]
    assert [Path(item["path"]).name for item in record["inputs"]] == ["scan.h5", "noise.h5"]
    assert record["parameters"]["source_noise"] == f"noise scan {noise}"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "nothing to simulate"),
        (["--field", 0.3, "--sigma", 1], "choose one of"),
        (["--sigma", 0], "0.0 is not a field, sigma or SNR"),
        (["--snr", "nan"], "nan is not a field"),
        (["--sigma", 1, "--mask", "random"], "--mask needs --acceleration"),
        (["--sigma", 1, "--source-field", 3], "--source-field needs --field"),
        (["--sigma", 1, "--noise-free", "--noise", "x.h5"], "contradict"),
        (["--field", 7], "field=7.0 T is above source_field=3.0 T"),
        (["--snr", 1e6], "not below it"),
        (["--acceleration", 2, "--mask", "spiral"], "spiral"),
        (["--acceleration", 0.5], "acceleration"),
        (["--acceleration", 8, "--calibration", 24], "calibration=24 exceeds the 4 lines"),
    ],
)
def test_refusals(scan_file: Path, options: list[object], message: str) -> None:
    assert message in fail("simulate", scan_file, scan_file.with_name("out.h5"), *options, *CPU)
    assert files_in(scan_file.parent) == ["scan.h5"]


def test_what_the_source_must_say(tmp_path: Path) -> None:
    data = clean_kspace()
    output = tmp_path / "out.h5"
    formats.write(tmp_path / "a.h5", Scan(kspace=data, noise_covariance=covariance()))
    assert "give --source-field" in fail("simulate", tmp_path / "a.h5", output, "--field", 1, *CPU)
    small = write_file(tmp_path / "b.h5", kspace=kspace((1, 2, 6, 6)))
    assert "--noise FILE" in fail("simulate", small, output, "--sigma", 1, *CPU)
    scan = Scan(kspace=data, mask=np.arange(32) % 2 == 0, noise_covariance=covariance())
    formats.write(tmp_path / "c.h5", scan)
    again = fail("simulate", tmp_path / "c.h5", output, "--acceleration", 2, *CPU)
    assert "undersampled already" in again
    snr = fail("simulate", tmp_path / "c.h5", output, "--snr", 5, *CPU)
    assert "--snr needs fully sampled" in snr
    assert not output.exists()


def test_cuda_where_there_is_none(scan_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    common = ["simulate", scan_file, scan_file.with_name("out.h5"), "--sigma", 1, "--device"]
    assert "no usable CUDA device" in fail(*common, "cuda")
    succeed(*common, "auto")


@pytest.mark.parametrize("options", [["--field", 1], ["--sigma", 0.1], ["--snr", 5]])
def test_torch_tensors_give_the_same_scan(
    scan_file: Path, monkeypatch: pytest.MonkeyPatch, options: list[object]
) -> None:
    """What --device cuda does, on tensors of the CPU, where the draws are the same."""
    plain = simulated(scan_file, *options).kspace[:]
    module = importlib.import_module("kspace_denoise.cli.simulated_slices")
    monkeypatch.setattr(module, "to_device", lambda values, _: torch.from_numpy(values))
    np.testing.assert_allclose(simulated(scan_file, *options).kspace[:], plain, atol=1e-6)


@pytest.mark.cuda
def test_on_a_gpu(scan_file: Path) -> None:
    out = scan_file.with_name("a.h5")
    succeed("simulate", scan_file, out, "--sigma", 1, "--device", "cuda")
    added = formats.read(out).kspace[:] - formats.read(scan_file).kspace[:]
    level = np.sqrt(np.mean(np.abs(added) ** 2) / 2)
    assert level == pytest.approx(1, abs=5 / np.sqrt(4 * added.size))
