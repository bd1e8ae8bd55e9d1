"""Relaxation times of tissues against the field, each over the range where it was measured."""

import math
import sys
import warnings
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, replace

from kspace_denoise.sim.tissue_data import MEASURED

_BEYOND = 0.1
"""How far times are extrapolated, as a share of the field: scanners of 46 mT take their times from
50 mT, and T1 changes by 4 % where it grows as the 0.4th power of the field."""

ROUNDING = 1e-6
"""Of a field that has been through float32 or a logarithm."""


@dataclass(frozen=True)
class Tissue:
    """T1 and T2 of a tissue in seconds, at the fields (tesla) where they are known.

    `Tissue(t1={0.3: 0.45, 3.0: 0.89}, t2={0.3: 0.1, 3.0: 0.08})` knows them between 0.3 and 3 T;
    a number stands for a time that does not change with the field. Between two fields T1 follows
    a power law (Bottomley et al., Med Phys 11:425, 1984) and 1/T2 a straight line, which it was
    found to be in the brain between 3 and 7 T ("Dependence of brain-tissue R2 on MRI field
    strength"). From 1.5 to 7 T Mitsumori et al. (Magn Reson Med 68:947, 2012) found a line for the
    part of iron, and for that of macromolecules a quadratic one. Below 1.5 T the line is a guess.
    Power law and line go on beyond the fields that are given for 10 % of the field, with a warning;
    a time given at one field only does not. Farther off nothing is known.

    Raises:
        ValueError: if a time or field is not positive, or nothing is given.
    """

    t1: Mapping[float, float] | float
    t2: Mapping[float, float] | float
    dephasing: float = 0.0
    """1/T2* - 1/T2 per tesla, in 1/(s·T): what a spin echo refocuses grows with the field."""
    proton_density: float = 1.0
    """Visible protons relative to CSF; only voxels of several tissues depend on it."""
    name: str = "tissue"
    source: str = "given by the user"

    def __post_init__(self) -> None:
        for label, times in (("t1", self.t1), ("t2", self.t2)):
            pairs = dict(times) if isinstance(times, Mapping) else {1.0: times}
            if not pairs:
                raise ValueError(f"{label} of {self.name!r} is empty, expected {{tesla: seconds}}")
            for field, time in pairs.items():
                if not (0 < field < math.inf and 0 < time < math.inf):
                    raise ValueError(
                        f"{label} of {self.name!r} is {time} s at {field} T, expected positive "
                        "numbers: {tesla: seconds}"
                    )
        if not (0 <= self.dephasing < math.inf and 0 < self.proton_density < math.inf):
            raise ValueError(
                f"dephasing is {self.dephasing} and proton_density {self.proton_density}, "
                "expected numbers of at least 0 and above 0"
            )

    @property
    def measured(self) -> tuple[float, float]:
        """The range in tesla over which T1 and T2 are both given or interpolated."""
        known = [times for times in (self.t1, self.t2) if isinstance(times, Mapping)]
        low = max((min(times) for times in known), default=0.0)
        return low, min((max(times) for times in known), default=math.inf)

    @property
    def fields(self) -> tuple[float, float]:
        """The range in tesla over which T1 and T2 can be had, extrapolated ends included."""
        ends = [_reach(times) for times in (self.t1, self.t2) if isinstance(times, Mapping)]
        low = max((low for low, _ in ends), default=0.0)
        return low, min((high for _, high in ends), default=math.inf)

    def t1_at(self, field: float) -> float:
        """Return T1 in seconds at a field in tesla.

        Raises:
            ValueError: if T1 is not known there.

        Warns:
            UserWarning: if it is extrapolated.
        """
        if not isinstance(self.t1, Mapping):
            return float(self.t1)
        low, high = self._neighbours("T1", self.t1, field)
        start = math.log(low)
        share = (math.log(field) - start) / (math.log(high) - start) if high > low else 0.0
        return float(self.t1[low] * (self.t1[high] / self.t1[low]) ** share)

    def t2_at(self, field: float) -> float:
        """Return T2 in seconds at a field in tesla.

        Raises:
            ValueError: if T2 is not known there.

        Warns:
            UserWarning: if it is extrapolated.
        """
        if not isinstance(self.t2, Mapping):
            return float(self.t2)
        low, high = self._neighbours("T2", self.t2, field)
        share = (field - low) / (high - low) if high > low else 0.0
        rate = (1 - share) / self.t2[low] + share / self.t2[high]
        if rate <= 0:
            raise ValueError(
                f"T2 of {self.name!r} is not positive when extrapolated to {field:g} T from "
                f"{low:g} and {high:g} T; give it at {field:g} T"
            )
        return float(1 / rate)

    def t2_star_at(self, field: float) -> float:
        """Return T2* in seconds at a field in tesla, without what shimming leaves.

        Raises:
            ValueError: if T2 is not known there.

        Warns:
            UserWarning: if it is extrapolated.
        """
        return 1 / (1 / self.t2_at(field) + self.dephasing * field)

    def scaled(self, t1: float, t2: float, proton_density: float) -> "Tissue":
        """Return the tissue with its times and protons multiplied at all fields."""
        return replace(
            self,
            t1=_multiplied(self.t1, t1),
            t2=_multiplied(self.t2, t2),
            proton_density=self.proton_density * proton_density,
        )

    def _neighbours(
        self, label: str, times: Mapping[float, float], field: float
    ) -> tuple[float, float]:
        """Return the known fields on both sides, or at the ends the last two."""
        known, (low, high) = sorted(times), _reach(times)
        span = f"from {known[0]:g} to {known[-1]:g} T" if len(known) > 1 else f"at {known[0]:g} T"
        if not low * (1 - ROUNDING) <= field <= high * (1 + ROUNDING):
            raise ValueError(
                f"{label} of {self.name!r} is known {span}, not at "
                f"{field:g} T ({self.source}); if you know it, give a tissue of your "
                "own, sim.Tissue(t1={tesla: seconds, ...}, t2={tesla: seconds, ...}), or "
                "relaxation_factor"
            )
        if field < known[0] * (1 - ROUNDING):
            _warn_extrapolated(f"below {known[0]:g} T", span)
        if field > known[-1] * (1 + ROUNDING):
            _warn_extrapolated(f"above {known[-1]:g} T", span)
        upper = min(max(bisect_left(known, field), 1), len(known) - 1)
        return known[upper - 1], known[upper]


