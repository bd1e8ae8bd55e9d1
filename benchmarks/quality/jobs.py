"""The list of jobs, and processes that share it."""

import json
import platform
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch

import kspace_denoise as kd
from benchmarks.quality.evaluate import Job, Means, made_with, training
from benchmarks.quality.locks import try_hold
from benchmarks.quality.records import check_same
from benchmarks.quality.rows import find_row
from kspace_denoise.formats.atomic import atomic

Evaluate = Callable[[Job, Means], dict[str, Any]]
_PATIENCE = 2.0  # seconds between looks at what others hold


def list_jobs(
    datasets: Iterable[str], rows: Iterable[str], seeds: Iterable[int], steps: Iterable[int]
) -> list[Job]:
    """Return all jobs, seed by seed, so that a whole table stands as soon as possible."""
    datasets, seeds = list(datasets), list(seeds)
    chosen = [find_row(name) for name in dict.fromkeys(rows)]
    jobs = [Job(name, row, None, None) for name in datasets for row in chosen if not row.trained]
    return jobs + [
        Job(name, row, seed, count)
        for count in steps
        for seed in seeds
        for name in datasets
        for row in chosen
        if row.trained
    ]


def result_path(out: Path, job: Job) -> Path:
    """Return the file of a job's result."""
    return out / f"{job.place}.json"


def check_finished(jobs: Iterable[Job], out: Path, means: Means) -> None:
    """Refuse to add to results that were made with other settings, or of other data.

    Raises:
        ValueError: naming the result and what differs.
    """
    for job in jobs:
        path = result_path(out, job)
        if path.exists():
            kept = json.loads(path.read_text()).get("made_with")
            check_same(path, kept, made_with(job, means))


def work_through(
    jobs: list[Job], out: Path, means: Means, evaluate: Evaluate, tell: Callable[[str], None]
) -> list[Job]:
    """Do every job that nobody has done or is doing; wait for those that others do.

    A job that cannot be done is told of, left out, and returned at the end.
    """
    started, mine = time.monotonic(), 0
    failed: list[Job] = []
    while True:
        left = [j for j in jobs if j not in failed and not result_path(out, j).exists()]
        if not left:
            return failed
        for job in left:
            with try_hold(_locks(job, means)) as free:
                if not free or result_path(out, job).exists():
                    continue
                tell(f"{job.name} ({len(left)} of {len(jobs)} jobs left)")
                try:
                    _do(job, out, means, evaluate)
                except ValueError as error:
                    tell(f"{job.name}: not done: {error}")
                    failed.append(job)
                    break
                mine += 1
                pace = (time.monotonic() - started) / mine
                tell(f"{job.name}: done, as {mine} jobs of this process, {pace:.0f} s each")
                break
        else:
            time.sleep(_PATIENCE)


def _do(job: Job, out: Path, means: Means, evaluate: Evaluate) -> None:
    """Do a job and write its result, which appears by rename."""
    started = time.perf_counter()
    result = evaluate(job, means)
    record = {
        "dataset": job.dataset,
        "row": job.row.name,
        "seed": job.seed,
        "steps": job.steps,
        "seconds": time.perf_counter() - started,
        "version": kd.__version__,
        "machine": machine(means.device),
        "made_with": made_with(job, means),
        **result,
    }
    path = result_path(out, job)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic(path) as temporary:
        temporary.write_text(json.dumps(record, indent=1))


def machine(device: str) -> dict[str, Any]:
    """Return what the times were measured on."""
    return {
        "processor": platform.machine(),
        "threads": torch.get_num_threads(),
        "device": torch.cuda.get_device_name() if device == "cuda" else "cpu",
        "torch": torch.__version__,
    }


def _locks(job: Job, means: Means) -> list[Path]:
    """Return the locks of a job: its own, and those of the denoisers it would train."""
    folder = means.work / "locks"
    locks = [folder / f"{job.place}.lock"]
    needed = training(job, means) if job.row.trained else None
    while needed is not None:
        if not (means.work / needed.path).exists():
            locks.append(folder / needed.path.with_suffix(".lock"))
        needed = needed.start
    return locks
