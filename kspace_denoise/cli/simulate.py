"""`kspace-denoise simulate`: a scan of lower field, more noise or fewer samples, slice by slice."""

from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np

from kspace_denoise import formats, provenance, sim
from kspace_denoise.cli.chain import DECLARED_FREE, is_free_of_noise
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
)
from kspace_denoise.cli.degrade import Plan, plan_nothing, plan_sigma, plan_snr
from kspace_denoise.cli.field_options import FieldRequest, field_options, plan_field
from kspace_denoise.cli.folders import of_folders
from kspace_denoise.cli.interfere import interference_option
from kspace_denoise.cli.noncartesian import (
    TrajectoryRequest,
    check_trajectory,
    trajectory_options,
)
from kspace_denoise.cli.options import group, take
from kspace_denoise.cli.phantom_source import (
    PhantomRequest,
    check_no_phantom,
    is_phantom,
    phantom_options,
    scan_phantom,
)
from kspace_denoise.cli.readout import readout_option, with_readout
from kspace_denoise.cli.replay import plan_replay, replay_option
from kspace_denoise.cli.simulated_scan import (
    plan_sampling,
    plan_steps,
    simulated_header,
    simulated_scan,
    summary,
)
from kspace_denoise.cli.simulated_slices import simulated_slices
from kspace_denoise.cli.undersample import MaskRequest, check_mask, mask_options
from kspace_denoise.recon import NoiseNotFound
from kspace_denoise.scan import Scan
from kspace_denoise.stages import KnownNoise

_UNIT = "of the k-space, per real component, median coil"
_EXAMPLES = """\
kspace-denoise simulate brain.h5 low.h5 --field 0.3 --sequence spin-echo --tr 5000 --te 90
kspace-denoise simulate brain.h5 fast.h5 --acceleration 4 --mask equispaced --calibration 24
kspace-denoise simulate phantom head.h5 --field 0.3 --coils 8 --contrast T2w --seed 0"""

_noise = group("Noise")


class Request(NamedTuple):
    """The options of the command that no group of its own has."""

    sigma: float | None
    snr: float | None
    noise_free: bool
    replay: Path | None
    interference: float | None
    seed: int
    device: str


@command(_EXAMPLES, {"Masks, --mask KIND": sim.MASKS})
@click.argument("source", metavar="IN", type=PATH)
@click.argument("output", metavar="OUT", type=PATH)
@field_options()
@_noise(
    "--sigma",
    type=float,
    metavar="S",
    help="Add noise of this standard deviation per real component, in the unit of the data, the "
    "coils independent.",
)
@_noise(
    "--snr",
    type=float,
    metavar="S",
    help="Add noise until the mean SENSE magnitude over the object is S times its median sigma "
    "there (fully sampled).",
)
@_noise("--noise-free", is_flag=True, help="IN holds no noise of its own.")
@replay_option()
@interference_option()
@mask_options()
@trajectory_options()
@phantom_options()
@noise_option()
@readout_option()
@seed_option()
@device_option()
@of_folders(own_seeds=True)
def simulate(
    source: Path, output: Path, noise_file: Path | None, readout: int | None, **options: Any
) -> None:
    """Make the scan IN noisier, or sample less of it, and write it to OUT.

    Of a folder IN every file, to a folder OUT, each with a seed of its own. Choose one of --field,
    --sigma and --snr, or none; then --acceleration or --trajectory, or neither. The noise that IN
    already holds is taken into account. It must be known: from --noise, from the file, or
    measurable in its k-space.

    --field scales signal and noise as a scanner of that field would have recorded them. Without
    --sequence T1 and T2 stay those of the source; with it the signal follows the relaxation of one
    tissue, from the published dispersion of T1 and T2. TR, TE, TI and flip angle are read from the
    file where it has them. What cannot be, such as less noise than IN holds, is refused.

    With `phantom` as IN heads are drawn that were never scanned, one for each slice. What was done
    is recorded in OUT, as `provenance`.
    """
    field, masking = take(FieldRequest, options), take(MaskRequest, options)
    positions, phantom = take(TrajectoryRequest, options), take(PhantomRequest, options)
    request = Request(**options)
    drawn = is_phantom(source)
    _check(request, field, masking, positions, noise_file, drawn)
    files = (None if drawn else source, noise_file, request.replay)
    inputs = [path for path in files if path is not None]
    check_paths(output, *inputs, kspace=True)
    if drawn:
        scan, start = scan_phantom(phantom, field.source_field, request.noise_free, request.seed)
    else:
        check_no_phantom(phantom)
        scan, start = read_scan(source), {}
    scan = with_readout(scan, readout)
    known = _source_noise(scan, noise_file, request, field)
    plan = _plan(scan, known, request, field)
    sampling = plan_sampling(scan, masking, positions, request.seed)
    steps, done = plan_steps(scan, known, plan, sampling, request.interference, request.seed)
    record = provenance.record(
        command_line(),
        inputs,
        seed=request.seed,
        sigma=plan.noise.sigma if plan.noise.covariance.any() else None,
        sigma_unit=_UNIT,
        **start,
        **plan.record,
        **done,
        source_noise=known.source,
        source_provenance=scan.header.get("provenance"),
    )
    kspace, extra = simulated_slices(scan, steps, request.seed, request.device)
    header = simulated_header(scan.header, field, done, record)
    result = simulated_scan(scan, kspace, steps, field.field, header)
    with formats.through_hdf5(output) as target:
        formats.write_hdf5(target, result, extra, progress=lambda i: progress(i, "simulate"))
    click.echo(summary(output, result, plan, done))


