"""Training by several processes, as torchrun starts them: the same weights as by one."""

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import kspace_denoise as kd
from kspace_denoise.training import processes
from kspace_denoise.training.processes import (
    Processes,
    ProcessLostError,
    announced,
    check_shares,
    joined,
)
from tests.training.scans import TINY, scan

CONFIG = TINY.replace(steps=6, batch=4, parts=2)
SCRIPT = """
import os, pathlib, sys, time
import kspace_denoise as kd
from kspace_denoise.training.processes import torchrun
from tests.training.test_processes import CONFIG, scans

out, case = sys.argv[1:]
with torchrun("cpu") as these:
    def report(progress):
        if case == "dies" and these.rank == 1:
            time.sleep(1)  # the first process writes its checkpoint
            os._exit(7)

    seed = these.rank if case == "apart" else 0
    config = CONFIG.replace(steps=20) if case == "dies" else CONFIG
    try:
        found = kd.train(
            "c2s", scans(), config=config, seed=seed,
            checkpoint=out + ".checkpoint", report=report,
            cache=out + ".cache" if case == "cache" else None,
        )
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
    if these.first:
        found.save(out)
names = [comm.read_text() for comm in pathlib.Path("/proc/self/task").glob("*/comm")]
if case != "dies" and any("gloo" in name for name in names):
    sys.exit("error: threads of the group are left, which abort the process now and then")
"""


def run(out: Path, case: str, count: int = 2) -> subprocess.CompletedProcess[str]:
    """Run the script by so many processes."""
    script = out.with_name("script.py")
    script.write_text(SCRIPT)
    words = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(count)]
    words += ["--monitor-interval", "3"]  # torchrun itself stops the others at the next look
    environment = os.environ | {"PYTHONPATH": str(Path.cwd()), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, *words, str(script), str(out), case],
        env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def differences(one: kd.Denoiser, other: kd.Denoiser) -> float:
    """Return the largest difference of any weight."""
    pairs = zip(one.network.parameters(), other.network.parameters(), strict=True)
    return max(float((a - b).detach().abs().max()) for a, b in pairs)


def scans() -> list[kd.Scan]:
    return [scan(), scan(seed=2), scan(seed=3)]


@pytest.fixture(scope="module")
def alone() -> kd.Denoiser:
    return kd.train("c2s", scans(), config=CONFIG)


@pytest.mark.parametrize("case", ["together", "cache"])
def test_two_processes_find_the_weights_of_one(alone, tmp_path, case):
    """With a cache each makes the images of some scans, and takes those of the other from disk."""
    done = run(tmp_path / "model", case)
    assert done.returncode == 0, done.stderr
    together = kd.load(tmp_path / "model")
    untrained = kd.train("c2s", scans(), config=CONFIG.replace(steps=1))
    assert differences(together, alone) < 1e-6
    assert differences(untrained, alone) > 1e-3
    (loss,), (expected,) = (one.record["losses"] for one in (together, alone))
    assert loss == pytest.approx(expected, rel=1e-5)


def test_processes_that_would_train_something_else_are_refused(tmp_path):
    done = run(tmp_path / "model", "apart")
    assert done.returncode != 0
    said = "process 1 is about to train something else than process 0 (seed was 0 and is 1"
    assert said in done.stderr
    assert not (tmp_path / "model").exists()


def test_a_run_whose_process_died_goes_on_with_another_number_of_them(tmp_path):
    config = CONFIG.replace(steps=20)
    out = tmp_path / "model"
    done = run(out, "dies")
    assert done.returncode != 0
    assert "error: another process of this run has stopped" in done.stderr
    checkpoint = tmp_path / "model.checkpoint"
    resumed = kd.train("c2s", scans(), config=config, checkpoint=checkpoint, resume=True)
    straight = kd.train("c2s", scans(), config=config)
    assert differences(resumed, straight) < 1e-6


def test_a_lost_process_is_named_as_what_it_is():
    def broken() -> None:
        raise RuntimeError("Connection closed by peer")

    with pytest.raises(ProcessLostError, match="go on from the checkpoint with --resume"):
        processes._heard(broken)


def test_batches_are_shared_equally_or_not_at_all(monkeypatch):
    assert joined() == Processes(0, 1)
    assert Processes(1, 2).own([0, 1, 2, 3]) == [1, 3]
    assert not Processes(1, 2).first
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert announced() == 2
    check_shares(parts=2, batch=4, count=2)
    check_shares(parts=4, batch=6, count=2)
    check_shares(parts=3, batch=5, count=1)
    for parts, batch in ((2, 3), (1, 4), (3, 4), (8, 1)):
        with pytest.raises(ValueError, match=f"2 processes share a batch of {batch} in {parts}"):
            check_shares(parts, batch, 2)


def test_a_config_without_parts_enough_is_refused_before_the_first_step(monkeypatch):
    monkeypatch.setattr("kspace_denoise.training.trainer.check_alike", lambda _identity: None)
    monkeypatch.setattr("kspace_denoise.training.trainer.joined", lambda: Processes(0, 2))
    with pytest.raises(ValueError, match="set batch and parts to multiples of 2"):
        kd.train("c2s", scan(), config=dataclasses.replace(CONFIG, parts=1))


def test_sums_are_those_of_one_process_alone():
    tensors = [torch.ones(2, 3), torch.zeros(4)]
    assert all(a is b for a, b in zip(processes.added_up(tensors), tensors, strict=True))
    assert processes.told_by_first(5) == 5
