"""What looks like a slip in the options of `simulate --field`: other units, another sequence."""

import difflib
from collections.abc import Mapping
from typing import Any, NoReturn

import click

from kspace_denoise import sim
from kspace_denoise.cli.timing import SAID, TIMES, Timing, kind_in
from kspace_denoise.scan import Scan

_STRONGEST = 25.0  # tesla; magnets for images of any living thing are below
_SHORTEST_ECHO = 0.5  # milliseconds
_SMALLEST_FLIP = 1.0  # degrees
_ALIKE = {"flair": "inversion-recovery"}
_SHORT = {"tr": "TR", "te": "TE", "ti": "TI", "flip": "flip angle"}


def check_fields(field: float | None, source_field: float | None, scan: Scan) -> None:
    """Refuse fields that are no tesla, and tell where a given one contradicts the file.

    Raises:
        click.UsageError: naming the option.
    """
    for option, value in (("--field", field), ("--source-field", source_field)):
        if value is not None and not value > 0:
            raise click.UsageError(f"{option} {value:g}: expected a positive number of tesla")
        if value is not None and value > _STRONGEST:
            raise click.UsageError(
                f"{option} {value:g} is above {_STRONGEST:g} T: fields are in tesla, and "
                f"{value:g} mT is {value / 1000:g} (tesla)"
            )
    said = scan.field_strength
    if source_field and said and abs(source_field / said - 1) > 0.01:
        warn(f"the file says {said:g} T, and --source-field {source_field:g} T is used instead")


def check_tissue(name: str | None) -> None:
    """Refuse a tissue that there is not, with those of a similar name.

    Raises:
        click.UsageError: naming them.
    """
    if name is None or name in sim.TISSUES:
        return
    aliases = {"grey": ("cortex", "deep_grey"), "gray": ("cortex", "deep_grey")}
    near = aliases.get(name.lower(), difflib.get_close_matches(name.lower(), sim.TISSUES, 2, 0.7))
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    raise click.UsageError(f"--tissue {name}: {hint}there are {', '.join(sim.TISSUES)}")


def check_timing(timing: Timing) -> None:
    """Tell of a time so short that it may have been meant in seconds, and of a tiny flip angle."""
    if timing.te is not None and 0 < timing.te < _SHORTEST_ECHO:
        warn(
            f"TE {timing.te:g} ms: times are in milliseconds, and {timing.te:g} s is "
            f"{timing.te * 1000:g}"
        )
    if timing.flip is not None and 0 < timing.flip < _SMALLEST_FLIP:
        warn(f"flip angle {timing.flip:g}: angles are in degrees")


def check_sequence(name: str, header: Mapping[str, Any], taken: Mapping[str, str]) -> None:
    """Tell where the header names another sequence, and which of its times are taken all the same.

    `taken` says where each parameter comes from, see `sequence_of`.
    """
    kind = kind_in(header)
    if kind is None or _ALIKE.get(kind, kind) == _ALIKE.get(name, name):
        return
    said = header["ismrmrd"]["sequence"]
    times = [
        f"{_SHORT[short]} {said[key]:g} {'degrees' if short == 'flip' else 'ms'}"
        for short, key in zip(TIMES, SAID, strict=True)
        if key in said
    ]
    words = ", ".join([str(said["type"]), *times])
    used = "; what is not given is taken from it" if "header of IN" in taken.values() else ""
    warn(f"--sequence {name}, but the header says {words}{used}")


def refuse_timing(name: str, timing: Timing, error: ValueError) -> NoReturn:
    """Say in milliseconds why there is no such sequence.

    Raises:
        ValueError: with what was given.
    """
    given = [
        f"{_SHORT[short]} {value:g}{'' if short == 'flip' else ' ms'}"
        for short, value in timing._asdict().items()
        if value is not None
    ]
    tr, te = timing.tr, timing.te
    hint = "TR has to be positive and to hold TE, and TI where there is one"
    if tr is not None and te is not None and 0 < tr < te <= 1000 * tr:
        hint = f"did you mean {1000 * tr:g} and {te:g}? TR has to hold TE"
    elif timing.flip is not None and not 0 < timing.flip < 180:
        hint = "the flip angle has to be between 0 and 180 degrees"
    raise ValueError(f"--sequence {name}, {', '.join(given)}: {hint}") from error


def warn(message: str) -> None:
    """Tell on stderr of what is likely a slip."""
    click.echo(f"warning: {message}", err=True)