def _reach(times: Mapping[float, float]) -> tuple[float, float]:
    """Return the range of fields for which times can be had: one field has no slope."""
    beyond = _BEYOND if len(times) > 1 else 0.0
    return min(times) * (1 - beyond), max(times) * (1 + beyond)


def _warn_extrapolated(where: str, span: str) -> None:
    """Warn the caller of the package: once for all tissues of a head, by one text and place."""
    frame, level = sys._getframe(1), 2
    while frame.f_back and frame.f_globals["__name__"].startswith("kspace_denoise."):
        frame, level = frame.f_back, level + 1
    warnings.warn(
        f"relaxation times {where} are extrapolated, by {100 * _BEYOND:g} % of the field at most: "
        f"they are known {span}",
        UserWarning,
        stacklevel=level,
    )


def check_field(name: str, value: float) -> None:
    """Refuse what is no field.

    Raises:
        TypeError: if it is no number.
        ValueError: if it is not a positive number.
    """
    if not hasattr(value, "__float__"):
        raise TypeError(f"{name} is {value!r}, expected a number of tesla")
    if not (math.isfinite(value) and value > 0):
        raise ValueError(f"{name} is {value}, expected a positive number of tesla")


def _multiplied(times: Mapping[float, float] | float, by: float) -> dict[float, float] | float:
    if isinstance(times, Mapping):
        return {field: time * by for field, time in times.items()}
    return times * by


TISSUES = {name: Tissue(name=name, **facts) for name, facts in MEASURED.items()}
"""Tissues of brain and body by name."""


def tissue_named(tissue: str | Tissue) -> Tissue:
    """Return a tissue by name, or the tissue that was given.

    Raises:
        ValueError: if there is no such tissue; the message lists them.
    """
    if isinstance(tissue, Tissue):
        return tissue
    if tissue not in TISSUES:
        raise ValueError(
            f"unknown tissue {tissue!r}; there are: {', '.join(TISSUES)}; or give a sim.Tissue of "
            "your own"
        )
    return TISSUES[tissue]
