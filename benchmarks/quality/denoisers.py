"""Trained denoisers, kept in the work folder so that a later scoring needs no new training."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import kspace_denoise as kd
from benchmarks.quality.m4raw import first_repetition
from benchmarks.quality.records import PROTOCOL, Origin, check_same, mark, plain, revision
from benchmarks.quality.rows import Row, find_row
from benchmarks.quality.volumes import Volume
from kspace_denoise.denoiser import Denoiser
from kspace_denoise.networks import NetworkConfig, network_config
from kspace_denoise.objectives import METHODS, check_method, make_objective
from kspace_denoise.scan import Images, Scan
from kspace_denoise.training.config import TrainConfig
from kspace_denoise.training.trainer import Report

REFINED = 0.25
"""Steps of a refinement, as a share of those of the training that it continues."""
_PAPER_MAXIMUM = {"magnitude": 5.0, "fastmri": 5.0}
_PAPER_MAXIMUM_ELSE = 10.0


class Training(NamedTuple):
    """One training: what a row, which trains a denoiser of its own, makes of training data.

    `data` says what these are made of, `part` which repetition of a real scan was seen.
    """

    row: Row
    dataset: str
    data: Origin
    base: TrainConfig
    seed: int
    steps: int
    part: str = ""

    @property
    def config(self) -> TrainConfig:
        """The whole configuration."""
        steps = self.steps if self.row.start is None else max(1, round(REFINED * self.steps))
        return train_config(self.row, self.base, steps, self.dataset)

    @property
    def start(self) -> "Training | None":
        """The training that this one continues, if any."""
        return None if self.row.start is None else self._replace(row=find_row(self.row.start))

    @property
    def path(self) -> Path:
        """File of the denoiser in the work folder: other data have other files."""
        trained_on = f"{self.data['data']}-{mark(self.data)}"
        last = "-".join(
            [f"seed{self.seed}", f"steps{self.steps}", *([self.part] * bool(self.part))]
        )
        return Path("denoisers") / trained_on / self.row.name / f"{last}.safetensors"

    @property
    def record(self) -> dict[str, Any]:
        """Everything that decides what the denoiser is; the objective as before it sees data."""
        config = self.config
        objective = make_objective(self.row.method, config.paper, **config.objective)
        return {
            "protocol": PROTOCOL,
            "method": self.row.method,
            "config": config.to_dict(),
            "objective": dataclasses.asdict(objective),
            "data": self.data,
            "part": self.part,
            "target": self.row.target,
            "contrasts": list(self.row.contrasts),
            "sigma": self.row.sigma,
            "seed": self.seed,
            "start": None if self.start is None else self.start.record,
            **revision(self.row.method, config.network.architecture),
        }


def paper_maximum(dataset: str) -> float:
    """Return the paper's largest noise level T, in units of the peak of an image."""
    return _PAPER_MAXIMUM.get(dataset.split("-")[0], _PAPER_MAXIMUM_ELSE)


def train_config(row: Row, base: TrainConfig, steps: int, dataset: str) -> TrainConfig:
    """Return the whole configuration of a row, of which `base` holds what rows do not say."""
    objective = {**base.objective, **row.objective}
    if row.method == "c2s" and (row.paper or objective.get("unit") == "peak"):
        objective.setdefault("maximum", paper_maximum(dataset))
    return base.replace(
        network=_network(row, base),
        objective=objective,
        paper=row.paper,
        steps=steps,
        **row.config,
    )


def _network(row: Row, base: TrainConfig) -> NetworkConfig:
    """Return the network of the base with what the row changes, or another by its name."""
    if "architecture" in row.network:
        return network_config(row.network)
    return dataclasses.replace(base.network, **row.network)


