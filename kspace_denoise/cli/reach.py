"""How good a scan is: its SNR, and the highest field that can be simulated from it."""

from typing import Any

from kspace_denoise import sim
from kspace_denoise.cli.common import progress
from kspace_denoise.cli.timing import sequence_in
from kspace_denoise.scan import Scan
from kspace_denoise.snr import scan_snr
from kspace_denoise.stages import KnownNoise

_TISSUE = "white"


def describe_reach(scan: Scan, noise: KnownNoise | str) -> dict[str, Any]:
    """Return what `info` says of SNR and field; None where noise or field is not known."""
    snr = _snr(scan, noise)
    return {"snr": snr, **_fields(scan, noise)}


def _snr(scan: Scan, noise: KnownNoise | str) -> float | None:
    if isinstance(noise, str):
        return None
    try:
        return scan_snr(scan, noise, progress=lambda i: progress(i, "measure SNR"))
    except ValueError:
        return None


def _fields(scan: Scan, noise: KnownNoise | str) -> dict[str, Any]:
    """Return the highest field for body noise: relaxation left out, and by the header's sequence.

    Above it the source holds more noise than a scan of that field would.
    """
    if isinstance(noise, str) or scan.field_strength is None:
        return {"highest_field_T": None}
    found: dict[str, Any] = {
        "highest_field_T": sim.highest_field(noise.covariance, scan.field_strength)
    }
    told = sequence_in(scan.header)
    if told is not None:
        name, sequence = told
        keywords = {"sequence": sequence, "tissue": _TISSUE}
        try:
            highest = sim.highest_field(noise.covariance, scan.field_strength, **keywords)
        except ValueError as error:
            found["highest_field_with_sequence_T"] = None
            found["sequence"] = f"{name}: {error}"
        else:
            found["highest_field_with_sequence_T"] = highest
            found["sequence"] = f"{name}, {_TISSUE} matter"
    return found
