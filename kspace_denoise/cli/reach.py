"""How good a scan is: its SNR, and the highest field that can be simulated from it."""

from typing import Any

from kspace_denoise import sim
from kspace_denoise.cli.chain import interference_in
from kspace_denoise.cli.common import progress
from kspace_denoise.cli.timing import sequence_in
from kspace_denoise.scan import Scan
from kspace_denoise.snr import scan_snr
from kspace_denoise.stages import KnownNoise

_TISSUE = "white"


def describe_reach(scan: Scan, noise: KnownNoise | str) -> dict[str, Any]:
    """Return what `info` says of SNR and field; None, with the reason, where there is none."""
    return {**_snr(scan, noise), **_fields(scan, noise)}


def _snr(scan: Scan, noise: KnownNoise | str) -> dict[str, Any]:
    interference = interference_in(scan.header)
    if isinstance(noise, str):
        return _no_snr("the noise is not known")
    if interference is not None:
        return _no_snr("interference would count as signal")
    try:
        return {"snr": scan_snr(scan, noise, progress=lambda i: progress(i, "measure SNR"))}
    except ValueError as error:
        return _no_snr(str(error))


def _no_snr(reason: str) -> dict[str, Any]:
    return {"snr": None, "no_snr_because": reason}


def _fields(scan: Scan, noise: KnownNoise | str) -> dict[str, Any]:
    """Return the highest field for noise of body and coil, by the header's sequence if it says it.

    Above it the source holds more noise than a scan of that field would. With a sequence that for
    body noise alone stands beside it, which without one is the scan's own field.
    """
    if isinstance(noise, str) or scan.field_strength is None:
        missing = "noise" if isinstance(noise, str) else "field of the scan"
        return {"highest_field_T": None, "highest_field_for": f"the {missing} is not known"}
    told = sequence_in(scan.header)
    if told is None:
        return _highest(noise, scan.field_strength, "relaxation left out")
    name, sequence = told
    keywords = {"sequence": sequence, "tissue": _TISSUE}
    words = f"{name}, {_TISSUE} matter"
    body = _highest(noise, scan.field_strength, words, "body", **keywords)
    return {
        **_highest(noise, scan.field_strength, words, **keywords),
        "highest_field_body_noise_T": body["highest_field_T"],
    }


def _highest(
    noise: KnownNoise, field: float, words: str, noise_law: str = "mixed", **keywords: Any
) -> dict[str, Any]:
    label = f"noise of body and coil, {words}"
    try:
        highest = sim.highest_field(noise.covariance, field, noise_law=noise_law, **keywords)
    except ValueError as error:
        return {"highest_field_T": None, "highest_field_for": f"{label}: {error}"}
    return {"highest_field_T": highest, "highest_field_for": label}
