"""The highest field and the narrowest bandwidth to which a scan can be brought down."""

import math

import numpy as np

from kspace_denoise.arrays import Array
from kspace_denoise.sim.lowfield_relaxation import Relaxation
from kspace_denoise.sim.noise_law import CROSSOVER_FIELD, NoiseLaw, correlation_modes
from kspace_denoise.sim.sequences import Sequence
from kspace_denoise.sim.tissues import Tissue

_STEPS = 400
_DECADES = 3.0


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
    """Return the highest field in tesla, up to the source's, that `low_field` accepts.

    Above it the scaled source holds more noise than the target may, in one direction of the
    coils' space at least. The arguments are those of `low_field`.

    Raises:
        ValueError: if there is no such field, or as `low_field`.
    """
    relaxation = Relaxation(sequence, target_sequence, tissue, relaxation_factor)
    law = NoiseLaw(noise_law, crossover_field, bandwidth_ratio, averages)
    check_field("source_field", source_field)
    largest = float(correlation_modes(noise_covariance)[0][-1])
    return find_highest(law, relaxation, largest, float(source_field))


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

    The arguments are those of `low_field`.

    Raises:
        ValueError: as `low_field`.
    """
    relaxation = Relaxation(sequence, target_sequence, tissue, relaxation_factor)
    law = NoiseLaw(noise_law, crossover_field, 1.0, averages)
    check_fields(field, source_field)
    largest = float(correlation_modes(noise_covariance)[0][-1])
    factor = relaxation.factor(field, source_field)
    return law.gain_needed(largest, factor, float(field), float(source_field)) * averages


def find_highest(
    law: NoiseLaw, relaxation: Relaxation, largest: float, source_field: float
) -> float:
    """Search down from the source field for the first that is allowed, then bisect."""

    def allowed(field: float) -> bool:
        return law.allows(largest, relaxation.factor(field, source_field), field, source_field)

    low, high = relaxation.fields(source_field)
    low = max(low, source_field * 10.0**-_DECADES)
    above = None
    for field in np.geomspace(high, low, _STEPS).tolist():
        below = min(max(field, low), high)
        if allowed(below):
            break
        above = below
    else:
        raise ValueError(
            f"no field between {low:g} and {high:g} T can be simulated: everywhere the scaled "
            "source holds more noise than the target would; allow a wider bandwidth or fewer "
            "averages"
        )
    while above is not None and above / below > 1 + 1e-12:
        middle = math.sqrt(below * above)
        if not below < middle < above:
            break
        below, above = (middle, above) if allowed(middle) else (below, middle)
    return float(below)


def check_field(name: str, value: float) -> None:
    """Refuse what is no field.

    Raises:
        ValueError: if it is not a positive number.
    """
    if not (math.isfinite(value) and value > 0):
        raise ValueError(f"{name} is {value}, expected a positive number of tesla")


def check_fields(field: float, source_field: float) -> None:
    """Refuse fields that are none, and a target above the source.

    Raises:
        ValueError: if one is not a positive number, or `field` is above `source_field`.
    """
    check_field("field", field)
    check_field("source_field", source_field)
    if field > source_field:
        raise ValueError(
            f"field={field} T is above source_field={source_field} T: noise cannot be taken away; "
            "only a lower field can be simulated"
        )
