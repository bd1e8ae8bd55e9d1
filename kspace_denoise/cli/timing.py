"""The timing of a pulse sequence, from options in milliseconds and what the file says."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import click

from kspace_denoise import sim

TIMES = ("tr", "te", "ti", "flip")
_NAMES = ("repetition_time", "echo_time", "inversion_time", "flip_angle")
_UNITS = (1e-3, 1e-3, 1e-3, 1.0)
_EXTRA = {
    "spin-echo": (),
    "gradient-echo": ("flip_angle",),
    "bssfp": ("flip_angle",),
    "inversion-recovery": ("inversion_time",),
    "flair": ("inversion_time",),
}
_WORDS = {
    "inversion-recovery": ("inversion",),
    "flair": ("flair",),
    "spin-echo": ("spinecho", "tse", "fse"),
    "bssfp": ("bssfp", "truefisp", "trufi", "balanced"),
    "gradient-echo": ("flash", "gradientecho", "gre", "spgr"),
}
"""What the `sequence_type` of a header holds, letters only, of each sequence."""
SAID = ("repetition_time_ms", "echo_time_ms", "inversion_time_ms", "flip_angle_deg")

TYPES = {
    "spin-echo": "SpinEcho",
    "gradient-echo": "GradientEcho",
    "bssfp": "bSSFP",
    "inversion-recovery": "InversionRecovery",
    "flair": "FLAIR",
}
"""What is written as the `sequence_type` of each sequence."""


class Timing(NamedTuple):
    """Times in milliseconds and the flip angle in degrees; None where not given."""

    tr: float | None = None
    te: float | None = None
    ti: float | None = None
    flip: float | None = None

    @classmethod
    def of(cls, sequence: Any) -> "Timing":
        """Return the timing of a sequence."""
        values = [getattr(sequence, name, None) for name in _NAMES]
        return cls(*(None if v is None else v / u for v, u in zip(values, _UNITS, strict=True)))


def said_of(timing: Mapping[str, Any]) -> dict[str, float]:
    """Return a timing in seconds and degrees as headers say it, in milliseconds and degrees."""
    return {
        header: round(timing[name] / unit, 6)
        for name, unit, header in zip(_NAMES, _UNITS, SAID, strict=True)
        if timing.get(name) is not None
    }


def kind_in(header: Mapping[str, Any]) -> str | None:
    """Return the name of the sequence that a header tells, or None where it tells none we know."""
    said = header.get("ismrmrd", {}).get("sequence", {})
    kind = re.sub(r"[^a-z]", "", str(said.get("type", "")).lower())
    name = next((name for name, words in _WORDS.items() if any(w in kind for w in words)), None)
    if name == "spin-echo" and "flair" in str(header.get("acquisition", "")).lower():
        return "flair"
    return name


def sequence_in(header: Mapping[str, Any]) -> tuple[str, Any] | None:
    """Return the name and the sequence that a header tells, or None where it does not suffice."""
    name = kind_in(header)
    if name is None:
        return None
    try:
        return name, sequence_of(name, Timing(), header["ismrmrd"]["sequence"])[0]
    except (click.UsageError, ValueError):
        return None


def sequence_of(name: str, given: Timing, said: Mapping[str, Any]) -> tuple[Any, dict[str, str]]:
    """Return the sequence of that name, and where each of its parameters comes from.

    What the command line does not give is taken from `said`, the header's `sequence`.

    Raises:
        click.UsageError: if there is no such sequence, a parameter is missing, or one is given
            that the sequence has not.
        ValueError: if a time or an angle cannot be.
    """
    if name not in _EXTRA:
        raise click.UsageError(f"--sequence {name}: there are {', '.join(_EXTRA)}")
    needed = {"repetition_time", "echo_time", *_EXTRA[name]}
    values, origin = {}, {}
    for option, parameter, unit, header in zip(TIMES, _NAMES, _UNITS, SAID, strict=True):
        value = getattr(given, option)
        if value is not None and parameter not in needed:
            raise click.UsageError(f"--sequence {name} has no --{option}")
        if value is not None:
            origin[parameter] = "command line"
        elif parameter in needed and header in said:
            value, origin[parameter] = said[header], "header of IN"
        if value is not None:
            values[parameter] = value * unit
    missing = [f"--{o}" for o, p in zip(TIMES, _NAMES, strict=True) if p in needed - values.keys()]
    if missing:
        raise click.UsageError(
            f"--sequence {name} needs {' and '.join(missing)}, which the file does not say "
            "(times in milliseconds, angles in degrees)"
        )
    return sim.sequence(name, **values), origin
