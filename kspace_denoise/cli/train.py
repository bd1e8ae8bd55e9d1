"""`kspace-denoise train`: a denoiser from noisy scans, alone or with what a method needs beside."""

from collections.abc import Mapping
from pathlib import Path

import click

from kspace_denoise import formats, provenance, recon
from kspace_denoise.clean import with_noise_or_next_to_none
from kspace_denoise.cli.common import (
    PATH,
    calibration_option,
    check_distinct,
    command,
    command_line,
    counter,
    device_option,
    load_noise,
    noise_option,
    note,
    note_unsampled_data,
    seed_option,
)
from kspace_denoise.cli.company import (
    DATA,
    NEEDS,
    contrast_option,
    contrasts_of,
    target_option,
    targets_of,
    warn_of_other_contrasts,
)
from kspace_denoise.cli.folders import files_of
from kspace_denoise.cli.image_noise import (
    Sigma,
    check_sigma_use,
    note_bias,
    sigma_option,
    with_sigma,
)
from kspace_denoise.cli.noise_words import note_coloured
from kspace_denoise.cli.options import group, penalty_option
from kspace_denoise.cli.readout import readout_option, with_readout
from kspace_denoise.cli.train_volumes import of_volumes
from kspace_denoise.cli.training_config import budget, config_of, start_of
from kspace_denoise.cli.training_progress import (
    kept_of,
    note_nothing_learnt,
    nothing_to_resume,
    of_network,
    resumable,
    training_progress,
)
from kspace_denoise.denoiser import Denoiser
from kspace_denoise.formats.atomic import check_folder_place, check_place
from kspace_denoise.networks import ARCHITECTURES
from kspace_denoise.objectives import check_method
from kspace_denoise.scan import Images, Scan
from kspace_denoise.stages import STAGES, check_cartesian, with_noise
from kspace_denoise.training.checkpoint import read_tensors
from kspace_denoise.training.config import DOMAINS
from kspace_denoise.training.processes import torchrun
from kspace_denoise.training.train import train as train_denoiser

_EXAMPLE = """\
kspace-denoise train c2s scan1.h5 scan2.h5 --out c2s.safetensors --minutes 10
kspace-denoise train c2s anna_T1.h5 --contrast anna_T2.h5 --out two.safetensors
kspace-denoise train supervised noisy.h5 --target clean.h5 --out supervised.safetensors
kspace-denoise train diffusion clean1.h5 clean2.h5 --out prior.safetensors
kspace-denoise train c2s magnitudes.h5 --sigma estimate --vst --out vst.safetensors
kspace-denoise train ddm2 dwi.nii.gz --out ddm2.safetensors"""
WAITED, WORTH_TELLING = 5.0, 0.05
"""Seconds, and share of the time: waiting of less is not spoken of."""
_DATA, _RUN = group(DATA), group("How long, and how")


