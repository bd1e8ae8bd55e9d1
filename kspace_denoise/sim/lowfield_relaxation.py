"""Where the relaxation factor of `low_field` comes from: nowhere, a tissue, or the caller."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from kspace_denoise.arrays import Array, to_numpy
from kspace_denoise.sim.relaxation import check_target, relaxation_factor
from kspace_denoise.sim.sequences import Sequence
from kspace_denoise.sim.tissues import ROUNDING, Tissue, tissue_named


@dataclass(frozen=True)
class Relaxation:
    """What `low_field` was told of sequence, tissue and relaxation factor."""

    sequence: Sequence | None = None
    target_sequence: Sequence | None = None
    tissue: str | Tissue = "white"
    relaxation_factor: float | Array | None = None

    def __post_init__(self) -> None:
        if self.sequence is None and self.target_sequence is not None:
            raise ValueError("target_sequence was given without sequence, the timing at the source")
        for name in ("sequence", "target_sequence"):
            value = getattr(self, name)
            if not isinstance(value, Sequence | None):
                raise TypeError(
                    f"{name} is {value!r}, expected what sim.sequence returns, such as "
                    "sim.SpinEcho(repetition_time=0.6, echo_time=0.015)"
                )
        if self.sequence is not None:
            check_target(self.sequence, self.target_sequence)
            if self.relaxation_factor is not None:
                raise ValueError(
                    "both sequence and relaxation_factor were given: a sequence computes the "
                    "factor; give one of them"
                )
        if self.relaxation_factor is not None:
            values = to_numpy(self.given)
            if values.dtype.kind not in "fiu" or not np.isfinite(values).all():
                raise ValueError(
                    "relaxation_factor holds values that are not finite real numbers; expected a "
                    "signed number or a map (..., y, x)"
                )
            if not values.size:
                raise ValueError(
                    f"relaxation_factor has shape {values.shape}: there is nothing in it"
                )

    @property
    def given(self) -> Any:
        """The factor that was given, as an array."""
        factor = self.relaxation_factor
        return factor if hasattr(factor, "ndim") else np.asarray(factor)

    @property
    def is_map(self) -> bool:
        """Tell whether the factor differs between voxels."""
        return self.relaxation_factor is not None and self.given.ndim > 0

    def fields(self, source_field: float) -> tuple[float, float]:
        """Return the range of fields, up to the source's, in which to look for others.

        It is extrapolated only if the source's field is.
        """
        if self.sequence is None:
            return 0.0, source_field
        tissue = tissue_named(self.tissue)
        low, high = tissue.fields
        return max(low, min(tissue.measured[0], source_field)), min(high, source_field)

    def factor(self, field: float, source_field: float) -> float:
        """Return f, of a map the value of largest magnitude.

        Raises:
            ValueError: as `relaxation_factor`.
        """
        if self.relaxation_factor is not None:
            values = to_numpy(self.given).ravel().astype(np.float64)
            return float(values[np.argmax(np.abs(values))])
        if self.sequence is None:
            return 1.0
        target = self.target_sequence
        return relaxation_factor(self.sequence, self.tissue, field, source_field, target)

    def record(self, field: float, source_field: float) -> dict[str, Any]:
        """Return what was assumed, ready for JSON."""
        factor: Any = self.factor(field, source_field)
        if self.is_map:
            values = to_numpy(self.given)
            factor = {"smallest": float(values.min()), "largest": float(values.max())}
        applied = self.sequence is not None or self.relaxation_factor is not None
        made_by = "tissue map" if self.is_map else "given" if applied else "none"
        entry: dict[str, Any] = {
            "relaxation_factor": factor,
            "relaxation_applied": applied,
            "relaxation_from": made_by,
        }
        if self.sequence is not None:
            entry["relaxation_from"] = "sequence and tissue"
            entry["sequence"] = _timing(self.sequence)
            entry["target_sequence"] = _timing(self.target_sequence or self.sequence)
            entry["tissue"] = _times(tissue_named(self.tissue), field, source_field)
        return entry


def _timing(sequence: Sequence) -> dict[str, Any]:
    """Return the timing of a sequence, in seconds and degrees."""
    return {"kind": type(sequence).__name__, "decay": sequence.decay, **asdict(sequence)}


def _times(tissue: Tissue, field: float, source_field: float) -> dict[str, Any]:
    """Return the relaxation times that a tissue was given, in seconds."""
    at = {"source": source_field, "target": field}
    low, high = tissue.measured
    return {
        "name": tissue.name,
        "from": tissue.source,
        "extrapolated": not low * (1 - ROUNDING) <= field <= source_field <= high * (1 + ROUNDING),
        "t1_s": {key: tissue.t1_at(tesla) for key, tesla in at.items()},
        "t2_s": {key: tissue.t2_at(tesla) for key, tesla in at.items()},
        "t2_star_s": {key: tissue.t2_star_at(tesla) for key, tesla in at.items()},
    }
