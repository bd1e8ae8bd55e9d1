import json
import re
from pathlib import Path

import numpy as np
import pytest

from benchmarks.quality import real, summary
from benchmarks.quality.command import main
from benchmarks.quality.datasets import ABOUT, GROUPS, expand, why_not
from benchmarks.quality.magnitude import volumes
from benchmarks.quality.registry import find_row


def _run(tmp_path: Path, *arguments: str) -> int:
    folders = ("--out", str(tmp_path / "out"), "--work", str(tmp_path / "work"))
    return main([*arguments, *folders])


def test_m4raw_from_files_to_tables(
    tmp_path: Path, study: Path, tiny_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = "noisy nlm c2s c2s-told1.1 supervised c2s-T1w+T2w c2s-T1w"
    command = ("m4raw", "--folder", str(study), "--methods", *rows.split(), "--seeds", "0", "1")
    command += ("--steps", "2", "--config", str(tiny_file))
    assert _run(tmp_path, *command) == 0
    results = sorted((tmp_path / "out" / "m4raw").glob("*/*.json"))
    assert len(results) == 2 + 2 * 5
    capsys.readouterr()
    assert _run(tmp_path, *command, "--list") == 0
    assert all(line.startswith("done") for line in capsys.readouterr().out.splitlines())
    kept = sorted(p.parent.name for p in (tmp_path / "work" / "denoisers").glob("*/*/seed0*"))
    assert "c2s" in kept
    assert "c2s-told1.1" not in kept  # it shares the denoiser of c2s
    text = (tmp_path / "out" / "tables" / "m4raw.md").read_text()
    assert "## Methods: m4raw, all contrasts, 2 steps" in text
    assert "## Contrasts together: m4raw, T1w, 2 steps" in text
    assert (tmp_path / "out" / "tables" / "m4raw-images.png").stat().st_size > 1000
    made = json.loads((tmp_path / "out" / "tables" / "m4raw.json").read_text())
    noisy = next(s for s in made if s["table"] == "methods")["rows"][0]
    result = json.loads((tmp_path / "out" / "m4raw" / "noisy" / "untrained.json").read_text())
    assert noisy["psnr_truth"] == pytest.approx(
        np.mean([r["psnr_truth"] for r in result["slices"]])
    )
    assert _run(tmp_path, *command[:-2]) == 2  # other settings than those of the results
    assert "made with another" in capsys.readouterr().err


def test_every_kind_of_row_has_its_cells_in_the_summary(
    tmp_path: Path, study: Path, tiny_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ("m4raw", "--folder", str(study), "--methods", "noisy", "c2s", "c2s-plain-unet")
    command += ("coil2coil", "--seeds", "0", "--steps", "2", "--config", str(tiny_file))
    assert _run(tmp_path, *command) == 0
    speed = tmp_path / "speed.json"
    speed.write_text('[{"method": "coil2coil", "network": "unet", "weights": 2000000, "step": 0.1,'
                     ' "slice": 3.0}]')  # fmt: skip
    for name, rows in (("every-method", 17), ("architectures", 5)):
        capsys.readouterr()
        summary.main([name, "--out", str(tmp_path / "out"), "--speed", str(speed)])
        lines, costs = _two_tables(capsys.readouterr().out)
        assert len(lines) == len(costs) == rows + 2  # those of the heading
        assert float(lines["Corruption2Self, our default"][2].split()[0]) == 0
    plain, ours = lines["plain U-Net"], lines["Corruption2Self, our default"]
    assert float(plain[2].split()[0]) == pytest.approx(float(plain[1]) - float(ours[1]), abs=0.011)
    result = json.loads((tmp_path / "out/m4raw/c2s-plain-unet/seed0-steps2.json").read_text())
    assert 0 < result["parameters"] < 1e6
    assert result["made_with"]["training"]["config"]["network"]["architecture"] == "plain-unet"
    summary.main(["every-method", "--out", str(tmp_path / "out"), "--speed", str(speed)])
    lines, costs = _two_tables(capsys.readouterr().out)
    assert costs["Coil2Coil"][1:] == ["2.00", "100", "3.00"]
    assert lines["SURE"][1:4] == ["–", "–", "–"]


def _two_tables(text: str) -> list[dict[str, list[str]]]:
    """Return the cells of two tables by the first cell of a line."""
    return [{cells[0]: cells for cells in _cells(part)} for part in text.strip().split("\n\n")]


def _cells(text: str) -> list[list[str]]:
    return [[c.strip() for c in line.strip("|").split("|")] for line in text.splitlines()]


def test_paper_scoring_runs_on_magnitudes(tmp_path: Path, study: Path, tiny_file: Path) -> None:
    command = (
        "m4raw",
        "--paper-scoring",
        "--folder",
        str(study),
        "--methods",
        "noisy",
        "c2s-paper",
    )
    command += ("--seeds", "0", "--steps", "2", "--config", str(tiny_file))
    assert _run(tmp_path, *command) == 0
    path = tmp_path / "out" / "m4raw-paper" / "c2s-paper" / "seed0-steps2.json"
    row = json.loads(path.read_text())["slices"][0]
    assert row["data_range"] == 1
    assert "psnr_with" in row
    assert "psnr_truth" not in row


def test_list_does_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in real.SCANS.values():
        for number in (1, 2):
            (tmp_path / name.format(number)).touch()
    monkeypatch.setenv("KSPACE_DENOISE_DATA", str(tmp_path))
    assert _run(tmp_path, "real", "--methods", "nlm", "supervised", "--seeds", "0", "--list") == 0
    out, err = capsys.readouterr()
    assert out.splitlines() == [f"open  {name}: nlm" for name in GROUPS["real"]]
    assert "real-fisp: no supervised: training sees one repetition alone" in err
    assert not (tmp_path / "work").exists()


def test_what_is_wrong_is_said_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = tmp_path / "list.txt"
    listed.write_text("a.h5")
    for arguments, message in (
        (("m4raw",), "m4raw needs the folder of the data: --folder DIR"),
        (("m4raw", "--folder", str(tmp_path / "no")), "no such folder"),
        (("phantom", "--methods", "c3s"), "there is no row 'c3s'"),
        (("phantom", "--paper-scoring"), "--paper-scoring belongs to m4raw"),
        (("phantom", "--test-list", str(listed)), "phantom takes no list of files"),
        (("m4raw", "--train-list", str(listed)), "m4raw takes no list of files"),
        (("phantom", "--folder", str(tmp_path)), "phantom takes no folder: --folder is for m4raw"),
        (("real-fisp", "--folder", str(tmp_path)), "where KSPACE_DENOISE_DATA says"),
        (("table",), "holds no results"),
    ):
        assert _run(tmp_path, *arguments) in (1, 2)
        assert message in capsys.readouterr().err
    with pytest.raises(ValueError, match="no data set 'moon'"):
        expand(["moon"])


@pytest.mark.parametrize("dataset", ["m4raw", "fastmri-13"])
def test_a_list_of_jobs_that_cannot_be_done_is_not_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], dataset: str
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    for folder, message in (
        ((), f"{dataset} needs the folder of the data"),
        (("--folder", str(tmp_path / "no")), "no such folder"),
        (("--folder", str(empty)), f"{empty} has no "),
    ):
        assert _run(tmp_path, dataset, *folder, "--methods", "noisy", "--list") == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert message in err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("steps = 20", r"holds steps = 20, but .*: give --steps 20"),
        ("minutes = 3", r"holds minutes, but .*: give --steps"),
        (None, r"--config .*config\.toml: no such file"),
    ],
)
def test_a_config_does_not_say_how_long_to_train(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str | None, message: str
) -> None:
    path = tmp_path / "config.toml"
    if text is not None:
        path.write_text(text)
    assert _run(tmp_path, "phantom", "--config", str(path), "--list") == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert re.search(message, err)
    assert "Errno" not in err


