"""What relaxation does to the signal when the field changes: f = S(low field) / S(high field)."""

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np

from kspace_denoise.arrays import Array, like, to_numpy
from kspace_denoise.sim.sequences import Sequence
from kspace_denoise.sim.tissues import Tissue, check_field, tissue_named

Reals: TypeAlias = np.ndarray[Any, Any]

_ROUNDING = 0.01  # of fractions that were stored in 8 bits or as percent

NULL = 0.02
"""Where inversion and decay leave less than this share of the signal at the source field, the ratio
f rests on the last digits of T1 and T2. Saturation is no such loss: f is then as certain as T1."""


def relaxation_factor(
    sequence: Sequence,
    tissue: str | Tissue,
    field: float,
    source_field: float,
    target_sequence: Sequence | None = None,
) -> float:
    """Return f, the tissue's signal at `field` over that at `source_field`, magnetisation apart.

    It is negative where an inverted tissue changes sign. `target_sequence` is the timing at the
    low field, by default that of the source; a gradient echo decays with T2*, the others with T2.

    Raises:
        TypeError: if a field is no number.
        ValueError: if the tissue's T1 or T2 is not known at a field, if the two sequences are of
            different kinds, or if inversion and decay leave next to nothing of the tissue's signal
            at the source field.
    """
    check_field("field", field)
    check_field("source_field", source_field)
    target = check_target(sequence, target_sequence)
    known = tissue_named(tissue)
    source = signal(sequence, known, source_field)
    saturated = signal(sequence.saturated(), known, source_field)
    if abs(source) <= NULL * saturated:
        share = abs(source) / saturated if saturated else 0.0
        raise ValueError(
            f"tissue {known.name!r} keeps {share:.2%} of its signal through inversion and decay at "
            f"the source field of {source_field:g} T ({sequence}), which is less than {NULL:.0%}: "
            "it is nulled or has decayed, and no factor brings a signal back that was "
            "not measured; choose another tissue or give relaxation_factor (times are in seconds)"
        )
    return signal(target, known, field) / source


def signal(sequence: Sequence, tissue: Tissue, field: float) -> float:
    """Return the signal of a tissue at a field, per proton density."""
    decay = tissue.t2_star_at(field) if sequence.decay == "T2*" else tissue.t2_at(field)
    return float(sequence.signal(1.0, tissue.t1_at(field), decay))


def relaxation_map(
    tissues: Array | Mapping[str, Array],
    sequence: Sequence,
    field: float,
    source_field: float,
    target_sequence: Sequence | None = None,
    *,
    names: Mapping[Any, str | Tissue] | None = None,
    undefined: float | None = None,
) -> Array:
    """Return f voxel by voxel, float32 `(..., y, x)`, for the tissue-map mode of `low_field`.

    Args:
        tissues: what each voxel `(..., y, x)` holds: names of tissues as strings, integer labels
            with `names`, or a mapping {name: fraction of the voxel}, as segmentation or
            `phantom` give it. A voxel of fractions has the factor of its summed signals.
        sequence: timing at the source field.
        field: to simulate, in tesla.
        source_field: of the acquisition, in tesla.
        target_sequence: timing at `field`, by default `sequence`.
        names: {label: name or tissue}, also to give named tissues times of your own; numbers
            that are not in it, and empty names, are air and get the factor 1.
        undefined: the factor of voxels of whose signal next to nothing is left at the source field
            (bone, CSF in FLAIR, tissues that cancel); None refuses them.

    Raises:
        TypeError: as `relaxation_factor`.
        ValueError: as `relaxation_factor`, or if a label is no tissue, fractions do not fit, or
            those of a voxel add up to more than 1.
    """
    check_field("field", field)
    check_field("source_field", source_field)
    target = check_target(sequence, target_sequence)
    parts, reference = (
        (_fractions(tissues, names), next(iter(tissues.values())))
        if isinstance(tissues, Mapping)
        else (_labels(tissues, names), tissues)
    )
    high, low, saturated, protons = np.zeros((4, *parts[0][1].shape))
    for tissue, fraction in parts:
        weight = fraction * tissue.proton_density
        high += weight * signal(sequence, tissue, source_field)
        low += weight * signal(target, tissue, field)
        saturated += weight * signal(sequence.saturated(), tissue, source_field)
        protons += weight
    silent = (protons > 0) & (np.abs(high) <= NULL * saturated)
    if undefined is None and silent.any():
        raise ValueError(
            f"{silent.sum()} of {silent.size} voxels keep less than {NULL:.0%} of their signal at "
            f"{source_field:g} T (nulled, or decayed like bone): no factor brings back "
            "what was not measured; pass undefined=1.0 to scale them like air"
        )
    usable = (protons > 0) & ~silent
    factor = np.divide(low, high, out=np.ones_like(low), where=usable)
    if undefined is not None:
        factor[silent] = undefined
    return like(factor.astype(np.float32), reference)


def check_target(sequence: Sequence, target: Sequence | None) -> Sequence:
    """Return the timing at the low field; refuse one of another kind of sequence."""
    if target is None:
        return sequence
    if type(target) is not type(sequence):
        raise ValueError(
            f"target_sequence is a {type(target).__name__} and sequence a "
            f"{type(sequence).__name__}: only the timing can differ between the fields"
        )
    return target


def _fractions(
    tissues: Mapping[str, Array], names: Mapping[Any, str | Tissue] | None
) -> list[tuple[Tissue, Reals]]:
    """Check maps of fractions; return them with their tissues."""
    if not tissues:
        raise ValueError("tissues is empty, expected fractions: {name: fraction of each voxel}")
    parts = []
    for name, values in tissues.items():
        fraction = to_numpy(values).astype(np.float64)
        if not (np.isfinite(fraction).all() and (fraction >= 0).all()):
            raise ValueError(f"the fractions of {name!r} hold negative, NaN or infinite values")
        parts.append((tissue_named((names or {}).get(name, name)), fraction))
    if len({fraction.shape for _, fraction in parts}) > 1:
        shapes = {name: np.shape(values) for name, values in tissues.items()}
        raise ValueError(f"the fractions have the shapes {shapes}, expected one shape for all")
    fullest = max(np.sum([fraction for _, fraction in parts], axis=0).ravel(), default=0.0)
    if fullest > 1 + _ROUNDING:
        raise ValueError(
            f"the fractions of a voxel add up to {fullest:.3g}, expected 1 or less: shares of its "
            "volume, of which the rest is air"
        )
    return parts


def _labels(tissues: Array, names: Mapping[Any, str | Tissue] | None) -> list[tuple[Tissue, Reals]]:
    """Return the tissues of a map of names or of integer labels, and where each one is."""
    labels = to_numpy(tissues)
    named = labels.dtype.kind == "U"
    if names is None and not named:
        raise ValueError(
            f"tissues has dtype {labels.dtype}: labels that are numbers need "
            "names={label: tissue}"
        )
    parts = []
    for label in np.unique(labels).tolist():
        tissue = (names or {}).get(label, label if named else "")
        if tissue != "":
            parts.append((tissue_named(tissue), (labels == label).astype(np.float64)))
    return parts or [(tissue_named("csf"), np.zeros(labels.shape))]