@command(_EXAMPLE, {"METHOD, and what it learns from": NEEDS})
@click.argument("method")
@click.argument("sources", metavar="IN...", nargs=-1, required=True, type=PATH)
@click.option("--out", required=True, type=PATH, metavar="MODEL", help="The denoiser to write.")
@target_option()
@contrast_option(
    "The same slices in another contrast, which the denoiser looks at too, and will need again: "
    "as many for each IN; those of the first IN first, in one order of contrasts for all."
)
@sigma_option()
@_DATA(
    "--vst",
    is_flag=True,
    help="Magnitude images: make their Rician noise even before the network, undo it behind.",
)
@_DATA("--stage", default="after-sense", show_default=True, help=" or ".join(STAGES) + ".")
@click.option(
    "--domain",
    help="Of c2s: image takes the noise of images for white; stationary corrupts them with noise "
    "that is correlated as theirs is, measured where they are flat; svd with noise of their own "
    "covariance, component by component (several coils, undersampled).  [default: image]",
)
@_RUN(
    "--config",
    "config_file",
    type=PATH,
    metavar="FILE.toml",
    help="Settings to change, in tables: of the network, [network], its architecture: "
    f"{', '.join(ARCHITECTURES)}.",
)
@_RUN(
    "--paper",
    is_flag=True,
    help="The noise levels, weights and passes of the method's paper, and a direct network that "
    "sees the phase; its size and optimiser stay ours.",
)
@_RUN(
    "--minutes",
    type=click.FloatRange(min=0, min_open=True),
    help="Training time, in place of what the config says; 10 without either.",
)
@_RUN("--start", type=PATH, metavar="MODEL", help="Continue from this denoiser's weights.")
@_RUN("--resume", is_flag=True, help="Continue a run that was stopped.")
@_RUN(
    "--cache",
    type=PATH,
    metavar="DIR",
    help="Keep the SENSE images there: made once, by all processes together, also for later runs, "
    "and read as training draws from them. For more scans than memory holds.",
)
@calibration_option()
@penalty_option()
@readout_option()
@noise_option()
@seed_option()
@device_option()
@of_volumes()
def train(
    method: str,
    sources: tuple[Path, ...],
    out: Path,
    targets: tuple[Path, ...],
    contrasts: tuple[Path, ...],
    sigma: Sigma,
    vst: bool,
    stage: str,
    domain: str | None,
    config_file: Path | None,
    paper: bool,
    minutes: float | None,
    start: Path | None,
    resume: bool,
    cache: Path | None,
    calibration: int | None,
    penalty: float,
    readout: int | None,
    noise_file: Path | None,
    seed: int,
    device: str,
) -> None:
    """Train the denoiser METHOD on the scans IN... and write it to MODEL.

    IN holds raw k-space, or images, or is a folder of such files. `diffusion` and `gsure` make a
    prior, which the samplers of `reconstruct` ask at every noise level; the others a denoiser for
    `denoise`. Most methods need no clean data, only the noise level, which is taken from --noise,
    from the files, or from their k-space; for images see --sigma. While training runs,
    MODEL.checkpoint is kept; after a kill, the same command with --resume goes on from there.
    """
    _check(method, domain, stage, out, cache)
    config = config_of(method, config_file, minutes, paper, vst, domain)
    beginning = start_of(start, config)
    sources = files_of(sources)
    goals = targets_of(method, sources, targets)
    others = contrasts_of(sources, contrasts)
    seen = list(dict.fromkeys([*sources, *(path for paths in others for path in paths)]))
    files = list(dict.fromkeys([*sources, *goals, *seen]))
    check_distinct(out, *files, noise_file, config_file, start)
    contents = _read(files, sources, goals, sigma)
    note_bias([] if config.vst else sources, contents)
    noises = {p: noise_file if p in sources else None for p in seen}  # contrasts have others
    contents |= _with_noises(contents, noises, readout, sigma, method == "diffusion")
    used = [path for path in (*files, noise_file, config_file, start) if path is not None]
    checkpoint, done = _checkpoint(out, resume)
    note(budget(config, device, done))
    with (
        resumable(out, checkpoint),
        torchrun(device) as processes,
        counter(len(sources), "images", "scan") as made,
    ):
        denoiser = train_denoiser(
            method,
            [contents[p] for p in sources],
            stage,  # type: ignore[arg-type]
            config,
            seed,
            targets=[contents[p] for p in goals] or None,
            contrasts=[[contents[p] for p in paths] for paths in others] if contrasts else None,
            start=beginning,
            device=device,
            checkpoint=checkpoint,
            resume=resume,
            calibration=calibration,
            regularisation=penalty,
            cache=cache,
            made=lambda count, _total: made.update(count - made.n),
            report=training_progress(f"{method} {stage}", done) if processes.first else None,
            reports=of_network if processes.first else None,
        )
    if not processes.first:
        return
    denoiser.record["provenance"] = provenance.record(
        command_line(), used, seed=seed, method=method, stage=stage, sigma_given=sigma,
        targets=[str(path) for path in goals],
        contrasts=[[str(path) for path in paths] for paths in others],
        calibration=calibration, penalty=penalty,
    )  # fmt: skip
    _write(denoiser, out, checkpoint, start is None)