def _check(
    request: Request,
    field: FieldRequest,
    masking: MaskRequest,
    positions: TrajectoryRequest,
    noise_file: Path | None,
    drawn: bool,
) -> None:
    levels = (field.field, request.sigma, request.snr)
    given = [level for level in levels if level is not None]
    if len(given) > 1:
        raise click.UsageError("choose one of --field, --sigma and --snr")
    if masking.acceleration is not None and positions.trajectory is not None:
        raise click.UsageError(
            "choose one of --acceleration and --trajectory; fewer --readouts undersample the latter"
        )
    check_mask(masking)
    check_trajectory(positions)
    other = (masking.acceleration, positions.trajectory, request.interference)
    if not (given or drawn or any(option is not None for option in other)):
        raise click.UsageError(
            "nothing to simulate: give --field, --sigma, --snr, --interference, --acceleration or "
            "--trajectory"
        )
    if given and not 0 < given[0] < np.inf:
        raise click.UsageError(
            f"{given[0]} is not a field, sigma or SNR: expected a positive number"
        )
    if field.source_field is not None and field.field is None and not drawn:
        raise click.UsageError("--source-field needs --field")
    field.check()
    if request.replay is not None and request.sigma is None:
        raise click.UsageError("--replay needs --sigma S")
    if request.replay is not None and positions.trajectory is not None:
        raise click.UsageError("--replay needs a Cartesian readout, and --trajectory has none")
    if request.noise_free and noise_file is not None:
        raise click.UsageError("--noise and --noise-free contradict each other")
    if drawn and noise_file is not None:
        raise click.UsageError("--noise belongs to a file: a phantom has noise of its own")


def _source_noise(
    scan: Scan, noise_file: Path | None, request: Request, field: FieldRequest
) -> KnownNoise:
    """Return the noise of the source; zero where it has none, or none is needed and known."""
    coils = scan.kspace.shape[1]
    nothing = np.zeros((coils, coils), np.complex128)
    if request.noise_free or (noise_file is None and is_free_of_noise(scan.header)):
        return KnownNoise(nothing, source=DECLARED_FREE)
    try:
        return load_noise(scan, noise_file)
    except NoiseNotFound as error:
        if (field.field, request.sigma, request.snr) == (None, None, None):
            return KnownNoise(nothing, scan.noise_profile, scan.noise_spectrum, "not known")
        raise ValueError(f"{error}, or say --noise-free if IN holds none") from None


def _plan(scan: Scan, known: KnownNoise, request: Request, field: FieldRequest) -> Plan:
    if field.field is not None:
        return plan_field(known, field, scan)
    if request.sigma is not None and request.replay is not None:
        return plan_replay(scan, known, request.sigma, request.replay)
    if request.sigma is not None:
        return plan_sigma(known, request.sigma)
    if request.snr is not None:
        return plan_snr(scan, known, request.snr)
    return plan_nothing(known)
