"""Every slice of a scan read once: where its signal is, and what looks wrong."""

from typing import Any, NamedTuple

import numpy as np

from kspace_denoise.cli.common import progress
from kspace_denoise.scan import LazySlices, Numpy, Scan

_OFF_CENTRE = 2  # samples: a peak next to the centre is nothing unusual


class Survey(NamedTuple):
    """What is seen of the k-space of a scan, slice by slice."""

    power: Numpy
    """Squared magnitude, summed over coils and slices, `(ky, kx)`."""
    peak: tuple[int, int]
    blank: list[int]
    broken: list[int]
    """Slices that hold NaN or infinity."""
    unsampled_data: int
    """Positions that are not zero where the mask says that they were not sampled."""


def survey(scan: Scan) -> Survey:
    """Read every slice."""
    highest, peak = 0.0, (0, 0)
    power = np.zeros(scan.kspace.shape[2:])
    blank, broken, unsampled = [], [], 0
    for index in progress(range(len(scan.kspace)), "read"):
        kspace = _slice(scan, index)
        if not np.isfinite(kspace).all():
            broken.append(index)
            continue
        strength = np.sum(np.abs(kspace).astype(np.float64) ** 2, axis=0)
        power += strength
        mask = scan.slice_mask(index)
        if mask is not None:
            unsampled += int(np.count_nonzero(strength[~np.broadcast_to(mask, strength.shape)]))
        if not strength.any():
            blank.append(index)
        if strength.max() > highest:
            highest = float(strength.max())
            row, column = np.unravel_index(strength.argmax(), strength.shape)
            peak = int(row), int(column)
    return Survey(power, peak, blank, broken, unsampled)


def warnings_of(scan: Scan, seen: Survey) -> list[str]:
    """Return a sentence for everything that looks wrong."""
    if scan.trajectory is not None:  # which has no rows, columns or centre to look at
        return [*_bad_slices(seen, len(scan.kspace)), *scan.header.get("notes", [])]
    found = [
        *_bad_slices(seen, len(scan.kspace)),
        *_off_centre(seen),
        *_zero_filled(scan, seen),
        *_mask_contradictions(scan, seen),
        *_header_contradictions(scan),
    ]
    return [*found, *scan.header.get("notes", [])]


def spans(indices: Numpy) -> str:
    """Return `0-29, 225-255` for a list of indices."""
    runs = np.split(indices, np.flatnonzero(np.diff(indices) > 1) + 1)
    return ", ".join(f"{r[0]}-{r[-1]}" if len(r) > 1 else str(r[0]) for r in runs)


def _slice(scan: Scan, index: int) -> Numpy:
    kspace: Any = scan.kspace
    values = kspace.unchecked(index) if isinstance(kspace, LazySlices) else kspace[index]
    return np.asarray(values)


def _bad_slices(seen: Survey, count: int) -> list[str]:
    found = []
    if seen.broken:
        found.append(f"slices {spans(np.array(seen.broken))} hold NaN or infinite values")
    if len(seen.blank) == count:
        found.append("every slice holds zeros only")
    elif seen.blank:
        found.append(f"slices {spans(np.array(seen.blank))} hold zeros only")
    return found


def _off_centre(seen: Survey) -> list[str]:
    centre = tuple(n // 2 for n in seen.power.shape)
    shift = tuple(p - c for p, c in zip(seen.peak, centre, strict=True))
    if not seen.power.any() or max(abs(s) for s in shift) <= _OFF_CENTRE:
        return []
    return [
        f"the echo peaks at (ky, kx) = {seen.peak}, {shift} samples from the centre {centre}: "
        "images get a phase ramp, magnitudes do not change; nothing is moved"
    ]


def _zero_filled(scan: Scan, seen: Survey) -> list[str]:
    if not seen.power.any():
        return []
    found = []
    sampled = _sampled(scan)
    for axis, name in ((0, "columns"), (1, "rows")):
        empty = ~seen.power.any(axis=axis)
        missed = np.flatnonzero(empty & sampled.any(axis=axis))
        if missed.size:
            found.append(
                f"{name} {spans(missed)} ({missed.size} of {empty.size}) hold zeros only: filled "
                "with zeros, without noise"
            )
    return found


def _mask_contradictions(scan: Scan, seen: Survey) -> list[str]:
    found = []
    if seen.unsampled_data:
        found.append(
            f"{seen.unsampled_data} positions hold data where the mask says that they were not "
            "sampled; these data are ignored"
        )
    low = scan.header.get("num_low_frequency")
    if scan.mask is not None and isinstance(low, int):
        columns: Numpy = np.all(_sampled(scan), axis=0, keepdims=True)[0]
        start = columns.size // 2 - low // 2
        if not columns[max(start, 0) : start + low].all():
            found.append(
                f"the header says that the central {low} columns are sampled, and the mask that "
                "they are not"
            )
    return found


def _header_contradictions(scan: Scan) -> list[str]:
    found = []
    header = scan.header.get("ismrmrd", {})
    if "encoded_matrix" in header and scan.readout_axis is not None:
        readout, phase, _ = header["encoded_matrix"]
        ky, kx = scan.kspace.shape[2:]
        matrix = [readout, phase] if scan.readout_axis == -2 else [phase, readout]
        if matrix != [ky, kx]:
            found.append(
                f"the header says that the matrix (ky, kx) is {tuple(matrix)}, but the k-space has "
                f"{(ky, kx)}"
            )
    said, attribute = header.get("field_strength_T"), scan.header.get("field_strength_T")
    if said and isinstance(attribute, (int, float)) and abs(said / attribute - 1) > 0.05:
        found.append(
            f"the header says {said:g} T, but the attribute field_strength_T {attribute:g}"
        )
    return found


def _sampled(scan: Scan) -> Numpy:
    """Return where any slice was sampled, `(ky, kx)`."""
    grid = scan.kspace.shape[2:]
    if scan.mask is None:
        return np.ones(grid, np.bool_)
    mask = scan.mask.any(axis=0) if scan.mask.ndim == 3 else scan.mask
    return np.asarray(np.broadcast_to(mask, grid))
