"""Pulse sequences and the steady-state signal that they make of a tissue."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

import numpy as np

Reals: TypeAlias = np.ndarray[Any, Any]
Values: TypeAlias = Reals | float


@dataclass(frozen=True)
class SpinEcho:
    """Timing of a spin echo in seconds, after an inversion or without; of a train: its echo time.

    The signal is PD · (1 - exp(-TR/T1)) · exp(-TE/T2), and after an inversion
    PD · (1 - 2 exp(-TI/T1) + exp(-TR/T1)) · exp(-TE/T2), negative where the magnetisation still is
    (Bernstein, King, Zhou, Handbook of MRI Pulse Sequences, chapters 14.1 and 14.2; echo time
    short against TR).
    """

    repetition_time: float
    echo_time: float
    inversion_time: float | None = None

    decay: ClassVar[str] = "T2"

    def __post_init__(self) -> None:
        _check_times(self.repetition_time, self.echo_time)
        inversion = self.inversion_time
        if inversion is not None and not 0 <= inversion < self.repetition_time:
            raise ValueError(
                f"inversion_time is {inversion} s, expected at least 0 and less than the "
                f"repetition_time of {self.repetition_time} s"
            )

    @property
    def strongest(self) -> float:
        """Signal of fully relaxed magnetisation without decay, per proton density."""
        return 1.0

    def signal(self, proton_density: Values, t1: Values, t2: Values) -> Reals:
        """Return the signal; relaxation times are in seconds."""
        recovered = np.exp(-self.repetition_time / t1)
        if self.inversion_time is None:
            longitudinal = 1 - recovered
        else:
            longitudinal = 1 - 2 * np.exp(-self.inversion_time / t1) + recovered
        return np.asarray(proton_density * longitudinal * np.exp(-self.echo_time / t2))


@dataclass(frozen=True)
class GradientEcho:
    """Timing of a spoiled gradient echo in seconds, its flip angle in degrees.

    The signal is PD · sin α · (1 - E1) / (1 - cos α · E1) · exp(-TE/T2*), E1 = exp(-TR/T1)
    (Ernst, Anderson, Rev Sci Instrum 37:93, 1966): the decay of `signal` is T2*.
    """

    repetition_time: float
    echo_time: float
    flip_angle: float

    decay: ClassVar[str] = "T2*"

    def __post_init__(self) -> None:
        _check_times(self.repetition_time, self.echo_time)
        _check_flip(self.flip_angle)

    @property
    def strongest(self) -> float:
        """Signal of fully relaxed magnetisation without decay, per proton density."""
        return math.sin(math.radians(self.flip_angle))

    def signal(self, proton_density: Values, t1: Values, t2: Values) -> Reals:
        """Return the signal; relaxation times are in seconds, `t2` is T2*."""
        flip = math.radians(self.flip_angle)
        recovered = np.exp(-self.repetition_time / t1)
        steady = math.sin(flip) * (1 - recovered) / (1 - math.cos(flip) * recovered)
        return np.asarray(proton_density * steady * np.exp(-self.echo_time / t2))


@dataclass(frozen=True)
class BalancedSSFP:
    """Timing of a balanced steady-state free precession in seconds, its flip angle in degrees.

    On resonance, with alternating pulses, the signal is
    PD · sin α · (1 - E1) / (1 - (E1 - E2) cos α - E1·E2) · exp(-TE/T2), E1,2 = exp(-TR/T1,2)
    (Freeman, Hill, J Magn Reson 4:366, 1971; Bernstein et al., Handbook, chapter 14.1).
    """

    repetition_time: float
    echo_time: float
    flip_angle: float

    decay: ClassVar[str] = "T2"

    def __post_init__(self) -> None:
        _check_times(self.repetition_time, self.echo_time)
        _check_flip(self.flip_angle)

    @property
    def strongest(self) -> float:
        """Signal of fully relaxed magnetisation without decay, per proton density."""
        return math.sin(math.radians(self.flip_angle))

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


def _check_flip(flip: float) -> None:
    if not 0 < flip <= 180:
        raise ValueError(f"flip_angle is {flip} degrees, expected more than 0 and at most 180")
