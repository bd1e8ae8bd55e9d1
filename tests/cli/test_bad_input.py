"""Bad input to every command: one error line, status 2, and nothing written."""

import re
from pathlib import Path

import numpy as np
import pytest

from tests.cli.runner import fail, files_in
from tests.formats.files import BAD_SCANS, kspace, write_file

COMMANDS = {
    "info": [],
    "simulate": ["OUT", "--sigma", "0.1", "--noise-free"],
    "rss": ["OUT", "--method", "rss", "--device", "cpu"],
    "sense": ["OUT", "--method", "sense", "--calibration", "8", "--device", "cpu"],
}


def words(command: str, path: Path, output: Path) -> list[object]:
    rest = [output if word == "OUT" else word for word in COMMANDS[command]]
    return ["reconstruct" if command in ("rss", "sense") else command, path, *rest]


@pytest.mark.parametrize("kind", BAD_SCANS)
@pytest.mark.parametrize("command", COMMANDS)
def test_bad_scans(tmp_path: Path, command: str, kind: str) -> None:
    make, message = BAD_SCANS[kind]
    make(tmp_path / "bad.h5")
    if (command, kind) == ("info", "nan"):
        return  # which says what is wrong instead: see test_info
    before = files_in(tmp_path)
    found = fail(*words(command, tmp_path / "bad.h5", tmp_path / "out.h5"))
    assert re.search(message, found)
    assert files_in(tmp_path) == before


@pytest.mark.parametrize("kind", ["missing", "folder", "empty", "text", "no kspace"])
@pytest.mark.parametrize("position", [0, 1])
def test_bad_images(tmp_path: Path, kind: str, position: int) -> None:
    make, message = BAD_SCANS[kind]
    make(tmp_path / "bad.h5")
    good = write_file(tmp_path / "good.h5", reconstruction=kspace()[:, 0])
    pair = [tmp_path / "bad.h5", good]
    assert re.search(message, fail("evaluate", pair[position], pair[1 - position]))


def test_damaged_images(tmp_path: Path) -> None:
    good = write_file(tmp_path / "good.h5", reconstruction=kspace()[:, 0])
    nan = write_file(tmp_path / "nan.h5", reconstruction=np.full((3, 24, 10), np.nan))
    flat = write_file(tmp_path / "flat.h5", reconstruction=kspace()[0, 0])
    whole = good.read_bytes()
    (tmp_path / "cut.h5").write_bytes(whole[: len(whole) // 2])
    assert "nan.h5: slice 0 holds 240 values" in fail("evaluate", nan, good)
    assert "expected (slices, y, x)" in fail("evaluate", flat, good)
    assert "cut short" in fail("evaluate", tmp_path / "cut.h5", good)


@pytest.mark.parametrize("command", ["simulate", "rss"])
def test_bad_outputs(scan_file: Path, command: str) -> None:
    folder = scan_file.parent
    before = files_in(folder), scan_file.read_bytes()
    assert "is also an input" in fail(*words(command, scan_file, scan_file))
    assert "no such folder" in fail(*words(command, scan_file, folder / "none" / "out.h5"))
    assert "ends in .h5, .hdf5, .mrd" in fail(*words(command, scan_file, folder / "out.png"))
    assert "is a folder" in fail(*words(command, scan_file, _folder(folder / "out.h5")))
    assert (files_in(folder), scan_file.read_bytes()) == (sorted([*before[0], "out.h5"]), before[1])


def test_kspace_is_no_nifti(scan_file: Path) -> None:
    message = fail(*words("simulate", scan_file, scan_file.parent / "out.nii.gz"))
    assert "the name of k-space ends in .h5, .hdf5, .mrd, .cfl, .hdr" in message


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


@pytest.mark.parametrize("command", ["simulate", "rss"])
def test_images_and_noise_cannot_stand_in_for_kspace(tmp_path: Path, command: str) -> None:
    image = write_file(tmp_path / "image.h5", reconstruction=kspace()[:, 0])
    noise = write_file(tmp_path / "noise.h5", noise=kspace()[0])
    message = fail(*words(command, image, tmp_path / "out.h5"))
    assert "image.h5 holds images (`reconstruction`), but this command needs k-space" in message
    assert "give it as --noise" in fail(*words(command, noise, tmp_path / "out.h5"))


@pytest.mark.parametrize("command", ["simulate", "reconstruct"])
def test_bad_noise_scans(scan_file: Path, command: str) -> None:
    folder = scan_file.parent
    settings = ["--sigma", 1] if command == "simulate" else ["--method", "sense"]
    common = [command, scan_file, folder / "out.h5", *settings, "--noise"]
    other = write_file(folder / "noise.h5", noise=kspace((3, 500)))
    assert "noise.h5 has 3 coils, but the scan has 4" in fail(*common, other)
    assert "no such file" in fail(*common, folder / "none.h5")
    few = write_file(folder / "few.h5", noise=kspace((4, 3)))
    assert "3 samples for 4 coils" in fail(*common, few)
    assert not (folder / "out.h5").exists()
