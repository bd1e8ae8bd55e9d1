"""What the provenance in a file tells of the simulations that made it."""

from collections.abc import Iterator
from typing import Any

from kspace_denoise.formats.fastmri import DETECTORS


def simulations(header: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the parameters of every simulation that led to a file, the last one first."""
    return _nested(header.get("provenance"))


DECLARED_FREE = "declared free of noise"
"""What the provenance calls the source of noise that is none."""


def is_free_of_noise(header: dict[str, Any]) -> bool:
    """Tell whether a file was simulated without noise, from a source that has none."""
    made_by = header.get("provenance")
    last = next(simulations(header), None)
    if last is None or not isinstance(made_by, dict):
        return False
    return last.get("source_noise") == DECLARED_FREE and made_by.get("sigma") is None


def interference_in(header: dict[str, Any]) -> str | None:
    """Return in words what is known of interference in the k-space, None where nothing is."""
    found = [done["interference"] for done in simulations(header) if done.get("interference")]
    if found:
        return " and ".join(f"{item['ratio']:g} x the noise" for item in found)
    count = header.get("detectors")
    return None if count is None else f"{count} detectors, in `{DETECTORS}`"


def low_field_in(header: dict[str, Any]) -> str | None:
    """Return in one line the low fields that were simulated, the last one first."""
    found = [
        low_field_line(done["low_field"]) for done in simulations(header) if "low_field" in done
    ]
    return "; before: ".join(found) or None


def low_field_line(record: dict[str, Any]) -> str:
    """Return in one line what a low field assumed: its factor and why, the timing, the noise."""
    factor = record["relaxation_factor"]
    line = f"{record['source_field_T']:g} to {record['field_T']:g} T, f = {factor:.4g}"
    if "sequence" in record:
        line += f" ({record['tissue']['name']}, {_timing(record)})"
    else:
        line += " (given)" if record["relaxation_applied"] else " (relaxation left out)"
    line += f", {record['noise_regime']} noise"
    for name, label in (("bandwidth_ratio", "bandwidth"), ("averages_ratio", "averages")):
        if record[name] != 1:
            line += f", {label} x {record[name]:g}"
    return line


_SHORT = {
    "repetition_time": ("TR", 1000, "ms"),
    "echo_time": ("TE", 1000, "ms"),
    "inversion_time": ("TI", 1000, "ms"),
    "flip_angle": ("flip", 1, "degrees"),
}


def _timing(record: dict[str, Any]) -> str:
    """Return the kind of sequence, and each time with its origin where that is the header."""
    origin, target = record.get("timing_from", {}), record["target_sequence"]
    parts = [record["sequence"]["kind"]]
    for name, (label, scale, unit) in _SHORT.items():
        value = record["sequence"].get(name)
        if value is None:
            continue
        text = f"{label} {value * scale:g} {unit}"
        text += " from the header" if origin.get(name) == "header of IN" else ""
        changed = target[name] != value
        parts.append(text + (f", then {target[name] * scale:g}" if changed else ""))
    return ", ".join(parts)


def _nested(record: Any) -> Iterator[dict[str, Any]]:
    while isinstance(record, dict) and isinstance(record.get("parameters"), dict):
        yield record["parameters"]
        record = record["parameters"].get("source_provenance")
