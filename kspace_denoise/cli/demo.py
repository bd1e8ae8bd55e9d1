"""`kspace-denoise demo`: the whole chain, with a report."""

from pathlib import Path

import click

from kspace_denoise import provenance
from kspace_denoise.cli.common import (
    PATH,
    command,
    command_line,
    device_option,
    load_noise,
    noise_option,
    note,
    read_scan,
    seed_option,
)
from kspace_denoise.cli.demo_volumes import of_volumes
from kspace_denoise.cli.training_progress import training_progress
from kspace_denoise.demo.experiment import Settings
from kspace_denoise.demo.raw_experiment import choose_reference
from kspace_denoise.demo.run import run_demo
from kspace_denoise.stages import check_cartesian


@command(
    """\
kspace-denoise demo --data brain.h5 --out brain
kspace-denoise demo --dwi dwi.nii.gz --out dwi"""
)
@click.option("--data", type=PATH, metavar="FILE", help="A raw file to run on after the phantoms.")
@click.option(
    "--reference",
    type=PATH,
    metavar="FILE",
    help="Another repetition of the same scan; each is scored against the other.",
)
@click.option(
    "--out", type=PATH, default=Path("demo"), show_default=True, help="Folder of the results."
)
@click.option(
    "--minutes",
    type=click.FloatRange(min=0, min_open=True),
    default=2.5,
    show_default=True,
    help="Training time on phantoms; a raw file takes 0.4 of it more for each stage.",
)
@noise_option()
@seed_option()
@device_option()
@of_volumes()
def demo(
    data: Path | None,
    reference: Path | None,
    out: Path,
    minutes: float,
    noise_file: Path | None,
    seed: int,
    device: str,
) -> None:
    """Run the whole chain and write a report with pictures.

    Phantoms are scanned with eight coils at low field, Corruption2Self is trained on the noisy
    scans alone, and slices that it has not seen are denoised before and after SENSE. With --data
    the same is then done on a raw file: training continues on the file itself. With --dwi it is a
    diffusion scan that is denoised, by DDM2 and others, and its tensors are fitted.
    """
    if reference is not None and data is None:
        raise click.UsageError("--reference needs --data FILE, the scan that it repeats")
    scan = None if data is None else read_scan(data)
    if scan is not None:
        check_cartesian(scan, "the demo")
    noise = None if scan is None else load_noise(scan, noise_file)
    source = None
    if scan is not None and noise is not None:
        repetition = None if reference is None else read_scan(reference)
        other = None if repetition is None else load_noise(repetition, noise_file)
        source = choose_reference(scan, noise, repetition, seed, other)
    out.mkdir(parents=True, exist_ok=True)
    record = provenance.record(
        command_line(),
        [path for path in (data, reference, noise_file) if path is not None],
        seed=seed,
        sigma=None if noise is None else noise.sigma,
        sigma_unit="of the k-space, per real component, median coil",
        minutes=minutes,
        noise=None if noise is None else noise.source,
    )
    settings = Settings(
        seed=seed, minutes=minutes, device=device, tell=note, watch=training_progress
    )
    experiments = run_demo(out, settings, record, source)
    rows = experiments[-1].rows()
    for row in rows:
        click.echo(_line(row))
    if rows[0]["data_range"] is not None:
        click.echo(
            f"PSNR: complex images in the object mask, data range {rows[0]['data_range']:.1f} "
            "(SNR units); SSIM: magnitudes, full image, same range"
        )
    click.echo(f"reference: {rows[0]['reference']}")
    click.echo(f"report: {out / 'report.html'}")


def _line(row: dict[str, object]) -> str:
    """Return one row of the table."""
    numbers = [
        f"{row[name]:8.3f}{unit}" if row[name] is not None else " " * 8
        for name, unit in (("psnr_db", " dB"), ("ssim", " SSIM"), ("unbiased_error", " σ²"))
    ]
    return (
        f"{row['method']!s:6} {row['stage'] or ''!s:13}"
        + "".join(numbers)
        + f"  {row['note'] or row['trained_on'] or ''}"
    )