def test_help_says_what_the_defaults_and_the_data_sets_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    words = " ".join(capsys.readouterr().out.split())
    for default in ("0 1 2", "1500", "results", "quality-cache", "OUT/tables", "methods", "cpu"):
        assert f"(default: {default})" in words.replace("quality- cache", "quality-cache")
    assert set(ABOUT) == set(GROUPS)
    for name in (*GROUPS, "fastmri-13", "fastmri-25", "magnitude-13", "real-fisp"):
        assert name in words
    assert "`python -m benchmarks.quality table`" in words


def test_rows_that_a_data_set_cannot_have_are_left_out() -> None:
    assert why_not("magnitude-13", find_row("c2s-T1w+T2w")) is not None
    assert why_not("phantom", find_row("c2s-vst")) is not None
    assert why_not("rician", find_row("c2s-vst")) is None
    assert why_not("real-fisp", find_row("noise2noise")) is not None
    assert why_not("real-fisp", find_row("coil2coil")) is not None
    assert why_not("phantom", find_row("coil2coil")) is None
    assert why_not("phantom", find_row("c2s-T1w+T2w")) is None


def test_magnitude_images_have_the_noise_that_is_stated_and_are_not_clipped() -> None:
    found = list(volumes(13, "test", subjects=1, shape=(32, 32)))
    assert [v.contrast for v in found] == ["PDw", "T2w"]
    for volume in found:
        assert volume.truth is not None
        noise = volume.images - volume.truth
        assert noise.std() == pytest.approx(13 / 255, rel=5 / np.sqrt(2 * noise.size))
        assert volume.images.min() < 0
        correlation = np.corrcoef(noise[0].ravel(), noise[1].ravel())[0, 1]
        assert abs(correlation) < 5 / np.sqrt(noise[0].size)
