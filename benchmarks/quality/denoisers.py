"""Trained denoisers, kept in the work folder so that a later scoring needs no new training."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import kspace_denoise as kd
from benchmarks.quality.rows import Row
from benchmarks.quality.volumes import Volume
from kspace_denoise.denoiser import Denoiser
from kspace_denoise.objectives import METHODS, check_method
from kspace_denoise.scan import Images
from kspace_denoise.training.config import TrainConfig
from kspace_denoise.training.trainer import Report

_DECISIVE = ("steps", "batch", "patch", "learning_rate", "weight_decay", "ema", "paper", "vst")
_SHAPE = ("base", "multipliers", "blocks", "attention", "heads")


def train_config(row: Row, base: TrainConfig, steps: int) -> TrainConfig:
    """Return the whole configuration of a row, of which `base` holds what rows do not say."""
    return base.replace(
        network=dataclasses.replace(base.network, **row.network),
        objective={**base.objective, **row.objective},
        paper=row.paper,
        steps=steps,
        **row.config,
    )


def denoiser_path(work: Path, dataset: str, row: Row, seed: int, steps: int) -> Path:
    """Return the file of the denoiser that a row uses."""
    return work / "denoisers" / dataset / row.trained_by / f"seed{seed}-steps{steps}.safetensors"


def kept_denoiser(
    path: Path,
    row: Row,
    make_data: Callable[[], dict[str, Any]],
    config: TrainConfig,
    seed: int,
    device: str = "cpu",
    report: Report | None = None,
) -> Denoiser:
    """Return the denoiser of a row, trained now or before, with the row's settings of inference."""
    if path.exists():
        denoiser = kd.load(path, device)
        check_same(path, denoiser.config, config)
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        data = make_data()
        denoiser = kd.train(
            row.method,
            data.pop("scans"),
            "after-sense",
            config,
            seed,
            device=device,
            checkpoint=path.with_suffix(".checkpoint"),
            resume=path.with_suffix(".checkpoint").exists(),
            report=report,
            **data,
        )
        denoiser.save(path)
        path.with_suffix(".checkpoint").unlink(missing_ok=True)
    if row.symmetries is not None:
        denoiser.config = denoiser.config.replace(symmetries=row.symmetries)
    return denoiser


def check_same(path: Path, kept: TrainConfig, wanted: TrainConfig) -> None:
    """Refuse a denoiser, or a result, that was made with other settings.

    Raises:
        ValueError: naming what differs.
    """
    differing = [name for name in _DECISIVE if getattr(kept, name) != getattr(wanted, name)]
    differing += [n for n in _SHAPE if getattr(kept.network, n) != getattr(wanted.network, n)]
    if differing:
        raise ValueError(
            f"{path} was made with another {', '.join(differing)}: take another --work and --out "
            "for other settings, or remove the file"
        )


def training_data(row: Row, volumes: list[Volume]) -> dict[str, Any]:
    """Return what a row trains on: `scans`, and `targets` and `contrasts` where it needs them.

    Every method is given the first repetition of each volume. Noise2Noise has the second one
    beside it; supervised training the noise-free images, or, where nobody knows them, the mean of
    all other repetitions.

    Raises:
        ValueError: if the method is not there, or needs what the volumes do not have.
    """
    check_method(row.method)
    chosen = [v for v in volumes if row.target in (None, v.contrast)]
    if not chosen:
        raise ValueError(f"{row.name}: no training volume is a {row.target}")
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


def _images(data: Any, sigma: float) -> Images:
    return Images(data=data, sigma=sigma)
