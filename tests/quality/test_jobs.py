from pathlib import Path

import pytest

from benchmarks.quality.denoisers import train_config
from benchmarks.quality.evaluate import Job, Means
from benchmarks.quality.jobs import list_jobs, result_path, work_through
from benchmarks.quality.locks import hold, try_hold
from benchmarks.quality.registry import table
from benchmarks.quality.rows import ROWS, TABLES, Row, find_row
from kspace_denoise.objectives import make_objective
from kspace_denoise.training.config import TrainConfig


def test_untrained_rows_are_one_job_and_trained_ones_one_for_each_seed_and_length() -> None:
    jobs = list_jobs(["phantom"], ["c2s", "nlm", "nlm"], [0, 1], [10, 20])
    assert [(j.row.name, j.seed, j.steps) for j in jobs] == [
        ("nlm", None, None),
        ("c2s", 0, 10),
        ("c2s", 1, 10),
        ("c2s", 0, 20),
        ("c2s", 1, 20),
    ]
    assert len({j.place for j in jobs}) == len(jobs)


def test_a_job_is_done_once_and_one_that_fails_is_told_of(tmp_path: Path) -> None:
    done: list[str] = []
    told: list[str] = []

    def evaluate(job: Job, means: Means) -> dict[str, int]:
        assert means.device == "cpu"
        if job.row.name == "nlm":
            raise ValueError("no such method yet")
        done.append(job.row.name)
        return {"answer": 42}

    means = Means(tmp_path / "work", TrainConfig())
    jobs = list_jobs(["phantom"], ["noisy", "nlm", "c2s"], [0], [5])
    for _ in range(2):
        failed = work_through(jobs, tmp_path, means, evaluate, told.append)
        assert [job.row.name for job in failed] == ["nlm"]
    assert done == ["noisy", "c2s"]
    assert any("no such method yet" in sentence for sentence in told)
    assert '"answer": 42' in result_path(tmp_path, jobs[2]).read_text()


def test_a_job_that_another_process_holds_is_left_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    means = Means(tmp_path, TrainConfig())
    jobs = list_jobs(["phantom"], ["noisy", "nlm"], [0], [5])
    other = result_path(tmp_path, jobs[0])
    done: list[str] = []

    def finish(_seconds: float) -> None:
        other.parent.mkdir(parents=True)
        other.write_text("{}")

    monkeypatch.setattr("benchmarks.quality.jobs.time.sleep", finish)
    with hold(tmp_path / "locks" / f"{jobs[0].place}.lock"):
        work_through(
            jobs, tmp_path, means, lambda job, _: done.append(job.row.name) or {}, lambda _: None
        )
    assert done == ["nlm"]


def test_two_jobs_never_train_the_same_denoiser_at_once(tmp_path: Path) -> None:
    paths = [tmp_path / "one.lock", tmp_path / "two.lock"]
    with try_hold(paths) as first:
        assert first
        with try_hold([tmp_path / "three.lock", paths[1]]) as second:
            assert not second
    with try_hold(paths) as again:
        assert again


def test_every_row_is_complete_and_its_settings_exist() -> None:
    for row in ROWS.values():
        config = train_config(row, TrainConfig(), 1, "phantom")
        if row.trained:
            make_objective(row.method, config.paper, **config.objective)
        if row.denoiser_of:
            assert find_row(row.denoiser_of).denoiser_of is None
    for one in TABLES.values():
        assert one.baseline in ROWS
        assert set(one.rows) <= set(ROWS)


def test_rows_that_share_a_denoiser_train_it_alike() -> None:
    for row in ROWS.values():
        if row.denoiser_of:
            mine = train_config(row, TrainConfig(), 1, "phantom")
            theirs = train_config(find_row(row.denoiser_of), TrainConfig(), 1, "phantom")
            assert mine == theirs
            assert row.sigma == find_row(row.denoiser_of).sigma


def test_an_unknown_row_is_refused() -> None:
    with pytest.raises(ValueError, match="no row 'c3s'"):
        list_jobs(["phantom"], ["c3s"], [0], [1])


def test_a_row_is_not_registered_twice() -> None:
    with pytest.raises(ValueError, match="'c2s' is there already"):
        table("again", "", [Row("c2s", "c2s")])
