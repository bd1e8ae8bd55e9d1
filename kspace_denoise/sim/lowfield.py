"""Low-field raw data from high-field raw data: less signal, and noise to match."""

import math
from typing import Any, NamedTuple

import numpy as np

from kspace_denoise.arrays import Array, namespace
from kspace_denoise.random import Seed, draw_key
from kspace_denoise.sim.lowfield_limits import check_fields, highest_interval
from kspace_denoise.sim.lowfield_map import scale_by_map
from kspace_denoise.sim.lowfield_relaxation import Relaxation
from kspace_denoise.sim.noise import add_noise, covariance_root
from kspace_denoise.sim.noise_law import (
    CROSSOVER_FIELD,
    NoiseLaw,
    covariance_sum,
    largest_mode,
    missing_covariance,
)
from kspace_denoise.sim.sequences import Sequence
from kspace_denoise.sim.tissues import Tissue

_STREAM = 0x10F1E1D


class LowField(NamedTuple):
    """K-space as a scanner of lower field would have recorded it."""

    kspace: Array
    """Complex `(..., coils, ky, kx)`, in the unit of the source."""
    noise_covariance: Array
    """Ψ of all the noise that `kspace` now holds, the source's own included: `(coils, coils)`."""
    record: dict[str, Any]
    """What was assumed, ready for JSON."""


def low_field(
    kspace: Array,
    noise_covariance: Array,
    field: float,
    source_field: float,
    seed: Seed,
    mask: Array | None = None,
    *,
    noise_profile: Array | None = None,
    noise_spectrum: Array | None = None,
    sequence: Sequence | None = None,
    target_sequence: Sequence | None = None,
    tissue: str | Tissue = "white",
    relaxation_factor: float | Array | None = None,
    noise_law: str = "body",
    crossover_field: float = CROSSOVER_FIELD,
    bandwidth_ratio: float = 1.0,
    averages: float = 1.0,
) -> LowField:
    """Simulate an acquisition at `field` from one at `source_field` (both in tesla).

    With a = field / source_field, magnetisation and induction scale the signal by a²·f, f being
    what relaxation does to it, and noise of body and coil has the covariance of `NoiseLaw`, for
    the body b·a²·Ψ. The source brings a⁴·f²·Ψ of it along, and the difference is added. Without
    `sequence`, f = 1; without more, body noise at the same bandwidth b = 1, so that the SNR falls
    in proportion to the field.

    Source: Wu, Chen, Nayak, PLoS ONE 11:e0154711 (2016), here with coil noise, averages and maps.

    Args:
        kspace: complex `(..., coils, ky, kx)` that already holds noise of covariance Ψ.
        noise_covariance: Ψ, `(coils, coils)`; white noise of level sigma has Ψ = 2σ²·I.
        field: the field to simulate.
        source_field: the field of the acquisition.
        seed: integer or generator; it may be that of the source's noise, which is not drawn again.
        mask: the acquired samples, broadcastable to `(..., ky, kx)`; no others receive noise.
            Zero-filled lines need it: without a mask they receive noise like all others.
        noise_profile: of the source's noise over the image, which the added noise takes over.
        noise_spectrum: likewise over k-space; see `noise_like`.
        sequence: what the source was acquired with, see `sim.sequence`: f is computed for `tissue`.
        target_sequence: the timing at `field`, by default that of `sequence`.
        tissue: a name in `sim.TISSUES` or a `sim.Tissue`; all others are scaled by its f too.
        relaxation_factor: f itself, a signed number, or a map `(..., y, x)` such as
            `sim.relaxation_map` makes; needs k-space without gaps.
        noise_law: "body", "coil" or "mixed".
        crossover_field: where body and coil make equal noise; it depends on the coils.
        bandwidth_ratio: b, the readout bandwidth at `field` over that of the source.
        averages: at `field` over those of the source; they divide the covariance.

    Raises:
        ValueError: if the field is above the source field or not a positive number, if the
            source holds more noise than the target may (the message names the highest field, which
            for a given `relaxation_factor` holds for this factor only, and the narrowest bandwidth
            that can be simulated), as `relaxation_factor`, `add_noise`.
        TypeError: if a field is no number, or as `add_noise`.

    Warns:
        UserWarning: if the body law is used below `crossover_field`, or if a tissue's times are
            extrapolated, see `Tissue`.
    """
    check_fields(field, source_field)
    law = NoiseLaw(noise_law, crossover_field, bandwidth_ratio, averages)
    relaxation = Relaxation(sequence, target_sequence, tissue, relaxation_factor)
    fields = (float(field), float(source_field))
    _check_kspace(kspace, noise_covariance)
    _check_possible(noise_covariance, law, relaxation, fields)
    law.warn(*fields, stacklevel=2)
    a = fields[0] / fields[1]
    of_psi, of_diagonal = law.weights(*fields)
    seed = _own_stream(seed)
    shape = {"noise_profile": noise_profile, "noise_spectrum": noise_spectrum}
    if relaxation.is_map:
        low = scale_by_map(
            kspace, noise_covariance, relaxation.given, law, fields, seed, mask, **shape
        )
    else:
        f = relaxation.factor(*fields)
        lacking = of_psi - a**4 * f**2
        added = missing_covariance(noise_covariance, lacking, of_diagonal)
        low = add_noise(kspace * (a**2 * f), added, seed, mask, **shape)
    target = covariance_sum(noise_covariance, of_psi, of_diagonal)
    return LowField(low, target, _record(law, relaxation, fields))


