"""`kspace-denoise train`: a denoiser from noisy scans alone."""

from pathlib import Path

import click

from kspace_denoise import formats, provenance
from kspace_denoise.cli.common import (
    PATH,
    calibration_option,
    check_distinct,
    command,
    command_line,
    device_option,
    later_option,
    load_noise,
    noise_option,
    note,
    note_unsampled_data,
    seed_option,
    training_bar,
)
from kspace_denoise.cli.options import penalty_option
from kspace_denoise.cli.readout import readout_option, with_readout
from kspace_denoise.denoiser import load
from kspace_denoise.formats.atomic import check_place
from kspace_denoise.objectives import check_method
from kspace_denoise.scan import Images, Scan
from kspace_denoise.stages import STAGES, check_cartesian, with_noise
from kspace_denoise.training.config import TrainConfig
from kspace_denoise.training.train import train as train_denoiser


@command("kspace-denoise train c2s scan1.h5 scan2.h5 --out c2s.safetensors --minutes 10")
@click.argument("method")
@click.argument("sources", metavar="IN...", nargs=-1, required=True, type=PATH)
@click.option("--out", required=True, type=PATH, metavar="MODEL", help="The denoiser to write.")
@click.option("--stage", default="after-sense", show_default=True, help=" or ".join(STAGES) + ".")
@click.option(
    "--domain", default="image", show_default=True, help="image; svd belongs to later work."
)
@click.option("--config", "config_file", type=PATH, metavar="FILE.toml", help="Settings to change.")
@click.option(
    "--minutes",
    type=click.FloatRange(min=0, min_open=True),
    help="Training time, in place of what the config says; 10 without either.",
)
@click.option("--start", type=PATH, metavar="MODEL", help="Continue from this denoiser's weights.")
@click.option("--resume", is_flag=True, help="Continue a run that was stopped.")
@calibration_option()
@penalty_option()
@readout_option()
@later_option("--bval", "diffusion data")
@later_option("--bvec", "diffusion data")
@noise_option()
@seed_option()
@device_option()
def train(
    method: str,
    sources: tuple[Path, ...],
    out: Path,
    stage: str,
    domain: str,
    config_file: Path | None,
    minutes: float | None,
    start: Path | None,
    resume: bool,
    calibration: int | None,
    penalty: float,
    readout: int | None,
    noise_file: Path | None,
    seed: int,
    device: str,
) -> None:
    """Train the denoiser METHOD on the noisy scans IN... and write it to MODEL.

    No clean data is needed, only the noise level, which is taken from --noise, from the files, or
    from their k-space. While training runs, MODEL.checkpoint is kept; after a kill, the same
    command with --resume goes on from there.
    """
    check_method(method)
    if domain != "image":
        raise click.UsageError(f"--domain {domain} belongs to a later version; now: image")
    if stage not in STAGES:
        raise click.UsageError(f"--stage {stage}: expected {' or '.join(STAGES)}")
    check_place(out)
    check_distinct(out, *sources, noise_file, config_file, start)
    config = TrainConfig() if config_file is None else TrainConfig.from_toml(config_file)
    config = config if minutes is None else config.replace(minutes=minutes, steps=None)
    scans = [_with_noise(formats.read(path), noise_file, readout) for path in sources]
    checkpoint = out.with_name(out.name + ".checkpoint")
    if resume and not checkpoint.exists():
        raise FileNotFoundError(f"{checkpoint} does not exist: there is nothing to resume")
    note(_budget(config, device))
    denoiser = train_denoiser(
        method,
        scans,
        stage,  # type: ignore[arg-type]
        config,
        seed,
        start=None if start is None else load(start),
        device=device,
        checkpoint=checkpoint,
        resume=resume,
        calibration=calibration,
        regularisation=penalty,
        report=training_bar(f"{method} {stage}"),
    )
    denoiser.record["provenance"] = provenance.record(
        command_line(),
        [*sources, *(path for path in (noise_file, config_file, start) if path is not None)],
        seed=seed,
        method=method,
        stage=stage,
        calibration=calibration,
        penalty=penalty,
    )
    denoiser.save(out)
    checkpoint.unlink()
    click.echo(f"{out}: {denoiser.record['steps']} steps in {denoiser.record['seconds']:.0f} s")


def _with_noise(
    source: Scan | Images, noise_file: Path | None, readout: int | None
) -> Scan | Images:
    """Settle the noise of a scan before any long work starts."""
    if isinstance(source, Images):
        return source
    check_cartesian(source, "training")
    source = with_readout(source, readout)
    note_unsampled_data(source)
    return with_noise(source, load_noise(source, noise_file))


def _budget(config: TrainConfig, device: str) -> str:
    length = f"{config.steps} steps" if config.steps else f"{config.minutes:g} minutes"
    return f"training for {length} on {device}"
