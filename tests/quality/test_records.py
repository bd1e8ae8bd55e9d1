import itertools
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import kspace_denoise as kd
from benchmarks.quality import phantom
from benchmarks.quality.datasets import VALIDATION, why_not
from benchmarks.quality.denoisers import Training, kept_denoiser, paper_maximum
from benchmarks.quality.evaluate import Job, Means, made_with
from benchmarks.quality.jobs import check_finished, result_path
from benchmarks.quality.origins import USER_DATA, Sources, origin
from benchmarks.quality.records import check_same, differing, mark, plain
from benchmarks.quality.rows import Row, find_row
from benchmarks.quality.tables import read_sheets
from benchmarks.quality.volumes import Volume, kept_volumes
from kspace_denoise.scan import Images
from kspace_denoise.training.config import TrainConfig


def _images(_row: Row) -> dict[str, list[Images]]:
    rng = np.random.default_rng(0)
    data = 1 + rng.standard_normal((2, 16, 16, 2)) @ [1, 1j]
    return {"scans": [Images(data=data.astype(np.complex64), sigma=1.0)]}


def _training(config: TrainConfig, row: str = "c2s", **data: object) -> Training:
    return Training(find_row(row), "phantom", {"data": "phantom", **data}, config, 0, 4)


def _volume(level: float) -> Volume:
    return Volume("1", "T1w", np.full((1, 1, 4, 4), level, np.float32), 1.0, 1.0)


def test_what_differs_is_named() -> None:
    kept = {"protocol": 2, "config": {"steps": 5, "network": {"base": 8}}, "start": None}
    wanted = {"protocol": 2, "config": {"steps": 5, "network": {"base": 16}}, "start": {"seed": 0}}
    assert differing(kept, wanted) == ["config.network.base", "start"]
    assert mark(kept) != mark(wanted)
    check_same(Path("here"), plain({"shape": (1, 2)}), {"shape": (1, 2)})
    with pytest.raises(
        ValueError, match=r"here was made with another config\.network\.base, start"
    ):
        check_same(Path("here"), kept, wanted)
    with pytest.raises(ValueError, match="made with another record"):
        check_same(Path("here"), None, wanted)


def test_volumes_of_something_else_are_refused_whether_complete_or_not(tmp_path: Path) -> None:
    kept_volumes(tmp_path / "kept", {"first": 1}, lambda: [_volume(1)])
    with pytest.raises(ValueError, match="kept was made with another first"):
        kept_volumes(tmp_path / "kept", {"first": 2}, lambda: [_volume(2)])
    (tmp_path / "kept" / "complete").unlink()
    with pytest.raises(ValueError, match="kept was made with another first"):
        kept_volumes(tmp_path / "kept", {"first": 2}, lambda: [_volume(2)])
    (tmp_path / "kept" / "made_of.json").unlink()  # as made by an older version
    with pytest.raises(ValueError, match="kept was made with another record"):
        kept_volumes(tmp_path / "kept", {"first": 1}, lambda: [_volume(1)])


def test_subjects_to_choose_on_are_not_those_that_are_scored(tmp_path: Path) -> None:
    sources = Sources(tmp_path)
    scored, chosen = (origin(name, "test", sources) for name in ("phantom", VALIDATION))
    assert (scored["first"], chosen["first"]) == (800_000, 600_000)
    assert origin("phantom", "train", sources) == origin(VALIDATION, "train", sources)
    assert origin("magnitude-13", "test", sources)["first"] == 100_800_000
    assert origin("rician", "test", sources) == {**scored, "data": "rician"}
    ends = sorted((first, first + phantom.SUBJECTS[s]) for s, first in phantom.FIRST.items())
    assert all(end <= first for (_, end), (first, _) in itertools.pairwise(ends))
    assert why_not("phantom", find_row("c2s-spread0.5")) == f"this choice is made on {VALIDATION}"
    assert why_not(VALIDATION, find_row("c2s-spread0.5")) is None


def test_a_denoiser_is_used_again_only_if_all_of_its_record_agrees(
    tmp_path: Path, tiny: TrainConfig
) -> None:
    first = _training(tiny, first=1)
    kept_denoiser(first, tmp_path, _images)
    kept_denoiser(first, tmp_path, lambda _row: pytest.fail("trained again"))
    other = _training(tiny, first=2)
    assert other.path != first.path
    (tmp_path / other.path).parent.mkdir(parents=True)
    shutil.copy(tmp_path / first.path, tmp_path / other.path)
    with pytest.raises(ValueError, match=r"another data\.first"):
        kept_denoiser(other, tmp_path, _images)
    with pytest.raises(ValueError, match=r"another config\.clip"):
        kept_denoiser(_training(tiny.replace(clip=2.0), first=1), tmp_path, _images)
    changed = tiny.replace(objective={"spread": 0.7})
    with pytest.raises(ValueError, match=r"config\.objective\.spread, objective\.spread"):
        kept_denoiser(_training(changed, first=1), tmp_path, _images)