def _own_stream(seed: Seed) -> np.random.Generator:
    """Return other random numbers than `add_noise` draws with this seed: the source holds those."""
    key = int(seed.integers(2**62)) if hasattr(seed, "integers") else draw_key(seed)
    return np.random.default_rng([key, _STREAM])


def _check_kspace(kspace: Array, psi: Array) -> None:
    """Refuse k-space without samples or with some that are no numbers, and a Ψ of other coils.

    Raises:
        ValueError: saying what is wrong.
    """
    if 0 in kspace.shape:
        raise ValueError(f"k-space has shape {tuple(kspace.shape)}: there is nothing in it")
    xp = namespace(kspace)
    if not bool(xp.all(xp.isfinite(kspace))):
        raise ValueError(
            "k-space holds NaN or infinite samples; set samples that were not acquired to 0 and "
            "give their mask"
        )
    if kspace.ndim > 2:  # what has fewer axes is refused with the noise
        covariance_root(psi, kspace.shape[-3])


def _check_possible(
    psi: Array, law: NoiseLaw, relaxation: Relaxation, fields: tuple[float, float]
) -> None:
    """Refuse a target that holds less noise than the scaled source.

    Raises:
        ValueError: with the highest field and the narrowest bandwidth that can be simulated.
    """
    largest = largest_mode(psi)
    factor = relaxation.factor(*fields)
    if law.allows(largest, factor, *fields):
        return
    narrowest = law.gain_needed(largest, factor, *fields) * law.averages
    try:
        advice = _within_reach(*highest_interval(law, relaxation, largest, fields[1]), fields[1])
    except ValueError as error:
        advice = str(error)
    decides = ", its largest in the map" if relaxation.is_map else ""
    given = "; both hold for this relaxation_factor, which changes with the field"
    raise ValueError(
        f"{fields[0]:g} T cannot be simulated from {fields[1]:g} T: scaled by a²·f "
        f"(f = {factor:.3g}{decides}), the source holds more noise than the target would, and "
        f"noise cannot be taken away; {advice}; at {fields[0]:g} T the narrowest "
        f"bandwidth_ratio is {-_floor(-narrowest):.4g}"
        + (given if relaxation.relaxation_factor is not None else "")
    )


def _within_reach(lowest: float, highest: float, source_field: float) -> str:
    """Say which fields can be simulated, and which of those above them cannot."""
    top = f"{source_field if highest == source_field else _floor(highest):.4g} T"
    gap = f"fields between {top[:-2]} and {source_field:g} T cannot be reached: "
    below = f"down to {-_floor(-lowest):.4g} T" if lowest else "below it"
    return (
        f"{gap if highest < source_field else ''}the highest field that can be simulated is {top}, "
        f"and all {below} can"
    )


def _floor(value: float) -> float:
    """Round down to four digits, so that what a message names is possible."""
    step = 10.0 ** (math.floor(math.log10(abs(value))) - 3)
    return math.floor(value / step) * step


def _record(law: NoiseLaw, relaxation: Relaxation, fields: tuple[float, float]) -> dict[str, Any]:
    """Return what was assumed, ready for JSON."""
    a = fields[0] / fields[1]
    return {
        "law": law.reference,
        "field_T": fields[0],
        "source_field_T": fields[1],
        "field_ratio": a,
        **relaxation.record(*fields),
        "bandwidth_ratio": float(law.bandwidth_ratio),
        "averages_ratio": float(law.averages),
        "noise_regime": law.noise_law,
        "crossover_field_T": float(law.crossover_field),
        "coil_noise_share": law.coil_share(fields[1]),
        "noise_understated": law.understated(*fields),
        "source_noise": "credited: part of the target covariance",
    }
