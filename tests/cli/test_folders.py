"""A folder of scans in, a folder of images out."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from kspace_denoise import formats
from kspace_denoise.cli.folders import seed_of
from tests.cli.runner import fail, files_in, succeed

ADAPTIVE = ("--method", "adaptive", "--calibration", 12, "--device", "cpu")


@pytest.fixture
def folder(scan_file: Path, tmp_path: Path) -> Path:
    found = tmp_path / "scans"
    found.mkdir()
    for name in ("anna.h5", "bert.h5", "carl.H5"):
        shutil.copy(scan_file, found / name)
    (found / "notes.txt").write_text("not a scan")
    return found


def test_every_file_becomes_one_of_its_name(folder: Path, scan_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "images"
    said = succeed("reconstruct", folder, out, *ADAPTIVE).stdout
    assert files_in(out) == ["anna.h5", "bert.h5", "carl.H5"]
    assert said.count("2 slices, 40 x 32") == 3
    succeed("reconstruct", scan_file, tmp_path / "one.h5", *ADAPTIVE)
    one, same = formats.read(tmp_path / "one.h5"), formats.read(out / "bert.h5")
    assert (one.data == same.data).all()
    clean = tmp_path / "clean"
    succeed("denoise", folder, clean, "--model", "wavelet", "--calibration", 12, "--device", "cpu")
    assert files_in(clean) == files_in(out)


def test_what_is_done_is_left_out_on_request(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "images"
    succeed("reconstruct", folder, out, *ADAPTIVE)
    (out / "bert.h5").unlink()
    before = (out / "anna.h5").stat().st_mtime_ns
    said = succeed("reconstruct", folder, out, *ADAPTIVE, "--resume")
    assert f"2 of 3 files are in {out} already" in said.stderr
    assert said.stdout.count("2 slices") == 1
    assert (out / "anna.h5").stat().st_mtime_ns == before


def test_processes_share_the_files(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shares = []
    for rank in (0, 1):
        monkeypatch.setenv("WORLD_SIZE", "2")
        monkeypatch.setenv("RANK", str(rank))
        out = tmp_path / f"images{rank}"
        succeed("reconstruct", folder, out, *ADAPTIVE)
        shares.append(files_in(out))
    assert shares == [["anna.h5", "carl.H5"], ["bert.h5"]]


def test_what_is_no_folder_of_scans_is_refused(
    folder: Path, scan_file: Path, tmp_path: Path
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "is a folder and holds no file to read: expected names that end in .h5" in fail(
        "reconstruct", empty, tmp_path / "out", *ADAPTIVE
    )
    assert "is a folder and" in fail("reconstruct", folder, scan_file, *ADAPTIVE)
    assert "is also the input" in fail("reconstruct", folder, folder, *ADAPTIVE)
    shown = ("--report", tmp_path / "report")
    assert "--report is for one scan" in fail(
        "reconstruct", folder, tmp_path / "out", *ADAPTIVE, *shown
    )
    words = ("denoise", folder, tmp_path / "out", "--model", "wavelet")
    assert "--contrast is for one scan" in fail(*words, "--contrast", scan_file)
    assert "--resume is for folders" in fail(
        "reconstruct", scan_file, tmp_path / "x.h5", *ADAPTIVE, "--resume"
    )


def test_simulated_files_have_noise_of_their_own_which_their_seed_gives_again(
    folder: Path, scan_file: Path, tmp_path: Path
) -> None:
    out, again = tmp_path / "low", tmp_path / "again.h5"
    words = ("--sigma", 1, "--device", "cpu")
    succeed("simulate", folder, out, *words, "--seed", 3)
    scans = [formats.read(out / name) for name in files_in(out)]
    noises = [scan.kspace[:] - formats.read(scan_file).kspace[:] for scan in scans]
    pixels = noises[0].size
    for one, other in ((0, 1), (0, 2), (1, 2)):
        correlation = np.vdot(noises[one], noises[other]) / np.linalg.norm(noises[one]) ** 2
        assert abs(correlation) < 5 / pixels**0.5
    seed = scans[1].header["provenance"]["seed"]
    assert seed == seed_of(3, "bert.h5") != seed_of(4, "bert.h5")
    succeed("simulate", scan_file, again, *words, "--seed", seed)
    assert np.array_equal(formats.read(again).kspace[:], scans[1].kspace[:])


def test_files_that_cannot_be_read_are_named_before_any_is_denoised(
    folder: Path, tmp_path: Path
) -> None:
    (folder / "aaron.h5").write_bytes(b"junk")
    (folder / "bob.h5").write_bytes(b"more of it")
    said = fail("reconstruct", folder, tmp_path / "out", *ADAPTIVE)
    assert "2 of 5 files cannot be read, and nothing was done" in said
    assert "aaron.h5 is not an HDF5 file" in said
    assert "bob.h5 is not an HDF5 file" in said
    assert not (tmp_path / "out").exists()


def test_a_folder_can_be_trained_on(folder: Path, tmp_path: Path) -> None:
    config = tmp_path / "tiny.toml"
    config.write_text(
        "steps = 2\npatch = 16\n[network]\nbase = 8\nmultipliers = [1, 2]\nattention = []\n"
    )
    out = tmp_path / "model.safetensors"
    succeed("train", "c2s", folder, "--out", out, "--config", config, "--device", "cpu")
    said = succeed("info", out).stdout
    for name in ("anna.h5", "bert.h5", "carl.H5"):
        assert str(folder / name) in said
