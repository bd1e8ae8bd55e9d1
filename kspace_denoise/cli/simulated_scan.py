"""The scan that `simulate` writes: how it is sampled, its header, and a line on it."""

import dataclasses
from pathlib import Path
from typing import Any, NamedTuple

from kspace_denoise import sim
from kspace_denoise.cli.chain import low_field_line
from kspace_denoise.cli.degrade import Plan
from kspace_denoise.cli.field_options import FieldRequest
from kspace_denoise.cli.interfere import plan_interference
from kspace_denoise.cli.noncartesian import (
    Resampling,
    TrajectoryRequest,
    correlated_share,
    plan_trajectory,
)
from kspace_denoise.cli.simulated_slices import Steps
from kspace_denoise.cli.timing import TYPES, said_of
from kspace_denoise.cli.undersample import MaskRequest, draw_mask
from kspace_denoise.formats.ismrmrd_writer import changed_header
from kspace_denoise.scan import LazySlices, Numpy, Scan
from kspace_denoise.stages import KnownNoise

# Header entries that describe the noise or the intensities of the source.
_STALE = (
    "max", "norm", "noise", "snr_", "fully_sampled", "sampled_fraction", "acceleration",
    "num_low_frequency", "padding_", "detectors",
)  # fmt: skip


class Sampling(NamedTuple):
    """The mask, or else the trajectory, and what to record of either."""

    mask: Numpy | None
    resampling: Resampling | None
    record: dict[str, Any]


def plan_sampling(
    scan: Scan, masking: MaskRequest, positions: TrajectoryRequest, seed: int
) -> Sampling:
    """Return what is sampled.

    Raises:
        ValueError: if the scan cannot be sampled so.
    """
    if masking.acceleration is not None:
        mask, record = draw_mask(scan, masking, seed)
        return Sampling(mask, None, record)
    if positions.trajectory is not None:
        resampling = plan_trajectory(scan, positions, seed)
        readouts, samples = resampling.trajectory.shape[:2]
        widest = sim.trajectory_acceleration(positions.trajectory, resampling.image_shape, readouts)
        record = {
            "trajectory": positions.trajectory,
            "readouts": readouts,
            "samples": samples,
            "trajectory_acceleration": widest,
        }
        return Sampling(None, resampling, record)
    return Sampling(scan.mask, None, {})


def plan_steps(
    scan: Scan,
    known: KnownNoise,
    plan: Plan,
    sampling: Sampling,
    interference: float | None,
    seed: int,
) -> tuple[Steps, dict[str, Any]]:
    """Return what happens to a slice, and what to record of sampling and interference.

    Raises:
        ValueError: if interference is asked for, and noise or readout axis is not known.
    """
    mask, resampling, record = sampling
    if resampling is not None:
        record |= correlated_share(scan, known, plan.noise, plan.gain)
    if interference is None:
        return Steps(plan, mask, resampling, None), record
    along = resampling is not None or scan.trajectory is not None
    readout = -1 if along else scan.readout_axis
    interfere, said = plan_interference(interference, plan.noise, readout, seed)
    return Steps(plan, mask, resampling, interfere), record | said


def simulated_scan(
    scan: Scan, kspace: LazySlices, steps: Steps, field: float | None, header: dict[str, Any]
) -> Scan:
    """Return the simulated scan; a trajectory leaves the Cartesian grid behind."""
    noise, resampling = steps.plan.noise, steps.resampling
    changes: dict[str, Any] = {
        "kspace": kspace,
        "noise_covariance": noise.covariance if noise.covariance.any() else None,
        "field_strength": field or scan.field_strength,
        "header": header,
    }
    if resampling is None:
        shape: dict[str, Any] = {"noise_profile": noise.profile, "noise_spectrum": noise.spectrum}
        return dataclasses.replace(scan, **changes, **shape, mask=steps.mask)
    return Scan(**changes, trajectory=resampling.trajectory, image_shape=resampling.image_shape)


def simulated_header(
    header: dict[str, Any], field: FieldRequest, sampling: dict[str, Any], record: dict[str, Any]
) -> dict[str, Any]:
    """Return what the source's header says that is still true, with the record."""
    kept = {name: value for name, value in header.items() if not name.startswith(_STALE)}
    sequence = _sequence_at(field, record)
    if "ismrmrd_header" in kept:
        kept["ismrmrd_header"] = changed_header(
            kept["ismrmrd_header"], field.field, sequence, sampling.get("trajectory")
        )
    if sequence:
        kept["ismrmrd"] = {**kept.get("ismrmrd", {}), "sequence": sequence}
    if "achieved_acceleration" in sampling:
        kept["acceleration"] = sampling["achieved_acceleration"]
    if "trajectory" in sampling:
        kept["trajectory_kind"] = sampling["trajectory"]
    return {**kept, "provenance": record}


def _sequence_at(field: FieldRequest, record: dict[str, Any]) -> dict[str, Any]:
    """Return type and timing at the low field, as headers say them; nothing without --sequence."""
    if field.sequence is None:
        return {}
    timing = record["parameters"]["low_field"]["target_sequence"]
    return {"type": TYPES[field.sequence], **said_of(timing)}


def summary(output: Path, scan: Scan, plan: Plan, sampling: dict[str, Any]) -> str:
    """Return a line on what was written, and one on what a low field assumed."""
    slices, coils, *grid = scan.kspace.shape
    parts = [
        f"{slices} slice{'s' * (slices > 1)} of {coils} coil{'s' * (coils > 1)}",
        " x ".join(map(str, grid)),
    ]
    if scan.field_strength is not None:
        parts.append(f"{scan.field_strength:g} T")
    if scan.noise_covariance is not None:
        parts.append(f"sigma {plan.noise.sigma:.4g}")
    if "achieved_acceleration" in sampling:
        parts.append(f"acceleration {sampling['achieved_acceleration']:.3f}")
    if "trajectory_acceleration" in sampling:
        parts.append(f"acceleration {sampling['trajectory_acceleration']:.3f} (widest gap)")
    lines = [f"{output}: {', '.join(parts)}"]
    if "low_field" in plan.record:
        lines.append(f"low field: {low_field_line(plan.record['low_field'])}")
    return "\n".join(lines)
