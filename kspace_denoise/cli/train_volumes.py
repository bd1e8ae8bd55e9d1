"""`kspace-denoise train` of a method that learns from the volumes of one diffusion scan."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from kspace_denoise import provenance
from kspace_denoise.cli.common import Decorator, check_distinct, command_line, note
from kspace_denoise.cli.doubts import warn
from kspace_denoise.cli.dwi_options import DwiFiles, dwi_options, dwi_training_options, read_dwi
from kspace_denoise.cli.image_noise import Sigma
from kspace_denoise.cli.options import together
from kspace_denoise.cli.training_config import budget
from kspace_denoise.cli.training_progress import (
    kept_of,
    nothing_to_resume,
    of_network,
    resumable,
)
from kspace_denoise.dmri.prepare import prepare
from kspace_denoise.dmri.shells import shells
from kspace_denoise.dmri.train import train_volumes
from kspace_denoise.formats.atomic import check_place
from kspace_denoise.objectives import OF_VOLUMES, make_volume_method
from kspace_denoise.scan import Images
from kspace_denoise.training.config import TrainConfig

_OTHERS = {
    "targets": "--target",
    "contrasts": "--contrast",
    "vst": "--vst",
    "domain": "--domain",
    "start": "--start",
    "cache": "--cache",
    "calibration": "--calibration",
    "penalty": "--lambda",
    "readout": "--readout",
    "noise_file": "--noise",
}
"""Options of `train` that mean nothing for these methods."""


def of_volumes() -> Decorator:
    """Let `train` train such methods, with options of their own."""

    def decorate(run: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(run)
        def either(
            method: str,
            bval: Path | None,
            bvec: Path | None,
            phase: Path | None,
            neighbours: int | None,
            mix_shells: bool,
            **options: Any,
        ) -> None:
            files = DwiFiles(bval, bvec, phase)
            if method in OF_VOLUMES:
                settings: dict[str, Any] = {"mix_shells": True} if mix_shells else {}
                if neighbours is not None:
                    settings["neighbours"] = neighbours
                _train(method, files, settings, options)
                return
            if files.given() or neighbours is not None or mix_shells:
                raise click.UsageError(
                    f"--bval, --bvec, --phase, --neighbours and --mix-shells belong to "
                    f"{', '.join(OF_VOLUMES)}, not to {method}"
                )
            run(method=method, **options)

        return together(dwi_options(), dwi_training_options())(either)

    return decorate


def _train(method: str, files: DwiFiles, settings: dict[str, Any], options: dict[str, Any]) -> None:
    """Train on a scan and write the denoiser."""
    if given := [option for name, option in _OTHERS.items() if options[name]]:
        raise click.UsageError(f"{method} has no use for {', '.join(given)}: leave it out")
    source, out, config_file = (
        _only(method, options["sources"]),
        options["out"],
        options["config_file"],
    )
    check_place(out)
    check_distinct(out, source, config_file, *files.given())
    config = _config(method, options, settings)
    images = _read(method, source, files, options["sigma"], config)
    checkpoint = out.with_name(out.name + ".checkpoint")
    if options["resume"] and not kept_of(checkpoint):
        raise nothing_to_resume(out)
    note(budget(config, options["device"], 0))
    with resumable(out, checkpoint):
        denoiser = train_volumes(
            method,
            images,
            config,
            options["seed"],
            device=options["device"],
            checkpoint=checkpoint,
            resume=options["resume"],
            reports=of_network,
        )
    inputs = [path for path in (source, config_file, *files.read(source)) if path is not None]
    denoiser.record["provenance"] = provenance.record(
        command_line(), inputs, seed=options["seed"], method=method, sigma_given=options["sigma"]
    )
    denoiser.save(out)
    for path in kept_of(checkpoint):
        path.unlink()
    _tell(denoiser.record, out)


def _tell(record: dict[str, Any], out: Path) -> None:
    for name, one in record["networks"].items():
        losses = [loss for _, loss in one["losses"]]
        click.echo(f"{name}: {one['steps']} steps in {one['seconds']:.0f} s, loss {losses[-1]:.3f}")
    click.echo(f"{out}: {record['steps']} steps in {record['seconds']:.0f} s")


def _only(method: str, sources: tuple[Path, ...]) -> Path:
    if len(sources) != 1 or sources[0].is_dir():
        raise click.UsageError(f"{method} learns from one diffusion scan: give one file")
    return sources[0]


def _config(method: str, options: dict[str, Any], settings: dict[str, Any]) -> TrainConfig:
    file, minutes = options["config_file"], options["minutes"]
    config = TrainConfig() if file is None else TrainConfig.from_toml(file)
    if minutes is not None:
        config = config.replace(minutes=minutes, steps=None)
    paper = config.paper or options["paper"]
    config = config.replace(paper=paper, objective={**config.objective, **settings})
    make_volume_method(method, config.paper, **config.objective)
    return config


def _read(name: str, source: Path, files: DwiFiles, sigma: Sigma, config: TrainConfig) -> Images:
    """Read the scan, refuse it before any work if it does not do, and tell what is odd."""
    images = read_dwi(source, files, sigma)
    method = make_volume_method(name, config.paper, **config.objective)
    ready = prepare(images, method)
    assert images.bval is not None
    trained = {volume for one in ready for volume in one.shell.volumes.tolist()}
    for shell in shells(images.bval):
        if not trained.issuperset(shell.volumes.tolist()):
            note(
                f"the volumes of b = {shell.bval:g} are {len(shell.volumes)}, too few to tell each "
                f"from {method.neighbours or 1} others: they will come out as they are"
            )
    if method.mix_shells:
        warn("volumes of different b-values are taken for noisy images of the same: contrast blurs")
    if method.matching == "noise" and ready[0].level is None:
        note(
            f"{len(images.data)} volumes are too few to tell the noise by MPPCA: what the noise "
            "model leaves is taken for it; better give --sigma"
        )
    if method.order == "direction" and images.data.dtype.kind != "c":
        note(
            f"{source} holds magnitudes: where the signal is weak their noise has a mean of its "
            "own, which stays in the result; with --phase it has next to none"
        )
    return images
