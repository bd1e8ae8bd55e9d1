"""Pulse sequences and the steady-state signal that they make of a tissue."""

import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self, TypeAlias

import numpy as np

Reals: TypeAlias = np.ndarray[Any, Any]
Values: TypeAlias = Reals | float

_ROUNDING = 1e-9


@dataclass(frozen=True)
class SpinEcho:
    """Timing of a spin echo in seconds, after an inversion or without; of a train: its echo time.

    The signal is PD · (1 - exp(-TR/T1)) · exp(-TE/T2), and after an inversion
    PD · (1 - 2 exp(-TI/T1) + exp(-TR/T1)) · exp(-TE/T2), negative where the magnetisation still is
    (Bernstein, King, Zhou, Handbook of MRI Pulse Sequences, chapters 14.1 and 14.2).

    That is the limit of echo times short against TR: recovery counts from the excitation, whereas
    refocusing pulses hold it up until the last echo. For one echo they make of the first bracket
    1 - 2 exp(-(TR - TE/2)/T1) + exp(-TR/T1). A `repetition_time` less the length of the train, TE
    for one echo, gives the signal of all pulses to within (echo spacing / (2 T1))² of PD.
    """

    repetition_time: float
    echo_time: float
    inversion_time: float | None = None

    decay: ClassVar[str] = "T2"

    def __post_init__(self) -> None:
        _check_times(self.repetition_time, self.echo_time)
        inversion = self.inversion_time
        if inversion is None:
            return
        latest = self.repetition_time * (1 + _ROUNDING) - self.echo_time
        if not (0 <= inversion < self.repetition_time and inversion <= latest):
            raise ValueError(
                f"inversion_time is {inversion} s, expected at least 0 and less than the "
                f"repetition_time of {self.repetition_time} s, which has to hold it and the "
                f"echo_time of {self.echo_time} s"
            )

    def saturated(self) -> Self:
        """Return the sequence without inversion and decay: what repetition alone leaves."""
        return replace(self, echo_time=0.0, inversion_time=None)

    def signal(self, proton_density: Values, t1: Values, t2: Values) -> Reals:
        """Return the signal; relaxation times are in seconds."""
        recovered = np.exp(-self.repetition_time / t1)
        if self.inversion_time is None:
            longitudinal = 1 - recovered
        else:
            longitudinal = 1 - 2 * np.exp(-self.inversion_time / t1) + recovered
        return np.asarray(proton_density * longitudinal * np.exp(-self.echo_time / t2))


@dataclass(frozen=True)
class _Flip:
    """A steady state of equal pulses: times in seconds, flip angle in degrees."""

    repetition_time: float
    echo_time: float
    flip_angle: float

    def __post_init__(self) -> None:
        _check_times(self.repetition_time, self.echo_time)
        if not 0 < self.flip_angle < 180:
            raise ValueError(
                f"flip_angle is {self.flip_angle} degrees, expected more than 0 and less than 180"
            )

    def saturated(self) -> Self:
        """Return the sequence without decay until the echo: what repetition alone leaves."""
        return replace(self, echo_time=0.0)


@dataclass(frozen=True)
class GradientEcho(_Flip):
    """Timing of a spoiled gradient echo in seconds, its flip angle in degrees.

    The signal is PD · sin α · (1 - E1) / (1 - cos α · E1) · exp(-TE/T2*), E1 = exp(-TR/T1)
    (Ernst, Anderson, Rev Sci Instrum 37:93, 1966): the decay of `signal` is T2*.
    """

    decay: ClassVar[str] = "T2*"

    def signal(self, proton_density: Values, t1: Values, t2: Values) -> Reals:
        """Return the signal; relaxation times are in seconds, `t2` is T2*."""
        flip = math.radians(self.flip_angle)
        recovered = np.exp(-self.repetition_time / t1)
        steady = math.sin(flip) * (1 - recovered) / (1 - math.cos(flip) * recovered)
        return np.asarray(proton_density * steady * np.exp(-self.echo_time / t2))


@dataclass(frozen=True)
class BalancedSSFP(_Flip):
    """Timing of a balanced steady-state free precession in seconds, its flip angle in degrees.

    On resonance, with alternating pulses, the signal is
    PD · sin α · (1 - E1) / (1 - (E1 - E2) cos α - E1·E2) · exp(-TE/T2), E1,2 = exp(-TR/T1,2)
    (Freeman, Hill, J Magn Reson 4:366, 1971; Bernstein et al., Handbook, chapter 14.1).
    """

    decay: ClassVar[str] = "T2"

    def signal(self, proton_density: Values, t1: Values, t2: Values) -> Reals:
        """Return the signal; relaxation times are in seconds."""
        flip = math.radians(self.flip_angle)
        e1, e2 = (np.exp(-self.repetition_time / t) for t in (t1, t2))
        steady = math.sin(flip) * (1 - e1) / (1 - (e1 - e2) * math.cos(flip) - e1 * e2)
        return np.asarray(proton_density * steady * np.exp(-self.echo_time / t2))


Sequence: TypeAlias = SpinEcho | GradientEcho | BalancedSSFP

_NEEDS: dict[str, tuple[type[Sequence], tuple[str, ...]]] = {
    "spin-echo": (SpinEcho, ()),
    "gradient-echo": (GradientEcho, ("flip_angle",)),
    "bssfp": (BalancedSSFP, ("flip_angle",)),
    "inversion-recovery": (SpinEcho, ("inversion_time",)),
    "flair": (SpinEcho, ("inversion_time",)),
}
SEQUENCES = tuple(_NEEDS)
"""The names that `sequence` knows."""


def sequence(
    name: str,
    *,
    repetition_time: float | None = None,
    echo_time: float | None = None,
    inversion_time: float | None = None,
    flip_angle: float | None = None,
) -> Sequence:
    """Return a pulse sequence by name: times in seconds, flip angle in degrees.

    spin-echo, gradient-echo (spoiled), bssfp, inversion-recovery and flair, of which the last two
    are spin echoes after an inversion. All need TR and TE, the inversions TI, gradient-echo and
    bssfp the flip angle; the pulses of a spin echo are 90° and 180°.

    Raises:
        ValueError: if there is no such sequence, something that it needs is missing or something
            that it does not have was given, or a time or an angle cannot be.
    """
    if name not in _NEEDS:
        raise ValueError(f"unknown sequence {name!r}; there are: {', '.join(SEQUENCES)}")
    kind, extra = _NEEDS[name]
    given = {
        "repetition_time": repetition_time,
        "echo_time": echo_time,
        "inversion_time": inversion_time,
        "flip_angle": flip_angle,
    }
    needed = ("repetition_time", "echo_time", *extra)
    missing = [key for key in needed if given[key] is None]
    if missing:
        raise ValueError(
            f"sequence {name!r} needs {', '.join(needed)}; missing: {', '.join(missing)} "
            "(times in seconds, angles in degrees)"
        )
    unused = [key for key, value in given.items() if value is not None and key not in needed]
    if unused:
        raise ValueError(
            f"sequence {name!r} has no {' and no '.join(unused)}; it needs {', '.join(needed)}"
        )
    return kind(**{key: float(given[key]) for key in needed})  # type: ignore[arg-type]


def _check_times(repetition: float, echo: float) -> None:
    if not (math.isfinite(repetition) and repetition > 0):
        raise ValueError(f"repetition_time is {repetition} s, expected a positive number")
    if not 0 <= echo <= repetition:
        raise ValueError(
            f"echo_time is {echo} s, expected at least 0 and no more than the repetition_time of "
            f"{repetition} s"
        )
