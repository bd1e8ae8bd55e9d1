"""`simulate --field`: the law of a lower field, with relaxation, coil noise and receiver."""

import functools
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import click
import numpy as np

from kspace_denoise import sim
from kspace_denoise.arrays import Array
from kspace_denoise.cli.chain import interference_in
from kspace_denoise.cli.common import Decorator, note
from kspace_denoise.cli.degrade import Plan
from kspace_denoise.cli.doubts import (
    check_fields,
    check_sequence,
    check_timing,
    check_tissue,
    refuse_timing,
)
from kspace_denoise.cli.options import group, together
from kspace_denoise.cli.timing import SAID, TIMES, Timing, sequence_of
from kspace_denoise.random import Seed
from kspace_denoise.scan import Scan
from kspace_denoise.sim.noise_law import CROSSOVER_FIELD
from kspace_denoise.stages import KnownNoise

_option = group("Low field")
_LAWS = ("body", "coil", "mixed")


class FieldRequest(NamedTuple):
    """The options that say which field, and how signal and noise follow it."""

    field: float | None
    source_field: float | None
    sequence: str | None
    tr: float | None
    te: float | None
    ti: float | None
    flip: float | None
    target_tr: float | None
    target_te: float | None
    target_ti: float | None
    target_flip: float | None
    tissue: str | None
    relaxation_factor: float | None
    noise_law: str | None
    crossover_field: float | None
    bandwidth_ratio: float | None
    averages: float | None

    def target_timing(self) -> dict[str, float | None]:
        """Return the timing at the low field where it is another, by the names of headers."""
        return dict(zip(SAID, (getattr(self, f"target_{name}") for name in TIMES), strict=True))

    def check(self) -> None:
        """Refuse options that mean nothing without --field, or without --sequence.

        Raises:
            click.UsageError: naming the option.
        """
        receiver = ("noise_law", "crossover_field", "bandwidth_ratio", "averages")
        if self.sequence is not None and self.relaxation_factor is not None:
            raise click.UsageError("choose one of --sequence and --relaxation-factor")
        relaxation = ("tissue", *TIMES, *(f"target_{name}" for name in TIMES))
        needs = dict.fromkeys(
            ("sequence", "relaxation_factor", *receiver), "field"
        ) | dict.fromkeys(relaxation, "sequence")
        for name, other in needs.items():
            if getattr(self, name) is not None and getattr(self, other) is None:
                raise click.UsageError(f"--{name.replace('_', '-')} needs --{other}")


_number = functools.partial(_option, type=float)


def field_options() -> Decorator:
    """The options of `FieldRequest`."""
    return together(_relaxation_options(), _receiver_options())


def _relaxation_options() -> Decorator:
    return together(
        _number("--field", metavar="T", help="Simulate a scanner of this field, in tesla."),
        _number("--source-field", metavar="T", help="Field of IN, where the file does not say."),
        _option(
            "--sequence",
            metavar="NAME",
            help=f"{', '.join(sim.SEQUENCES)}: the signal also follows T1 and T2 at both fields. "
            "Without it relaxation is left out.",
        ),
        _number("--tr", metavar="MS", help="Repetition time in milliseconds, if IN does not say."),
        _number("--te", metavar="MS", help="Echo time, likewise."),
        _number("--ti", metavar="MS", help="Inversion time, likewise."),
        _number("--flip", metavar="DEG", help="Flip angle in degrees, likewise."),
        _number("--target-tr", metavar="MS", help="Repetition time at the low field, if another."),
        _number("--target-te", metavar="MS", help="Echo time there, if another."),
        _number("--target-ti", metavar="MS", help="Inversion time there, if another."),
        _number("--target-flip", metavar="DEG", help="Flip angle there, if another."),
        _option(
            "--tissue",
            metavar="NAME",
            help=f"Whose relaxation counts: {', '.join(sim.TISSUES)}.  [default: white]",
        ),
        _number(
            "--relaxation-factor",
            metavar="F",
            help="What relaxation does to the signal, a signed number, in place of --sequence.",
        ),
    )


