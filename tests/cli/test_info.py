"""`info`: text, JSON and pictures of scans, images and noise."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
from matplotlib.image import imread

import kspace_denoise as kd
from kspace_denoise import formats, sim
from kspace_denoise.cli.picture import _taken
from kspace_denoise.networks import UNetConfig
from tests.cli.conftest import SIGMA, covariance
from tests.cli.runner import fail, files_in, succeed
from tests.formats.files import HEADER, kspace, write_coded, write_fastmri, write_file


def test_a_scan_as_text(scan_file: Path) -> None:
    output = succeed("info", scan_file).stdout
    assert "raw k-space" in output
    assert "40, 32" in output
    assert "T1w" in output
    assert "3\n" in output


def test_a_scan_as_json(tmp_path: Path) -> None:
    data = kspace((3, 2, 24, 10))
    data[1] = 0
    data[0, :, 12, 5] = 99
    mask = np.arange(10) % 5 == 0
    path = write_fastmri(tmp_path / "scan.h5", kspace=data, mask=mask, noise_covariance=np.eye(2))
    found = json.loads(succeed("info", path, "--json").stdout)
    assert found["matrix_ky_kx"] == [24, 10]
    assert found["peak_at_ky_kx"] == [12, 5]
    assert found["sampled_fraction"] == pytest.approx(0.2)
    assert found["acceleration"] == pytest.approx(5)
    assert found["blank_slices"] == [1]
    assert found["noise_sigma"] == pytest.approx(np.sqrt(0.5))
    assert found["recon_matrix"] == [12, 10, 1]
    assert found["readout_axis"] == -2
    assert found["kind"] == "fastMRI"


def test_noise_that_cannot_be_found_is_said_to_be_unknown(tmp_path: Path) -> None:
    path = write_file(tmp_path / "scan.h5", kspace=kspace((1, 1, 6, 6)))
    found = json.loads(succeed("info", path, "--json").stdout)
    assert (found["noise_sigma"], found["noise_from"]) == (None, "not known")
    assert found["warnings"][-1].startswith("the noise is not known: no part of the scan")
    assert "unknown" in succeed("info", path).stdout


def warnings(path: Path) -> list[str]:
    found = json.loads(succeed("info", path, "--json").stdout)["warnings"]
    assert isinstance(found, list)
    for sentence in found:
        assert sentence in succeed("info", path).stdout
    return found


def test_nothing_is_wrong_with_a_good_scan(scan_file: Path) -> None:
    assert warnings(scan_file) == []


def test_what_looks_wrong_with_the_data(scan_file: Path) -> None:
    with h5py.File(scan_file, "r+") as file:
        data = np.roll(file["kspace"][:], (5, -4), axis=(2, 3))
        data[:, :, :3] = data[:, :, 20:22] = data[..., 31:] = 0
        data = np.concatenate([data, 0 * data, data])
        data[4, 0, 9, 9] = np.nan
        del file["kspace"]
        file["kspace"] = data
    assert warnings(scan_file) == [
        "slices 4 hold NaN or infinite values",
        "slices 2-3 hold zeros only",
        "the echo peaks at (ky, kx) = (25, 12), (5, -4) samples from the centre (20, 16): images "
        "get a phase ramp, magnitudes do not change; nothing is moved",
        "columns 31 (1 of 32) hold zeros only: filled with zeros, without noise",
        "rows 0-2, 20-21 (5 of 40) hold zeros only: filled with zeros, without noise",
    ]


def test_what_contradicts_itself(scan_file: Path) -> None:
    mask = np.arange(32) % 2 == 0
    header = HEADER.replace("<y>10</y>", "<y>32</y>").replace("2.8936", "1.5")
    with h5py.File(scan_file, "r+") as file:
        file["mask"] = mask
        del file["ismrmrd_header"]
        file["ismrmrd_header"] = header
        file.attrs["num_low_frequency"] = 4
    said = warnings(scan_file)
    assert said == [
        "1280 positions hold data where the mask says that they were not sampled; these data are "
        "ignored",
        "the header says that the central 4 columns are sampled, and the mask that they are not",
        "the header says that the matrix (ky, kx) is (24, 32), but the k-space has (40, 32)",
        "the header says 1.5 T, but the attribute field_strength_T 3",
    ]


@pytest.mark.parametrize("words", ["reconstruct --method rss", "denoise --model nlm"])
def test_data_that_the_mask_denies_are_said_to_be_ignored(scan_file: Path, words: str) -> None:
    with h5py.File(scan_file, "r+") as file:
        file["mask"] = np.abs(np.arange(32) - 16) < 8
    command, *options = words.split()
    result = succeed(command, scan_file, scan_file.with_name("out.h5"), *options, "--device", "cpu")
    assert "note: slice 1 holds data at 680 positions where the mask says" in result.stderr


def test_lines_that_the_mask_leaves_out_are_not_called_zero_filled(scan_file: Path) -> None:
    mask = np.arange(32) % 2 == 0
    with h5py.File(scan_file, "r+") as file:
        file["kspace"][...] = file["kspace"][:] * mask
        file["mask"] = mask
    assert warnings(scan_file) == []


def test_snr_and_the_highest_field(scan_file: Path) -> None:
    """The SNR is the one that `simulate --snr` works with."""
    out = scan_file.with_name("out.h5")
    succeed("simulate", scan_file, out, "--snr", 12, "--device", "cpu")
    found = json.loads(succeed("info", out, "--json").stdout)
    assert found["snr"] == pytest.approx(12, rel=0.03)
    highest = sim.highest_field(np.array(covariance()), 3.0, noise_law="mixed")
    assert found["highest_field_T"] == pytest.approx(highest, rel=0.02)  # another covariance
    assert found["highest_field_for"] == "noise of body and coil, relaxation left out"
    assert "highest_field_body_noise_T" not in found
    assert "snr" in succeed("info", out).stdout
    succeed("simulate", scan_file, out, "--sigma", 0.1, "--acceleration", 2, "--calibration", 8)
    masked = json.loads(succeed("info", out, "--json").stdout)
    assert masked["snr"] is None
    assert "fully sampled Cartesian k-space only" in masked["no_snr_because"]


def test_interference_is_told_and_has_no_snr(scan_file: Path) -> None:
    room, again = scan_file.with_name("room.h5"), scan_file.with_name("again.h5")
    succeed("simulate", scan_file, room, "--interference", 3, "--device", "cpu")
    succeed("simulate", room, again, "--sigma", 0.1, "--device", "cpu")
    for path in (room, again):
        found = json.loads(succeed("info", path, "--json").stdout)
        assert (found["interference"], found["snr"]) == ("3 x the noise", None)
        assert found["no_snr_because"] == "interference would count as signal"
        message = fail("simulate", path, scan_file.with_name("out.h5"), "--snr", 2)
        assert "IN holds interference (3 x the noise), which would count as signal" in message
    lower = succeed("simulate", room, again, "--field", 1, "--device", "cpu")
    assert "note: IN holds interference (3 x the noise), which --field scales" in lower.stderr
    with h5py.File(room, "r+") as file:
        del file["provenance"]
    assert "detectors, in `emi_kspace`" in succeed("info", room).stdout


def test_without_field_or_noise_there_is_no_highest_field(clean_file: Path) -> None:
    with h5py.File(clean_file, "r+") as file:
        file["noise_covariance"] = covariance()
    found = json.loads(succeed("info", clean_file, "--json").stdout)
    assert found["highest_field_T"] is None
    assert found["highest_field_for"] == "the field of the scan is not known"


def test_the_highest_field_for_the_sequence_of_the_header(scan_file: Path) -> None:
    parameters = (
        "<sequenceParameters><TR>500</TR><TE>10</TE><TI>100</TI><flipAngle_deg>90</flipAngle_deg>"
        "<sequence_type>TurboSpinEcho</sequence_type></sequenceParameters></ismrmrdHeader>"
    )
    with h5py.File(scan_file, "r+") as file:
        header = file["ismrmrd_header"][()].decode()
        del file["ismrmrd_header"]
        file["ismrmrd_header"] = header.replace("</ismrmrdHeader>", parameters)
    found = json.loads(succeed("info", scan_file, "--json").stdout)
    sequence = sim.sequence("spin-echo", repetition_time=0.5, echo_time=0.01)
    body, mixed = (
        sim.highest_field(covariance(), 3.0, sequence=sequence, noise_law=law)
        for law in ("body", "mixed")
    )
    assert found["highest_field_for"] == "noise of body and coil, spin-echo, white matter"
    assert found["highest_field_T"] == pytest.approx(mixed)
    assert found["highest_field_body_noise_T"] == pytest.approx(body)
    options = ["--sequence", "spin-echo", "--device", "cpu", "--noise-law", "mixed", "--field"]
    succeed("simulate", scan_file, scan_file.with_name("out.h5"), *options, mixed)


def test_noise_that_is_not_flat_is_said(scan_file: Path) -> None:
    with h5py.File(scan_file, "r+") as file:
        file["noise_profile"] = np.linspace(0.4, 1.2, 40)[:, None]
        file["noise_spectrum"] = np.linspace(0, 2.25, 32)
    found = json.loads(succeed("info", scan_file, "--json").stdout)
    assert found["noise_profile"] == pytest.approx([0.4, 1.2])
    assert found["noise_spectrum"] == pytest.approx([0, 2.25])
    filtered, coloured = found["warnings"]
    assert "a receiver filter leaves 0.40 to 1.20 of its mean level" in filtered
    assert "its level goes from 0.27 to 1.50 of its mean over k-space" in coloured
    with h5py.File(scan_file, "r+") as file:
        file["noise_spectrum"][...] = np.arange(32) > 3  # zero-filled is not uneven
    assert len(warnings(scan_file)) == 1


@pytest.mark.parametrize(("factor", "warned"), [(0.5, True), (0.85, False), (1.5, True)])
def test_noise_that_kspace_contradicts(tmp_path: Path, factor: float, warned: bool) -> None:
    head = sim.phantom((128, 128), coils=3, seed=0)
    psi = 2e-4 * sim.array_covariance(3, seed=0)
    scan = kd.Scan(
        kspace=sim.add_noise(head.kspace[None], psi, seed=1), noise_covariance=psi * factor**2
    )
    kd.write(tmp_path / "scan.mrd", scan)
    warnings = json.loads(succeed("info", tmp_path / "scan.mrd", "--json").stdout)["warnings"]
    assert any("but k-space itself shows" in sentence for sentence in warnings) == warned


def test_images_and_sets_of_images(tmp_path: Path) -> None:
    path = write_file(
        tmp_path / "image.h5", reconstruction=kspace()[:, 0], noise_sigma=np.full((24, 10), 0.5)
    )
    found = json.loads(succeed("info", path, "--json").stdout)
    assert (found["content"], found["noise_sigma"]) == ("complex images", 0.5)
    coded = write_coded(tmp_path / "coded.h5", "flair", "t2w")
    assert "2 sets of images" in succeed("info", coded).stdout


def test_a_noise_scan(tmp_path: Path) -> None:
    noise = SIGMA * kspace((4, 50, 100))
    path = write_file(tmp_path / "noise.h5", noise=noise)
    found = json.loads(succeed("info", path, "--json").stdout)
    # Each of the four levels rests on 10,000 real numbers, so its error is 1 / sqrt(20,000).
    assert abs(found["noise_sigma"] / SIGMA - 1) < 4 / np.sqrt(20_000)
    assert found["largest_coil_correlation"] < 5 / np.sqrt(5_000)
    assert found["samples_per_coil"] == 5000


@pytest.mark.parametrize("coils", [1, 4, 40])
def test_the_picture_of_a_scan(tmp_path: Path, coils: int) -> None:
    path = write_file(tmp_path / "scan.h5", kspace=kspace((1, coils, 12, 10)), mask=np.ones(10))
    succeed("info", path, "--picture", tmp_path / "scan.png")
    picture = imread(tmp_path / "scan.png")
    assert min(picture.shape[:2]) > 300
    assert picture.std() > 0.05
    assert files_in(tmp_path) == ["scan.h5", "scan.png"]


def test_the_picture_of_noise(tmp_path: Path, scan_file: Path) -> None:
    noise = write_file(tmp_path / "noise.h5", noise=kspace((4, 50, 100)))
    succeed("info", noise, "--picture", tmp_path / "noise.png")
    with h5py.File(scan_file, "r+") as file:
        file["noise_profile"] = np.linspace(0.4, 1.2, 40)[:, None]
        file["noise_spectrum"] = np.outer(np.linspace(0, 2, 40), np.linspace(0, 2, 32))
    succeed("info", scan_file, "--picture", tmp_path / "uneven.png")
    for name in ("noise.png", "uneven.png"):
        colours = np.unique(imread(tmp_path / name)[::4, ::4, :3].reshape(-1, 3), axis=0)
        assert len(colours) > 100  # a map of correlations or of a spectrum is coloured


@pytest.mark.parametrize("complex_pixels", [True, False])
def test_the_picture_of_images(tmp_path: Path, complex_pixels: bool) -> None:
    data = kspace()[:, 0]
    path = write_file(
        tmp_path / "image.h5", reconstruction=data if complex_pixels else np.abs(data),
        noise_sigma=0.5,
    )  # fmt: skip
    succeed("info", path, "--picture", tmp_path / "image.svg")
    assert "<svg" in (tmp_path / "image.svg").read_text()


def test_the_picture_of_denoised_images_shows_what_was_taken(tmp_path: Path) -> None:
    noisy = kspace()[:, 0]
    beside = {"noisy": noisy, "noisy_sigma": np.full(noisy.shape, 0.1, np.float32)}
    plain = write_file(tmp_path / "plain.h5", reconstruction=0.9 * noisy)
    denoised = write_file(tmp_path / "denoised.h5", reconstruction=0.9 * noisy, **beside)
    for path in (plain, denoised):
        succeed("info", path, "--picture", path.with_suffix(".svg"))
    titles = [path.with_suffix(".svg").read_text() for path in (plain, denoised)]
    assert ["taken away, over sigma" in text for text in titles] == [False, True]
    sigma = np.array([[2.0, 0.0]])
    taken = _taken(np.array([[3j, 5j]]), np.array([[1j, 1j]]), sigma)
    np.testing.assert_allclose(taken, [[1.0, 0.0]])


def test_pictures_that_cannot_be(tmp_path: Path, scan_file: Path) -> None:
    assert "ends in .png, .pdf or .svg" in fail("info", scan_file, "--picture", tmp_path / "a.txt")
    assert "no such folder" in fail("info", scan_file, "--picture", tmp_path / "no" / "a.png")
    noise = write_file(tmp_path / "noise.h5", noise=kspace()[0, :1])
    assert "noise scan" in succeed("info", noise, "--picture", tmp_path / "one.png").stdout
    assert min(imread(tmp_path / "one.png").shape[:2]) > 300
    coded = write_coded(tmp_path / "coded.h5", "flair", "t2w")
    assert "2 sets of images): there is no single image to draw" in fail(
        "info", coded, "--picture", tmp_path / "a.png"
    )
    assert files_in(tmp_path) == ["coded.h5", "noise.h5", "one.png", "scan.h5"]


def test_real_files(real_data: Path, tmp_path: Path) -> None:
    for path in sorted(real_data.glob("*ch_*.h5")):
        found = json.loads(succeed("info", path, "--json").stdout)
        assert found["content"] in ("raw k-space", "noise scan")
    brain = real_data / "brain8ch_full.h5"
    succeed("info", brain, "--picture", tmp_path / "brain.png")


def test_a_denoiser_and_its_checkpoint(scan_file: Path, tmp_path: Path) -> None:
    scan = formats.read(scan_file)
    config = kd.TrainConfig(
        steps=3, patch=16, network=UNetConfig(base=8, multipliers=(1, 2), attention=())
    )
    checkpoint = tmp_path / "run.checkpoint"
    denoiser = kd.train("sure", scan, config=config, checkpoint=checkpoint)
    denoiser.save(tmp_path / "renamed.model")
    found = json.loads(succeed("info", tmp_path / "renamed.model", "--json").stdout)
    assert found["content"] == "denoiser"
    assert (found["method"], found["network"], found["steps"]) == ("sure", "unet", 3)
    assert found["weights"] == sum(p.numel() for p in denoiser.network.parameters())
    assert found["images"] == "complex"
    said = succeed("info", checkpoint).stdout
    assert "checkpoint of an unfinished training run" in said
    assert "no single image to draw" in fail("info", checkpoint, "--picture", tmp_path / "x.png")
    (tmp_path / "empty.safetensors").write_bytes(b"")
    assert "is not a safetensors file" in fail("info", tmp_path / "empty.safetensors")
    assert "does not exist" in fail("info", tmp_path / "none.safetensors")
