from pathlib import Path

import numpy as np
import pytest

import kspace_denoise as kd
from benchmarks.quality import fastmri
from benchmarks.quality.command import main
from benchmarks.quality.magnitude import LEVELS
from kspace_denoise.scan import Images
from tests.formats.files import kspace, write_fastmri, write_file


def _run(tmp_path: Path, *arguments: str) -> int:
    folders = ("--out", str(tmp_path / "out"), "--work", str(tmp_path / "work"))
    return main([*arguments, *folders])


@pytest.fixture
def fastmri_folder(tmp_path: Path) -> Path:
    folder, rng = tmp_path / "fastmri", np.random.default_rng(0)
    for split, count in (("singlecoil_train", 2), ("singlecoil_val", 1)):
        (folder / split).mkdir(parents=True)
        for number in range(count):
            images = Images(
                data=7 * rng.random((2, 24, 20)).astype(np.float32),
                header={"dataset": "reconstruction_esc", "acquisition": "CORPD_FBK"},
            )
            kd.write(folder / split / f"file{number}{split[11]}.h5", images)
    return folder


def test_fastmri_images_are_scaled_by_their_volume_and_get_the_papers_noise(
    fastmri_folder: Path,
) -> None:
    (test,) = fastmri.volumes(fastmri_folder, "test", 25)
    assert (test.contrast, test.data_range, test.sigma) == ("CORPD_FBK", 1.0, LEVELS[25])
    assert test.truth is not None
    assert test.truth.max() == 1
    noise = test.images - test.truth
    assert noise.std() == pytest.approx(25 / 255, rel=5 / np.sqrt(2 * noise.size))
    assert len(list(fastmri.volumes(fastmri_folder, "train", 13))) == 2
    (chosen,) = fastmri.volumes(fastmri_folder, "train", 13, ["file1t.h5"])
    assert chosen.subject == "file1t"


def test_fastmri_runs_with_lists(tmp_path: Path, fastmri_folder: Path, tiny_file: Path) -> None:
    listed = tmp_path / "train.txt"
    listed.write_text("file0t\n")
    command = ("fastmri-13", "--folder", str(fastmri_folder), "--train-list", str(listed))
    command += ("--methods", "noisy", "sigma-at-inference-c2s", "--seeds", "0", "--steps", "1", "2")
    assert _run(tmp_path, *command, "--config", str(tiny_file)) == 0
    text = (tmp_path / "out" / "tables" / "fastmri-13.md").read_text()
    assert "## Noise level wrong at inference only, our default: fastmri-13, CORPD_FBK" in text
    for name in ("sigma", "steps", "images"):
        assert f"![fastmri-13-{name}](fastmri-13-{name}.png)" in text


def test_files_that_are_not_there_are_named(fastmri_folder: Path) -> None:
    message = r"1 of 2 files of the list of test are not below .* the first is 'PDWI': .* heading"
    with pytest.raises(FileNotFoundError, match=message):
        list(fastmri.volumes(fastmri_folder, "test", 13, ["PDWI", "file0v"]))
    with pytest.raises(FileNotFoundError, match="no files with images in any of"):
        list(fastmri.volumes(fastmri_folder / "singlecoil_val", "train", 13))


IMAGES = {
    name: level * np.ones((2, 24, 20), np.float32)
    for level, name in enumerate(("reconstruction_rss", "reconstruction_esc"), start=1)
}


