"""What a training run says on the way and at its end."""

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from kspace_denoise.cli import training_progress as module
from kspace_denoise.cli.training_progress import note_nothing_learnt, training_progress
from kspace_denoise.training.config import TrainConfig
from kspace_denoise.training.trainer import Progress
from tests.cli.runner import succeed

SHORT = """
steps = {steps}
batch = 1
patch = 16
warmup = 1
learning_rate = 1e-6
[network]
base = 8
multipliers = [1]
attention = []
"""


class Clock:
    """A clock that stands where it is put."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(module, "time", made)
    return made


def test_where_there_is_no_terminal_a_line_every_ten_seconds(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    follow = training_progress("c2s after-sense")
    for step in range(10, 410, 10):
        clock.now = step / 8
        follow(Progress(step, 1000, step / 8, [(step, 2 - step / 1000)]))
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "c2s after-sense: step 80 of 1000, 8 steps/s, 1:55 left, loss 1.920",
        "c2s after-sense: step 160 of 1000, 8 steps/s, 1:45 left, loss 1.840",
        "c2s after-sense: step 240 of 1000, 8 steps/s, 1:35 left, loss 1.760",
        "c2s after-sense: step 320 of 1000, 8 steps/s, 1:25 left, loss 1.680",
        "c2s after-sense: step 400 of 1000, 8 steps/s, 1:15 left, loss 1.600",
    ]


def test_on_a_terminal_a_bar_that_begins_where_the_run_does(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import tqdm

    made = []

    def bar(**settings: object) -> object:
        made.append(tqdm.std.tqdm(**{**settings, "delay": 0, "mininterval": 0}))
        return made[0]

    monkeypatch.setattr(module.sys.stderr, "isatty", lambda: True)
    monkeypatch.setattr(tqdm, "tqdm", bar)
    follow = training_progress("c2s", 40)
    assert made[0].format_dict["initial"] == 40
    follow(Progress(50, 60, 1.0, [(50, 1.25)]))
    assert made[0].n == 50
    follow(Progress(60, 60, 1.0, [(60, 1.125)]))
    assert made[0].disable  # closed
    assert "50/60" in (said := capsys.readouterr().err)
    assert "loss=1.250" in said


def test_a_terminal_that_says_it_has_no_width_shows_the_bar() -> None:
    """As pseudo-terminals of scripts and containers do."""
    code = """
from kspace_denoise.cli import training_progress
from kspace_denoise.training.trainer import Progress
import time
follow = training_progress.training_progress("c2s")
time.sleep(2.1)
follow(Progress(50, 60, 1.0, [(50, 1.25)]))
"""
    leader, follower = pty.openpty()
    assert os.get_terminal_size(follower).columns == 0
    subprocess.run([sys.executable, "-c", code], stderr=follower, check=True)
    os.close(follower)
    said = os.read(leader, 4096).decode()
    os.close(leader)
    assert "50/60" in said
    assert "loss=1.250" in said


def test_a_loss_that_ends_as_it_began_is_noted(capsys: pytest.CaptureFixture[str]) -> None:
    flat = [(10 * n, 2.0 + 0.1 * (n % 2)) for n in range(1, 21)]
    note_nothing_learnt(flat, TrainConfig(learning_rate=0.3))
    said = capsys.readouterr().err
    assert said.startswith("note: the loss did not clearly fall (2.06 at first, 2.04 at the end)")
    assert "set learning_rate (0.3) lower, or train longer" in said
    falling = [(step, 2 - step / 200) for step, _ in flat]
    for losses, warmup in ((falling, 50), (flat, 200), (flat, 300), ([], 1)):
        note_nothing_learnt(losses, TrainConfig(warmup=warmup))
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("start", [False, True])
def test_it_is_noted_of_a_run_from_scratch_only(
    scan_file: Path, tmp_path: Path, *, start: bool
) -> None:
    config, model = tmp_path / "c.toml", tmp_path / "m"
    words = ["train", "c2s", scan_file, "--config", config, "--calibration", 12, "--device", "cpu"]
    config.write_text(SHORT.format(steps=1))
    succeed(*words, "--out", model)
    config.write_text(SHORT.format(steps=10))  # one entry: no fall can be seen
    more = ["--start", model] if start else []
    done = succeed(*words, "--out", tmp_path / "n", *more)
    assert ("note: the loss did not clearly fall" in done.stderr) == (not start)
    assert re.search(r"n: 10 steps in \d+ s, loss \d\.\d{3}\n$", done.stdout)
