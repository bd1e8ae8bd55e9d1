"""The highest field and the narrowest bandwidth to which a scan can be brought down."""

import math
from collections.abc import Callable

import numpy as np

from kspace_denoise.arrays import Array
from kspace_denoise.sim.lowfield_relaxation import Relaxation
from kspace_denoise.sim.noise_law import CROSSOVER_FIELD, NoiseLaw, largest_mode
from kspace_denoise.sim.sequences import Sequence
from kspace_denoise.sim.tissues import Tissue, check_field

_STEPS = 400
_DECADES = 3.0
_JUST_BELOW = 1 - 1e-3


def highest_field(
    noise_covariance: Array,
    source_field: float,
    *,
    sequence: Sequence | None = None,
    target_sequence: Sequence | None = None,
    tissue: str | Tissue = "white",
    relaxation_factor: float | Array | None = None,
    noise_law: str = "body",
    crossover_field: float = CROSSOVER_FIELD,
    bandwidth_ratio: float = 1.0,
    averages: float = 1.0,
) -> float:
    """Return the upper end, in tesla, of the highest fields that `low_field` accepts.

    Between it and the source the scaled source holds more noise than the target may, in one
    direction of the coils' space at least. The source field itself, where nothing has to change,
    counts only if fields just below it are accepted too. The arguments are those of `low_field`. A
    `relaxation_factor` that is given, a number or a map, is taken to be the same at all fields: it
    rarely is, and then the answer holds for this factor alone. With `sequence` and `tissue` the
    factor follows the field.

    Raises:
        TypeError: as `low_field`.
        ValueError: if there is no such field, or as `low_field`.
    """
    relaxation = Relaxation(sequence, target_sequence, tissue, relaxation_factor)
    law = NoiseLaw(noise_law, crossover_field, bandwidth_ratio, averages)
    check_field("source_field", source_field)
    largest = largest_mode(noise_covariance)
    return highest_interval(law, relaxation, largest, float(source_field))[1]


def narrowest_bandwidth(
    noise_covariance: Array,
    field: float,
    source_field: float,
    *,
    sequence: Sequence | None = None,
    target_sequence: Sequence | None = None,
    tissue: str | Tissue = "white",
    relaxation_factor: float | Array | None = None,
    noise_law: str = "body",
    crossover_field: float = CROSSOVER_FIELD,
    averages: float = 1.0,
) -> float:
    """Return the least `bandwidth_ratio` that `low_field` accepts at a field.

    The arguments are those of `low_field`; a `relaxation_factor` has to be that of this field.
    Without noise any bandwidth is accepted, and the answer is 0.

    Raises:
        TypeError: as `low_field`.
        ValueError: as `low_field`.
    """
    relaxation = Relaxation(sequence, target_sequence, tissue, relaxation_factor)
    law = NoiseLaw(noise_law, crossover_field, 1.0, averages)
    check_fields(field, source_field)
    largest = largest_mode(noise_covariance)
    factor = relaxation.factor(field, source_field)
    return law.gain_needed(largest, factor, float(field), float(source_field)) * averages


def highest_interval(
    law: NoiseLaw, relaxation: Relaxation, largest: float, source_field: float
) -> tuple[float, float]:
    """Return the ends of the highest interval of fields that are allowed.

    The lower end is 0 where the search finds none. The source field alone is no interval.

    Raises:
        ValueError: if there is no such field.
    """

    def allowed(field: float) -> bool:
        return law.allows(largest, relaxation.factor(field, source_field), field, source_field)

    low, high = relaxation.fields(source_field)
    low = max(low, source_field * 10.0**-_DECADES)
    fields = [min(max(field, low), high) for field in np.geomspace(high, low, _STEPS).tolist()]
    possible = [allowed(field) for field in fields]
    possible[0] = possible[0] and allowed(max(high * _JUST_BELOW, low))
    if True not in possible:
        raise ValueError(
            f"no field below {high:g} T can be simulated, down to {low:g} T: everywhere the scaled "
            "source holds more noise than the target would; allow a wider bandwidth or fewer "
            "averages"
        )
    top = possible.index(True)
    highest = _edge(allowed, fields[top], fields[top - 1]) if top else high
    if False not in possible[top:]:
        return 0.0, highest
    bottom = possible.index(False, top)
    return _edge(allowed, fields[bottom - 1], fields[bottom]), highest


def _edge(allowed: Callable[[float], bool], inside: float, outside: float) -> float:
    """Return the last field that is allowed on the way from one that is to one that is not."""
    while abs(math.log(inside / outside)) > 1e-12:
        middle = math.sqrt(inside * outside)
        if middle in (inside, outside):
            break
        inside, outside = (middle, outside) if allowed(middle) else (inside, middle)
    return inside


def check_fields(field: float, source_field: float) -> None:
    """Refuse fields that are none, and a target above the source.

    Raises:
        TypeError: if one is no number.
        ValueError: if one is not a positive number, or `field` is above `source_field`.
    """
    check_field("field", field)
    check_field("source_field", source_field)
    if field > source_field:
        raise ValueError(
            f"field={field} T is above source_field={source_field} T: noise cannot be taken away; "
            "only a lower field can be simulated"
        )
