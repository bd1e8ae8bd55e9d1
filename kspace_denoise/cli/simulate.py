"""`kspace-denoise simulate`: a noisier scan from a better one, slice by slice."""

import dataclasses
import functools
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np

from kspace_denoise import formats, provenance, sim
from kspace_denoise.arrays import to_numpy
from kspace_denoise.cli.common import (
    PATH,
    check_paths,
    command,
    command_line,
    device_option,
    load_noise,
    noise_option,
    progress,
    read_scan,
    seed_option,
    to_device,
)
from kspace_denoise.cli.degrade import (
    Degrade,
    Plan,
    plan_field,
    plan_nothing,
    plan_sigma,
    plan_snr,
)
from kspace_denoise.recon import NoiseNotFound
from kspace_denoise.scan import LazySlices, Numpy, Scan
from kspace_denoise.stages import KnownNoise

# Header entries that describe the noise or the intensities of the source.
_STALE = ("max", "norm", "noise", "snr_", "fully_sampled", "sampled_fraction")
_UNIT = "of the k-space, per real component, median coil"


class Request(NamedTuple):
    """The options of the command."""

    field: float | None
    sigma: float | None
    snr: float | None
    source_field: float | None
    noise_free: bool
    acceleration: float | None
    mask_kind: str | None
    calibration: int
    seed: int
    device: str


@command("kspace-denoise simulate brain.h5 low.h5 --field 0.3 --source-field 3 --seed 0")
@click.argument("source", metavar="IN", type=PATH)
@click.argument("output", metavar="OUT", type=PATH)
@click.option("--field", type=float, metavar="T", help="Simulate a scanner of this field, tesla.")
@click.option(
    "--sigma",
    type=float,
    metavar="S",
    help="Add noise of this standard deviation per real component, in the unit of the data, the "
    "coils independent.",
)
@click.option(
    "--snr",
    type=float,
    metavar="S",
    help="Add noise until the mean SENSE magnitude over the object is S sigma (fully sampled).",
)
@click.option(
    "--source-field", type=float, metavar="T", help="Field of IN, where the file does not say."
)
@click.option("--noise-free", is_flag=True, help="IN holds no noise of its own (a phantom).")
@click.option("--acceleration", type=float, metavar="R", help="Undersample by this factor.")
@click.option(
    "--mask", "mask_kind", metavar="KIND", help="random (the default) or equispaced lines."
)
@click.option(
    "--calibration",
    type=int,
    default=24,
    show_default=True,
    help="Central lines that stay fully sampled.",
)
@noise_option()
@seed_option()
@device_option()
def simulate(source: Path, output: Path, noise_file: Path | None, **options: Any) -> None:
    """Make the scan IN noisier and write it to OUT.

    Choose one of --field, --sigma and --snr, or only undersample with --acceleration. The noise
    that IN already holds is taken into account. It must be known: from --noise, from the file, or
    measurable in its k-space.
    """
    request = Request(**options)
    _check(request, noise_file)
    check_paths(output, source, noise_file)
    scan = read_scan(source)
    known = _source_noise(scan, noise_file, request)
    plan = _plan(scan, known, request)
    mask = scan.mask if request.acceleration is None else _draw_mask(scan, request)
    read = functools.partial(_slice, scan, plan.degrade, mask, request)
    record = provenance.record(
        command_line(),
        [path for path in (source, noise_file) if path is not None],
        seed=request.seed,
        sigma=plan.noise.sigma if plan.noise.covariance.any() else None,
        sigma_unit=_UNIT,
        **plan.record,
        **_mask_record(request),
        source_noise=known.source,
        source_provenance=scan.header.get("provenance"),
    )
    result = dataclasses.replace(
        scan,
        noise_covariance=plan.noise.covariance if plan.noise.covariance.any() else None,
        noise_profile=plan.noise.profile,
        noise_spectrum=plan.noise.spectrum,
        kspace=LazySlices(scan.kspace.shape, scan.kspace.dtype, read),
        mask=mask,
        field_strength=request.field or scan.field_strength,
        header=_header(scan.header, record),
    )
    formats.write_hdf5(output, result, progress=lambda i: progress(i, "simulate"))


def _check(request: Request, noise_file: Path | None) -> None:
    levels = (request.field, request.sigma, request.snr)
    given = [level for level in levels if level is not None]
    if len(given) > 1:
        raise click.UsageError("choose one of --field, --sigma and --snr")
    if not given and request.acceleration is None:
        raise click.UsageError(
            "nothing to simulate: give --field, --sigma, --snr or --acceleration"
        )
    if given and not 0 < given[0] < np.inf:
        raise click.UsageError(
            f"{given[0]} is not a field, sigma or SNR: expected a positive number"
        )
    if request.mask_kind is not None and request.acceleration is None:
        raise click.UsageError("--mask needs --acceleration R")
    if request.source_field is not None and request.field is None:
        raise click.UsageError("--source-field needs --field")
    if request.noise_free and noise_file is not None:
        raise click.UsageError("--noise and --noise-free contradict each other")


def _source_noise(scan: Scan, noise_file: Path | None, request: Request) -> KnownNoise:
    """Return the noise of the source; zero where it has none, or none is needed and known."""
    coils = scan.kspace.shape[1]
    nothing = np.zeros((coils, coils), np.complex128)
    if request.noise_free:
        return KnownNoise(nothing, source="declared free of noise")
    try:
        return load_noise(scan, noise_file)
    except NoiseNotFound:
        if (request.field, request.sigma, request.snr) == (None, None, None):
            return KnownNoise(nothing, scan.noise_profile, scan.noise_spectrum, "not known")
        raise


def _plan(scan: Scan, known: KnownNoise, request: Request) -> Plan:
    if request.field is not None:
        return plan_field(known, request.field, request.source_field or scan.field_strength)
    if request.sigma is not None:
        return plan_sigma(known, request.sigma)
    if request.snr is not None:
        return plan_snr(scan, known, request.snr)
    return plan_nothing(known)


def _draw_mask(scan: Scan, request: Request) -> Numpy:
    """Return lines along the phase encoding: `(kx,)`, or `(ky, 1)` where ky is the phase axis."""
    if scan.mask is not None and not scan.mask.all():
        raise ValueError("the scan is undersampled already; --acceleration needs a full one")
    assert request.acceleration is not None
    axis = -2 if scan.readout_axis == -1 else -1
    mask = sim.mask(
        request.mask_kind or "random",
        scan.kspace.shape[-2:],
        request.acceleration,
        request.calibration,
        request.seed,
        axis=axis,
    )
    return mask[0] if axis == -1 else mask[:, :1]


def _mask_record(request: Request) -> dict[str, Any]:
    if request.acceleration is None:
        return {}
    return {
        "acceleration": request.acceleration,
        "mask": request.mask_kind or "random",
        "calibration": request.calibration,
    }


def _slice(scan: Scan, degrade: Degrade, mask: Numpy | None, request: Request, index: int) -> Numpy:
    """Return one noisier slice; samples that the source never acquired stay zero."""
    kspace = scan.kspace[index]
    acquired = (kspace != 0).any(axis=0)
    if mask is not None:
        acquired &= mask[index if len(mask) > 1 else 0] if mask.ndim == 3 else mask
    generator = np.random.default_rng([request.seed, index])
    noisy = degrade(
        to_device(kspace, request.device), generator, to_device(acquired, request.device)
    )
    return np.where(acquired, to_numpy(noisy), 0).astype(kspace.dtype, copy=False)


def _header(header: dict[str, Any], record: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in header.items() if not name.startswith(_STALE)}
    return {**kept, "provenance": record}
