"""`kspace-denoise demo --dwi`: a diffusion scan from the file to a report."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from kspace_denoise import formats, provenance
from kspace_denoise.cli.common import PATH, Decorator, command_line, note
from kspace_denoise.cli.dwi_options import DwiFiles, dwi_options, read_dwi
from kspace_denoise.cli.options import together
from kspace_denoise.cli.training_progress import training_progress
from kspace_denoise.dmri.experiment import DwiExperiment, run_experiment
from kspace_denoise.report.diffusion import write_dwi_report
from kspace_denoise.training.config import TrainConfig


def of_volumes() -> Decorator:
    """Let `demo` run on a diffusion scan instead of phantoms."""

    def decorate(run: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(run)
        def either(
            dwi: Path | None,
            bval: Path | None,
            bvec: Path | None,
            phase: Path | None,
            **options: Any,
        ) -> None:
            files = DwiFiles(bval, bvec, phase)
            if dwi is not None:
                _demo(dwi, files, options)
                return
            if files.given():
                raise click.UsageError("--bval, --bvec and --phase need --dwi FILE")
            run(**options)

        option = click.option(
            "--dwi",
            type=PATH,
            metavar="FILE",
            help="Run on this diffusion scan instead: MPPCA, Patch2Self and DDM2, and their FA.",
        )
        return together(option, dwi_options())(either)

    return decorate


def _demo(dwi: Path, files: DwiFiles, options: dict[str, Any]) -> None:
    """Run on a diffusion scan, write all to a folder and print the scores."""
    for name, option in (
        ("data", "--data"),
        ("reference", "--reference"),
        ("noise_file", "--noise"),
    ):
        if options[name] is not None:
            raise click.UsageError(f"{option} has no meaning with --dwi: leave it out")
    images = read_dwi(dwi, files)
    out, seed = options["out"], options["seed"]
    out.mkdir(parents=True, exist_ok=True)
    record = provenance.record(
        command_line(), [dwi, *files.read(dwi)], seed=seed, minutes=options["minutes"]
    )
    experiment = run_experiment(
        images,
        TrainConfig(minutes=options["minutes"]),
        seed,
        device=options["device"],
        reports=training_progress,
        tell=note,
    )
    note("writing the report")
    experiment.denoiser.record["provenance"] = record
    experiment.denoiser.save(out / "ddm2.safetensors")
    for one in experiment.outcomes[1:]:
        formats.write(out / f"{one.method.replace(', ', '-').replace(' ', '-')}.nii.gz", one.images)
    write_dwi_report(out, experiment, record)
    _tell(experiment)
    click.echo(f"report: {out / 'report.html'}")


def _tell(experiment: DwiExperiment) -> None:
    for row in experiment.rows:
        repeats = "" if row["snr_b0"] is None else f", {row['snr_b0']:6.1f} at b = 0"
        smooth = row["structure_smooth"]
        taken = "" if smooth is None else f", structure taken {smooth:.2f}"
        snr = "not known" if row["snr"] is None else f"{row['snr']:6.1f}"
        click.echo(f"{row['method']:13} SNR {snr}{repeats}{taken}")
    click.echo(
        "SNR: of the callosum, over what the tensor fit leaves, and over the repeats of b = 0; "
        "structure: 1 for white noise, more for anatomy, less for fine noise"
    )