def _receiver_options() -> Decorator:
    return together(
        _option(
            "--noise-law",
            type=click.Choice(_LAWS),
            help="What makes the noise: the body (SNR in proportion to B0), the coil "
            "(B0 to the power 7/4), or both.  [default: body]",
        ),
        _number(
            "--crossover-field",
            metavar="T",
            help="Where body and coil are equally noisy, for --noise-law mixed.  "
            f"[default: {CROSSOVER_FIELD:g}]",
        ),
        _number(
            "--bandwidth-ratio",
            metavar="B",
            help="Receiver bandwidth at the low field over that of IN.  [default: 1]",
        ),
        _number(
            "--averages",
            metavar="N",
            help="Averages at the low field over those of IN.  [default: 1]",
        ),
    )


def plan_field(known: KnownNoise, request: FieldRequest, scan: Scan) -> Plan:
    """Follow `sim.low_field`.

    Raises:
        ValueError: if the source's field, noise or timing is not known, or the field cannot be
            simulated.
    """
    assert request.field is not None
    check_fields(request.field, request.source_field, scan)
    check_tissue(request.tissue)
    given = request.source_field
    source_field = scan.field_strength if given is None else given
    if source_field is None:
        raise ValueError("the file does not say its field strength: give --source-field")
    if not known.covariance.any():
        note(
            "IN is free of noise, and --field scales the noise that there is: OUT is free of it "
            "too, the truth at this field"
        )
    interference = interference_in(scan.header)
    if interference is not None:
        note(f"IN holds interference ({interference}), which --field scales as if it were signal")
    keywords, origin = law_keywords(request, scan)
    law: Callable[..., sim.LowField] = functools.partial(
        sim.low_field,
        noise_covariance=known.covariance,
        field=request.field,
        source_field=source_field,
        **keywords,
    )

    def degrade(kspace: Array, seed: Seed, mask: Array | None, noise: KnownNoise) -> Array:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # said once, below
            return law(
                kspace,
                seed=seed,
                mask=mask,
                noise_profile=noise.profile,
                noise_spectrum=noise.spectrum,
            ).kspace

    example = law(np.zeros((len(known.covariance), 1, 1), np.complex64), seed=0)
    noise = known._replace(covariance=example.noise_covariance)
    record = {**example.record, **({"timing_from": origin} if origin else {})}
    record["field_ratio"] = float(f"{record['field_ratio']:.12g}")  # 0.1, not 0.0999...9
    gain = (record["field_T"] / source_field) ** 2 * record["relaxation_factor"]
    return Plan(degrade, noise, {"low_field": record}, gain)


def law_keywords(request: FieldRequest, scan: Scan) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the keywords of `sim.low_field` that were asked for, and where the timing is from.

    Raises:
        ValueError: if there is no such sequence, or its timing is not known or cannot be.
    """
    values = request._asdict()
    asked = (
        "tissue",
        "relaxation_factor",
        "noise_law",
        "crossover_field",
        "bandwidth_ratio",
        "averages",
    )
    keywords = {name: values[name] for name in asked if values[name] is not None}
    if request.sequence is None:
        return keywords, {}
    given, target = (
        Timing(**{name: values[prefix + name] for name in TIMES}) for prefix in ("", "target_")
    )
    keywords["sequence"], origin = _checked(request.sequence, given, scan.header)
    check_sequence(request.sequence, scan.header, origin)
    if any(value is not None for value in target):
        at_source = Timing.of(keywords["sequence"])
        merged = [t if t is not None else s for t, s in zip(target, at_source, strict=True)]
        keywords["target_sequence"], _ = _checked(request.sequence, Timing(*merged), {})
    return keywords, origin


def _checked(name: str, given: Timing, header: dict[str, Any]) -> tuple[Any, dict[str, str]]:
    """Return `sequence_of`, whose refusals and doubts speak in milliseconds."""
    said = header.get("ismrmrd", {}).get("sequence", {})
    check_timing(given)
    try:
        return sequence_of(name, given, said)
    except ValueError as error:
        known = [said.get(key) if v is None else v for v, key in zip(given, SAID, strict=True)]
        refuse_timing(name, Timing(*known), error)
