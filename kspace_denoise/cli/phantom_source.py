"""`simulate phantom OUT`: a head that was never scanned, in place of a file."""

import functools
import re
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np

from kspace_denoise import sim
from kspace_denoise.cli.common import Decorator
from kspace_denoise.cli.options import group, together
from kspace_denoise.scan import LazySlices, Numpy, Scan
from kspace_denoise.sim.contrast import CONTRASTS
from kspace_denoise.snr import scan_snr
from kspace_denoise.stages import KnownNoise

_option = group("Phantom, where IN is the word phantom")
_FIELD = 3.0


class PhantomRequest(NamedTuple):
    """The options of a phantom; None where not given."""

    shape: str | None
    slices: int | None
    coils: int | None
    contrast: str | None
    phantom_snr: float | None


_DEFAULTS = PhantomRequest("192x192", 4, 8, "T2w", 100.0)


def phantom_options() -> Decorator:
    """The options of `PhantomRequest`."""
    positive = click.IntRange(min=1)
    shape, slices, coils, contrast, snr = _DEFAULTS
    return together(
        _option("--shape", metavar="YxX", help=f"Its matrix.  [default: {shape}]"),
        _option("--slices", type=positive, help=f"Number of heads.  [default: {slices}]"),
        _option("--coils", type=positive, help=f"Receive coils.  [default: {coils}]"),
        _option(
            "--contrast",
            metavar="NAME",
            help=f"{', '.join(CONTRASTS)}.  [default: {contrast}]",
        ),
        _option(
            "--phantom-snr",
            type=click.FloatRange(min=0, min_open=True),
            metavar="S",
            help="SNR of the first head at its own field, --source-field; none with "
            f"--noise-free.  [default: {snr:g}, at {_FIELD:g} T]",
        ),
    )


def is_phantom(source: Path) -> bool:
    """Tell whether IN is the word `phantom` and not a file of that name.

    Raises:
        click.UsageError: if it is that word in capitals, and no file.
    """
    if str(source).lower() == "phantom" != str(source) and not source.exists():
        raise click.UsageError(f"{source}: no such file; to draw heads write `phantom`")
    return str(source) == "phantom" and not source.exists()


def check_no_phantom(request: PhantomRequest) -> None:
    """Refuse options of a phantom where IN is a file.

    Raises:
        click.UsageError: naming the option.
    """
    for name, value in request._asdict().items():
        if value is not None:
            raise click.UsageError(
                f"--{name.replace('_', '-')} belongs to a phantom: give `phantom` as IN"
            )


def scan_phantom(
    request: PhantomRequest, field: float | None, noise_free: bool, seed: int
) -> tuple[Scan, dict[str, Any]]:
    """Return the scan of a phantom, each slice of another head, and what to record of it.

    Raises:
        click.UsageError, ValueError: if the shape is none, or as `sim.phantom`.
    """
    given = {name: value for name, value in request._asdict().items() if value is not None}
    chosen = _DEFAULTS._replace(**given)
    found = re.fullmatch(r"(\d+)x(\d+)", str(chosen.shape))
    if found is None:
        raise click.UsageError(f"--shape {chosen.shape}: expected a size such as 256x256")
    shape = int(found[1]), int(found[2])
    field = _FIELD if field is None else field
    assert chosen.slices is not None
    assert chosen.coils is not None
    assert chosen.contrast is not None
    draw = functools.partial(_draw, shape, chosen.contrast, field, chosen.coils, seed)
    clean = Scan(
        kspace=LazySlices((chosen.slices, chosen.coils, *shape), np.complex64, draw),
        field_strength=field,
        readout_axis=-2,
        header=_header(chosen.contrast),
    )
    if noise_free and request.phantom_snr is not None:
        raise click.UsageError("--phantom-snr and --noise-free contradict each other")
    drawn = chosen._replace(phantom_snr=None) if noise_free else chosen
    record = {"phantom": {**drawn._asdict(), "field_T": field}}
    if noise_free:
        return clean, record
    assert chosen.phantom_snr is not None
    return _with_noise(clean, chosen.phantom_snr, seed), record


def _draw(
    shape: tuple[int, int], contrast: str, field: float, coils: int, seed: int, index: int
) -> Numpy:
    generator = np.random.default_rng([seed, index])
    kspace = sim.phantom(shape, contrast, field, generator, coils=coils).kspace
    assert kspace is not None
    return kspace


def _header(contrast: str) -> dict[str, Any]:
    """Return a header that tells the contrast and its timing, in milliseconds."""
    sequence = CONTRASTS.get(contrast)
    inversion = getattr(sequence, "inversion_time", None)
    said: dict[str, Any] = {"type": "SpinEcho" if inversion is None else "InversionRecovery"}
    for name in ("repetition_time", "echo_time", "inversion_time"):
        value = getattr(sequence, name, None)
        if value is not None:
            said[f"{name}_ms"] = round(1000 * value, 6)
    return {"contrast": contrast, "patient_id": "phantom", "ismrmrd": {"sequence": said}}


def _with_noise(clean: Scan, snr: float, seed: int) -> Scan:
    """Add the noise of an array of coils, such that the first head has this SNR."""
    first = Scan(kspace=np.asarray(clean.kspace[:1]))
    unit = sim.array_covariance(clean.kspace.shape[1], seed)
    covariance = unit * (scan_snr(first, KnownNoise(unit), noise_free=True) / snr) ** 2

    def noisy(index: int) -> Numpy:
        generator = np.random.default_rng([seed, index, 1])  # another stream than of what is added
        return np.asarray(sim.add_noise(clean.kspace[index], covariance, generator))

    return Scan(
        kspace=LazySlices(clean.kspace.shape, np.complex64, noisy),
        noise_covariance=covariance,
        field_strength=clean.field_strength,
        readout_axis=clean.readout_axis,
        header=clean.header,
    )