@pytest.mark.parametrize(
    ("folder", "data", "wanted"),
    [
        ("singlecoil_train", {"kspace": kspace((2, 24, 20)), **IMAGES}, "reconstruction_esc"),
        ("elsewhere", {"kspace": kspace((2, 24, 20)), **IMAGES}, "reconstruction_esc"),
        ("singlecoil_train", IMAGES, "reconstruction_esc"),
        ("multicoil_train", {"kspace": kspace((2, 3, 24, 20)), **IMAGES}, "reconstruction_rss"),
        ("multicoil_train", IMAGES, "reconstruction_rss"),
        (
            "singlecoil_train",
            {"reconstruction_rss": IMAGES["reconstruction_rss"]},
            "reconstruction_rss",
        ),
    ],
)
def test_single_coil_data_are_read_as_images_of_a_single_coil(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    folder: str,
    data: dict[str, np.ndarray],
    wanted: str,
) -> None:
    (tmp_path / folder).mkdir()
    write = write_fastmri if "kspace" in data else write_file
    write(tmp_path / folder / "file1.h5", **data)
    read = []

    def noted(path: Path, dataset: str | None) -> Images:
        images = kd.formats.read_images(path, dataset)
        read.append((images.header["dataset"], images.data.max()))
        return images

    monkeypatch.setattr(fastmri, "read_images", noted)
    list(fastmri.volumes(tmp_path, "train", 13, ["file1"]))
    assert read == [(wanted, IMAGES[wanted].max())]


def test_a_damaged_file_is_an_error_and_one_of_a_test_set_is_passed_over(
    fastmri_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (fastmri_folder / "singlecoil_test").mkdir()
    write_file(fastmri_folder / "singlecoil_test" / "file7.h5", kspace=kspace((2, 24, 20)))
    with monkeypatch.context() as patch:
        patch.setattr(fastmri, "read_images", lambda *_: pytest.fail("read to look for images"))
        found = fastmri._files(fastmri_folder, "test", None)
    assert [path.parent.name for path in found] == ["singlecoil_val"]
    whole = (fastmri_folder / "singlecoil_train" / "file1t.h5").read_bytes()
    for bad in (b"no", whole[: len(whole) // 2]):
        (fastmri_folder / "singlecoil_train" / "file1t.h5").write_bytes(bad)
        with pytest.raises(ValueError, match=r"file1t\.h5 is (not an HDF5 file|a damaged HDF5)"):
            list(fastmri.volumes(fastmri_folder, "train", 13))


def test_lists_have_several_names_a_line_and_suffixes_or_not(tmp_path: Path) -> None:
    listed = tmp_path / "list.csv"
    listed.write_text('file1, file2.h5\r\n"file3",file1\n\nsinglecoil_train/file4.hdf5 file.5\n')
    assert fastmri.read_list(listed) == ["file1", "file2", "file3", "file4", "file.5"]
    listed.write_text(" ,\n")
    with pytest.raises(ValueError, match=r"list\.csv names no file: expected file names .* commas"):
        fastmri.read_list(listed)
    with pytest.raises(FileNotFoundError, match=r"none\.csv: no such file"):
        fastmri.read_list(tmp_path / "none.csv")


@pytest.mark.parametrize(
    ("lists", "shared"),
    [
        ({"train": "file0t,file1t", "test": "file1t.h5"}, "1 files .* first is file1t"),
        ({"test": "file0t file1t"}, "2 files .* first is file0t"),
        ({"train": "file0v"}, "1 files .* first is file0v"),
    ],
)
def test_what_is_scored_is_not_trained_on(
    tmp_path: Path,
    fastmri_folder: Path,
    capsys: pytest.CaptureFixture[str],
    lists: dict[str, str],
    shared: str,
) -> None:
    command = ["fastmri", "--folder", str(fastmri_folder), "--methods", "noisy"]
    for split, names in lists.items():
        (tmp_path / f"{split}.csv").write_text(names)
        command += [f"--{split}-list", str(tmp_path / f"{split}.csv")]
    assert _run(tmp_path, *command) == 2
    message = capsys.readouterr().err
    with pytest.raises(ValueError, match=f"{shared}: give --train-list and --test-list without"):
        fastmri.check_apart(
            fastmri_folder, {s: fastmri.read_list(tmp_path / f"{s}.csv") for s in lists}
        )
    assert "are both trained on and scored" in message
    assert not (tmp_path / "out").exists()
    fastmri.check_apart(fastmri_folder, {})