def test_a_refinement_continues_the_training_that_it_names(
    tmp_path: Path, tiny: TrainConfig
) -> None:
    refined = _training(tiny, "c2s-refined-paper")
    assert refined.start == _training(tiny)
    denoiser = kept_denoiser(refined, tmp_path, _images)
    before = kd.load(tmp_path / _training(tiny).path)
    assert (before.record["steps"], denoiser.record["steps"]) == (4, 1)
    assert denoiser.record["started_from"]["made_with"] == plain(_training(tiny).record)
    assert _training(tiny, "c2s-refined").start is None  # told from the beginning
    start = _training(tiny, "c2s-paper-refined").start
    assert start is not None
    assert start.row.name == "c2s-paper"


def test_a_result_of_other_data_or_another_ladder_is_refused(tmp_path: Path) -> None:
    origins = {"phantom": {"train": {"data": "phantom"}, "test": {"first": 1}}}
    means = Means(tmp_path, TrainConfig(), origins=origins)
    jobs = [Job("phantom", find_row("nlm"), None, None), Job("phantom", find_row("c2s"), 0, 4)]
    for job in jobs:
        path = result_path(tmp_path, job)
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps({"made_with": made_with(job, means)}))
    check_finished(jobs, tmp_path, means)
    moved = {"phantom": {**origins["phantom"], "test": {"first": 2}}}
    for job in jobs:
        with pytest.raises(ValueError, match=r"another scored_on\.first"):
            check_finished([job], tmp_path, means._replace(origins=moved))
    with pytest.raises(ValueError, match=r"training\.config\.batch"):
        check_finished(jobs, tmp_path, means._replace(config=TrainConfig(batch=3)))
    path = result_path(tmp_path, jobs[0])
    kept = json.loads(path.read_text())
    kept["made_with"]["ladder"].pop()
    path.write_text(json.dumps(kept))
    with pytest.raises(ValueError, match="another ladder"):
        check_finished(jobs, tmp_path, means)


def test_a_table_does_not_mix_what_was_scored_on_different_data(tmp_path: Path) -> None:
    for row, first in (("nlm", 1), ("noisy", 2)):
        record = {"dataset": "phantom", "row": row, "seed": None, "steps": None}
        made = {"protocol": 1, "scored_on": {"first": first}}
        (tmp_path / "phantom" / row).mkdir(parents=True)
        path = tmp_path / "phantom" / row / "untrained.json"
        path.write_text(json.dumps({**record, "made_with": made}))
    with pytest.raises(ValueError, match=r"another scored_on\.first"):
        read_sheets(tmp_path)


def test_user_folders_have_records_of_their_own_and_lists_are_for_fastmri(tmp_path: Path) -> None:
    one = Sources(tmp_path, tmp_path, {"train": ["a.h5"]})
    two = Sources(tmp_path, tmp_path, {"train": ["b.h5"]})
    assert origin("fastmri-13", "train", one) != origin("fastmri-13", "train", two)
    assert origin("fastmri-13", "test", one) == origin("fastmri-13", "test", two)
    assert origin("fastmri-13", "test", one)["version"] == USER_DATA
    for name in ("m4raw", "m4raw-paper", "phantom", "rician", "magnitude-13", "real-fisp"):
        with pytest.raises(ValueError, match=f"{name} takes no list of files"):
            origin(name, "test", one)


def test_the_papers_largest_level_is_that_of_its_data() -> None:
    levels = {name: paper_maximum(name) for name in ("phantom", "rician", "m4raw", "m4raw-paper")}
    assert set(levels.values()) == {10.0}
    assert paper_maximum("magnitude-13") == paper_maximum("fastmri-25") == 5.0
    for row in ("c2s-paper", "c2s-paper-levels"):
        training = _training(TrainConfig(), row)._replace(dataset="magnitude-25")
        assert training.record["objective"]["maximum"] == 5.0
    assert why_not("fastmri-13", find_row("c2s-paper-T5")) == "that is c2s-paper here"
    assert why_not("phantom", find_row("c2s-paper-T5")) is None
    ours = _training(TrainConfig(), "c2s-paper-levels").record
    theirs = _training(TrainConfig(), "c2s-paper").record
    assert ours["objective"] == theirs["objective"]