def _write(denoiser: Denoiser, out: Path, checkpoint: Path, anew: bool) -> None:
    """Write the denoiser, remove its checkpoint, and tell how training went."""
    denoiser.save(out)
    for kept in kept_of(checkpoint):
        kept.unlink()
    if anew and not hasattr(denoiser.objective, "at"):  # whose losses cannot be compared
        note_nothing_learnt(denoiser.record["losses"], denoiser.config)
    click.echo(f"{out}: {_outcome(denoiser)}")


def _read(
    files: list[Path], sources: tuple[Path, ...], goals: list[Path], sigma: Sigma
) -> dict[Path, Scan | Images]:
    """Read all files, and tell of what does not look right about them."""
    contents = {path: formats.read(path) for path in files}
    warn_of_other_contrasts(contents, sources, goals)
    check_sigma_use(sigma, contents)
    return contents


def _outcome(denoiser: Denoiser) -> str:
    record = denoiser.record
    waited = ""
    if record["waited"] > max(WAITED, WORTH_TELLING * record["seconds"]):
        waited = f", {record['waited']:.0f} s of it waiting for images"
    return (
        f"{record['steps']} steps in {record['seconds']:.0f} s{waited}, "
        f"loss {record['losses'][-1][1]:.3f}"
    )


def _check(method: str, domain: str | None, stage: str, out: Path, cache: Path | None) -> None:
    """Refuse what there is not, or not yet, and places where nothing can be written.

    Raises:
        ValueError, click.UsageError: naming what there is.
        FileNotFoundError: if a folder is missing.
    """
    check_method(method)
    if domain not in (None, *DOMAINS):
        raise click.UsageError(f"--domain {domain}: expected one of {', '.join(DOMAINS)}")
    if stage not in STAGES:
        raise click.UsageError(f"--stage {stage}: expected {' or '.join(STAGES)}")
    check_place(out)
    if cache is not None:
        check_folder_place(cache)


def _checkpoint(out: Path, resume: bool) -> tuple[Path, int]:
    """Return where the checkpoint of a denoiser is kept in training, and the steps already done.

    Raises:
        FileNotFoundError: if there is none to resume from.
    """
    checkpoint = out.with_name(out.name + ".checkpoint")
    if resume and not kept_of(checkpoint):
        raise nothing_to_resume(out)
    return checkpoint, _steps_done(checkpoint) if resume and checkpoint.exists() else 0


def _with_noises(
    contents: Mapping[Path, Scan | Images],
    noises: Mapping[Path, Path | None],
    readout: int | None,
    sigma: Sigma,
    clean: bool,
) -> dict[Path, Scan | Images]:
    """Return the files that have a noise scan, or None, with their noise."""
    return {
        path: _with_noise(contents[path], path, noise, readout, sigma, clean)
        for path, noise in noises.items()
    }


def _with_noise(
    source: Scan | Images,
    path: Path,
    noise_file: Path | None,
    readout: int | None,
    sigma: Sigma,
    clean: bool,
) -> Scan | Images:
    """Settle the noise of a scan before any long work starts; `clean` ones need none."""
    if isinstance(source, Images):
        if clean and sigma is None:
            return with_noise_or_next_to_none(source)
        return with_sigma(source, path, sigma)[0]
    check_cartesian(source, "training")
    source = with_readout(source, readout)
    note_unsampled_data(source)
    if clean and noise_file is None:
        return with_noise_or_next_to_none(source)
    try:
        known = load_noise(source, noise_file)
    except recon.NoiseNotFound as error:
        raise ValueError(f"{path}: {error}") from error
    note_coloured(known, path)
    return with_noise(source, known)


def _steps_done(checkpoint: Path) -> int:
    return int(read_tensors(checkpoint)[1].get("progress", {}).get("step", 0))
