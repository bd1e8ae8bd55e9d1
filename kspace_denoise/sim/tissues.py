"""Relaxation times of tissues against the field, each over the range where it was measured."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

from kspace_denoise.sim.tissue_data import MEASURED


@dataclass(frozen=True)
class Tissue:
    """T1 and T2 of a tissue in seconds, at the fields (tesla) where they are known.

    `Tissue(t1={0.3: 0.45, 3.0: 0.89}, t2={0.3: 0.1, 3.0: 0.08})` knows them between 0.3 and 3 T;
    a number stands for a time that does not change with the field. Between two fields T1 follows
    a power law (Bottomley et al., Med Phys 11:425, 1984) and 1/T2 a straight line (Mitsumori et
    al., Magn Reson Med 68:947, 2012). Beyond them nothing is known.

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
    def fields(self) -> tuple[float, float]:
        """The range in tesla over which T1 and T2 are both known."""
        known = [times for times in (self.t1, self.t2) if isinstance(times, Mapping)]
        low = max((min(times) for times in known), default=0.0)
        return low, min((max(times) for times in known), default=math.inf)

    def t1_at(self, field: float) -> float:
        """Return T1 in seconds at a field in tesla.

        Raises:
            ValueError: if T1 is not known there.
        """
        if not isinstance(self.t1, Mapping):
            return float(self.t1)
        low, high, share = self._between("T1", self.t1, math.log(field))
        return float(self.t1[low] * (self.t1[high] / self.t1[low]) ** share)

    def t2_at(self, field: float) -> float:
        """Return T2 in seconds at a field in tesla.

        Raises:
            ValueError: if T2 is not known there.
        """
        if not isinstance(self.t2, Mapping):
            return float(self.t2)
        low, high, _ = self._between("T2", self.t2, math.log(field))
        share = (field - low) / (high - low) if high > low else 0.0
        return float(1 / ((1 - share) / self.t2[low] + share / self.t2[high]))

    def t2_star_at(self, field: float) -> float:
        """Return T2* in seconds at a field in tesla, without what shimming leaves.

        Raises:
            ValueError: if T2 is not known there.
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

    def _between(
        self, label: str, times: Mapping[float, float], log_field: float
    ) -> tuple[float, float, float]:
        """Return the known fields on both sides, and where between their logarithms we are."""
        known = sorted(times)
        slack = 1e-9  # a field that has been through float32 or a logarithm is still that field
        logs = [math.log(field) for field in known]
        if not logs[0] - 1e-6 <= log_field <= logs[-1] + 1e-6:
            raise ValueError(
                f"{label} of {self.name!r} is known from {known[0]:g} to {known[-1]:g} T, not at "
                f"{math.exp(log_field):g} T ({self.source}); if you know it, give a tissue of your "
                "own, sim.Tissue(t1={tesla: seconds, ...}, t2={tesla: seconds, ...}), or "
                "relaxation_factor"
            )
        for (low, high), (left, right) in zip(pairwise(known), pairwise(logs), strict=True):
            if log_field <= right + slack:
                return low, high, (log_field - left) / (right - left)
        return known[0], known[-1], float(len(known) > 1)


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
