"""What shapes a training run, from the options of `train`."""

import dataclasses
from pathlib import Path

import click

from kspace_denoise.cli.common import note
from kspace_denoise.denoiser import Denoiser, load
from kspace_denoise.objectives import METHODS, make_objective
from kspace_denoise.training.config import TrainConfig
from kspace_denoise.training.fitted import FOLLOWS
from kspace_denoise.training.processes import announced, check_shares
from kspace_denoise.training.train import check_coloured


def config_of(
    method: str,
    file: Path | None,
    minutes: float | None,
    paper: bool,
    vst: bool,
    domain: str | None,
) -> TrainConfig:
    """Return the settings of the file, with what the options change.

    Raises:
        ValueError, TypeError: if there is none of that name or kind, or the method has none.
    """
    own = getattr(METHODS[method], "architecture", "unet")
    config = TrainConfig() if file is None else TrainConfig.from_toml(file, own)
    if minutes is not None:
        config = config.replace(minutes=minutes, steps=None)
    config = config.replace(paper=config.paper or paper, vst=config.vst or vst)
    config = config if domain is None else config.replace(domain=domain)
    check_shares(config.parts, config.batch, announced())
    objective = make_objective(method, config.paper, **config.objective)
    if config.domain != "image":
        check_coloured(objective, config.domain)
    return config


def start_of(path: Path | None, config: TrainConfig) -> Denoiser | None:
    """Return the denoiser to start from, if any; tell where a refinement has none.

    Raises:
        click.UsageError: if the config asks for another network than it has.
    """
    if path is None:
        _note_refinement(config)
        return None
    denoiser = load(path)
    network, wanted, default = denoiser.config.network, config.network, TrainConfig().network
    left = {n: getattr(network, n) for n in FOLLOWS if getattr(wanted, n) == getattr(default, n)}
    if wanted != default and dataclasses.replace(wanted, **left) != network:
        raise click.UsageError(
            f"--start {path} goes on with the network of that denoiser, and [network] of --config "
            "is another: leave one of the two out"
        )
    return denoiser


def _note_refinement(config: TrainConfig) -> None:
    """Tell where what belongs behind a training is begun without one."""
    refinement = config.objective.get("refinement")
    if refinement in ("paper", "fixed"):
        note(
            f'refinement = "{refinement}" follows a training without it, and this run starts from '
            "scratch: train first, then continue with --start MODEL for fewer steps"
        )


def budget(config: TrainConfig, device: str, done: int) -> str:
    """Return in words how long a run will take, from which step on."""
    minutes = f"{config.minutes:g} minute{'' if config.minutes == 1 else 's'}"
    length = f"{config.steps} steps" if config.steps else minutes
    begin = f", going on from step {done}" if done else ""
    return f"training for {length} on {device}{begin}"
