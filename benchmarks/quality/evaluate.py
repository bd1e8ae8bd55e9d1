"""What a row makes of the test volumes of a data set."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.quality.denoisers import (
    Training,
    for_row,
    kept_denoiser,
    partners,
    training_data,
    training_record,
)
from benchmarks.quality.pictures_kept import keep_picture
from benchmarks.quality.records import PROTOCOL, Origin, revision
from benchmarks.quality.rows import Row, find_row
from benchmarks.quality.scores import Scores, main_score, slice_scores
from benchmarks.quality.strengths import LADDERS, AnyDenoiser, best_strength, classical
from benchmarks.quality.volumes import Numpy, Volume
from kspace_denoise.arrays import to_numpy
from kspace_denoise.training.config import TrainConfig
from kspace_denoise.training.trainer import Report


class Job(NamedTuple):
    """One row on one data set; `seed` and `steps` are None where nothing is trained."""

    dataset: str
    row: Row
    seed: int | None
    steps: int | None

    @property
    def name(self) -> str:
        """Name for people."""
        trained = "" if self.seed is None else f", seed {self.seed}, {self.steps} steps"
        return f"{self.dataset}: {self.row.name}{trained}"

    @property
    def place(self) -> Path:
        """Name of the result in the folder of results, without suffix."""
        last = "untrained" if self.seed is None else f"seed{self.seed}-steps{self.steps}"
        return Path(self.dataset) / self.row.name / last


class Means(NamedTuple):
    """What all jobs of a process share; `origins` says of each data set what its splits are."""

    work: Path
    config: TrainConfig
    device: str = "cpu"
    report: Report | None = None
    origins: Mapping[str, Mapping[str, Origin]] = {}

    def origin(self, dataset: str, split: str) -> Origin:
        """Return what a split of a data set is made of."""
        return self.origins.get(dataset, {}).get(split, {"data": dataset})


def training(job: Job, means: Means, part: str = "") -> Training:
    """Return the training that a job needs."""
    assert job.seed is not None
    assert job.steps is not None
    data = means.origin(job.dataset, "train")
    row = find_row(job.row.trained_by)
    return Training(row, job.dataset, data, means.config, job.seed, job.steps, part)


def made_with(job: Job, means: Means) -> dict[str, Any]:
    """Return everything that decides the result of a job."""
    row = job.row
    record: dict[str, Any] = {
        "protocol": PROTOCOL,
        "method": row.method,
        "scored_on": means.origin(job.dataset, "test"),
    }
    if row.trained:
        inference = {"sigma": row.inference_sigma, "symmetries": row.symmetries}
        return record | {"training": training(job, means).record, "inference": inference}
    ladder = [float(strength) for strength in LADDERS.get(row.method, ())]
    return record | {"ladder": ladder, "vst": row.vst, **revision(row.method)}


class VolumeSet:
    """Training and test volumes that are scored slice by slice."""

    def __init__(self, name: str, train: Sequence[Volume], test: Sequence[Volume]) -> None:
        self.name = name
        self.train, self.test = list(train), list(test)

    def evaluate(self, job: Job, means: Means) -> dict[str, Any]:
        """Return the scores of every test slice, and what the row chose or trained."""
        row = job.row
        scored = [v for v in self.test if row.target in (None, v.contrast)]
        if row.method == "noisy":
            return self._scored(job, means, scored, {v.contrast: _untouched for v in scored}, {})
        if not row.trained and row.method not in LADDERS:
            untuned = {v.contrast: classical(row) for v in scored}
            return self._scored(job, means, scored, untuned, {})
        if not row.trained:
            choices = {
                name: best_strength(row, lambda d, n=name: self._badness(d, n))  # type: ignore[misc]
                for name in dict.fromkeys(v.contrast for v in scored)
            }
            chosen = {name: classical(row, c.strength) for name, c in choices.items()}
            record = {
                "strengths": {k: {**c._asdict(), "at_end": c.at_end} for k, c in choices.items()}
            }
            return self._scored(job, means, scored, chosen, record)
        denoiser = kept_denoiser(
            training(job, means),
            means.work,
            lambda trained: training_data(trained, self.train),
            means.device,
            means.report,
        )
        of_row = for_row(denoiser, row)
        denoisers = {v.contrast: of_row for v in scored}
        return self._scored(job, means, scored, denoisers, training_record(of_row))

    def _scored(
        self,
        job: Job,
        means: Means,
        volumes: list[Volume],
        denoisers: Mapping[str, AnyDenoiser],
        record: dict[str, Any],
    ) -> dict[str, Any]:
        rows: list[Scores] = []
        seconds = 0.0
        outputs = []
        for volume in volumes:
            started = time.perf_counter()
            output = run(job.row, denoisers[volume.contrast], volume, self.test)
            seconds += time.perf_counter() - started
            rows += slice_scores(volume, output)
            outputs.append(output)
        keep_picture(means.work, job.place, volumes, outputs)
        return {**record, "seconds_per_slice": seconds / len(rows), "slices": rows}

    def _badness(self, denoiser: AnyDenoiser, contrast: str) -> float:
        """Return minus the mean PSNR over the test slices of a contrast."""
        rows: list[Scores] = []
        for volume in self.test:
            if volume.contrast == contrast:
                rows += slice_scores(volume, to_numpy(denoiser(volume.images[0], volume.sigma)))
        return -float(np.mean([row[main_score(rows)] for row in rows]))


def run(row: Row, denoiser: AnyDenoiser, volume: Volume, volumes: list[Volume]) -> Numpy:
    """Denoise the first repetition of a volume, with its partners where the row has any."""
    factor = row.sigma * row.inference_sigma
    if not row.contrasts:
        return to_numpy(denoiser(np.asarray(volume.images[0]), factor * volume.sigma))
    others = partners(row, volume, volumes)
    condition = np.stack([p.images[0] for p in others], axis=-3)
    return to_numpy(
        denoiser(
            np.asarray(volume.images[0]),
            factor * volume.sigma,
            condition=condition,
            condition_sigma=factor * np.array([p.sigma for p in others]),
        )
    )


def _untouched(image: Numpy, _sigma: float) -> Numpy:
    return image