def kept_denoiser(
    training: Training,
    work: Path,
    make_data: Callable[[Row], dict[str, Any]],
    device: str = "cpu",
    report: Report | None = None,
) -> Denoiser:
    """Return the denoiser of a training, done now or before; that it continues is kept as well.

    Raises:
        ValueError: if the file holds a denoiser that was trained otherwise.
    """
    path = work / training.path
    if path.exists():
        denoiser = kd.load(path, device)
        check_same(path, denoiser.record.get("made_with"), training.record)
        return denoiser
    start = None
    if training.start is not None:
        start = kept_denoiser(training.start, work, make_data, device, report)
    path.parent.mkdir(parents=True, exist_ok=True)
    checkpoint = path.with_suffix(".checkpoint")
    data = make_data(training.row)
    denoiser = kd.train(
        training.row.method,
        data.pop("scans"),
        "after-sense",
        training.config,
        training.seed,
        device=device,
        start=start,
        checkpoint=checkpoint,
        resume=checkpoint.exists(),
        report=report,
        **data,
    )
    denoiser.record["made_with"] = plain(training.record)
    denoiser.save(path)
    checkpoint.unlink(missing_ok=True)
    return denoiser


def for_row(denoiser: Denoiser, row: Row) -> Denoiser:
    """Return the denoiser with the settings of inference that a row asks for."""
    if row.symmetries is None:
        return denoiser
    return dataclasses.replace(denoiser, config=denoiser.config.replace(symmetries=row.symmetries))


def training_record(denoiser: Denoiser) -> dict[str, Any]:
    """Return what a result tells of the training of its denoiser."""
    seconds, before = denoiser.record["seconds"], denoiser.record["started_from"]
    return {
        "training_seconds": seconds + (before["seconds"] if before else 0.0),
        "parameters": sum(p.numel() for p in denoiser.network.parameters()),
        "config": denoiser.config.to_dict(),
        "objective": denoiser.record["objective"],
        "losses": denoiser.record["losses"],
    }


def training_data(row: Row, volumes: list[Volume]) -> dict[str, Any]:
    """Return what a row trains on: `scans`, and `targets` and `contrasts` where it needs them.

    Every method is given the first repetition of each volume, Coil2Coil its k-space. Noise2Noise
    has the second one beside it; supervised training the noise-free images, or, where nobody knows
    them, the mean of all other repetitions.

    Raises:
        ValueError: if the method is not there, or needs what the volumes do not have.
    """
    check_method(row.method)
    chosen = [v for v in volumes if row.target in (None, v.contrast)]
    if not chosen:
        raise ValueError(f"{row.name}: no training volume is a {row.target}")
    if row.method == "coil2coil":
        return {"scans": [_coils(row, v) for v in chosen]}
    data: dict[str, Any] = {"scans": [_images(v.images[0], row.sigma * v.sigma) for v in chosen]}
    pair = METHODS[row.method].pair
    if pair != "nothing":
        data["targets"] = [_images(_target(row, v, pair), v.sigma) for v in chosen]
    if row.contrasts:
        data["contrasts"] = [
            [_images(p.images[0], row.sigma * p.sigma) for p in partners(row, v, volumes)]
            for v in chosen
        ]
    return data


def partners(row: Row, volume: Volume, volumes: list[Volume]) -> list[Volume]:
    """Return the other contrasts of the same subject that a row is given.

    Raises:
        ValueError: if the subject lacks one.
    """
    found = {v.contrast: v for v in volumes if v.subject == volume.subject}
    lacking = [name for name in row.contrasts if name not in found]
    if lacking:
        raise ValueError(f"{row.name}: subject {volume.subject} has no {', '.join(lacking)}")
    return [found[name] for name in row.contrasts]


def _target(row: Row, volume: Volume, pair: str) -> Any:
    where = f"{row.name}: {volume.contrast} of subject {volume.subject}"
    if pair == "clean" and volume.truth is not None:
        return volume.truth
    average = volume.average(with_input=False)
    if average is None:
        raise ValueError(f"{where} has no repetition to be taught with")
    return average if pair == "clean" else volume.images[1]


def _coils(row: Row, volume: Volume) -> Scan:
    """Return the k-space of the first repetition."""
    if volume.source is None:
        where = f"{volume.contrast} of subject {volume.subject}"
        raise ValueError(
            f"{row.name} learns from coils, and {where} has images alone; where an earlier version "
            "kept them, take another --work"
        )
    return first_repetition(Path(volume.source))


def _images(data: Any, sigma: float) -> Images:
    return Images(data=data, sigma=sigma)
