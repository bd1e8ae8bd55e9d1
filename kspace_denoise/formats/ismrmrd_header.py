"""The ISMRMRD XML header that travels inside fastMRI files."""

import contextlib
import xml.etree.ElementTree as ElementTree
from typing import Any

FIELD_OF_VIEW_UNKNOWN = "not known, 1 mm pixels assumed"
RECON_SIZE_UNKNOWN = "not known, that of k-space assumed"
"""What headers say that had to be made without knowing the one or the other."""


def parse_header(xml: str) -> tuple[dict[str, Any], str | None]:
    """Return what an ISMRMRD header says of field, matrices and sequence, and a note.

    A header that cannot be read stops nothing: the dictionary is then empty and the note says why.
    Matrices are `[x, y, z]`, as in the header; x is the readout direction. Elements are found
    whatever their namespace (M4Raw has headers that are not valid ISMRMRD).
    """
    if "<!ENTITY" in xml:
        return {}, "ismrmrd_header not read: it declares XML entities, which ISMRMRD has no use for"
    try:
        root = ElementTree.fromstring(xml)
        found = {
            "field_strength_T": _number(root, "systemFieldStrength_T"),
            "relative_noise_bandwidth": _number(root, "relativeReceiverNoiseBandwidth"),
            "encoded_matrix": _triple(root, "encodedSpace", "matrixSize"),
            "encoded_field_of_view_mm": _unless(
                root, FIELD_OF_VIEW_UNKNOWN, "encodedSpace", "fieldOfView_mm"
            ),
            "recon_matrix": _unless(root, RECON_SIZE_UNKNOWN, "reconSpace", "matrixSize"),
            "recon_field_of_view_mm": _unless(
                root, FIELD_OF_VIEW_UNKNOWN, "reconSpace", "fieldOfView_mm"
            ),
            "phase_encoding_limits": _limits(root, "kspace_encoding_step_1"),
            "average_limits": _limits(root, "average"),
            "trajectory": _text(root, "encoding/{*}trajectory"),
            "calibration_mode": _text(root, "calibrationMode"),
            "sequence": _sequence(root),
        }
    except (ElementTree.ParseError, ValueError) as error:
        return {}, f"ismrmrd_header not read: {error}"
    return {name: value for name, value in found.items() if value is not None}, None


_TIMING = {
    "TR": "repetition_time_ms",
    "TE": "echo_time_ms",
    "TI": "inversion_time_ms",
    "flipAngle_deg": "flip_angle_deg",
}


def _sequence(root: ElementTree.Element) -> dict[str, Any] | None:
    """Return what is said of the sequence, in milliseconds and degrees; of lists the first."""
    found: dict[str, Any] = {}
    for tag, name in _TIMING.items():
        element = root.find(f".//{{*}}sequenceParameters/{{*}}{tag}")
        with contextlib.suppress(ValueError):  # "N/A" says nothing
            if element is not None:
                found[name] = float(element.text or "")
    kind = root.find(".//{*}sequenceParameters/{*}sequence_type")
    if kind is not None and kind.text:
        found["type"] = kind.text.strip()
    return found or None


def _number(root: ElementTree.Element, tag: str) -> float | None:
    element = root.find(f".//{{*}}{tag}")
    return None if element is None else float(element.text or "")


def _triple(root: ElementTree.Element, space: str, tag: str) -> list[float] | None:
    parts = [root.find(f".//{{*}}{space}/{{*}}{tag}/{{*}}{axis}") for axis in "xyz"]
    if any(part is None for part in parts):
        return None
    numbers = [float(part.text or "") for part in parts if part is not None]
    return [int(n) if n.is_integer() else n for n in numbers]


def _unless(root: ElementTree.Element, remark: str, space: str, tag: str) -> list[float] | None:
    """Return a triple, unless the header remarks that it was made without knowing it."""
    remarks = [element.text for element in root.iterfind(".//{*}userParameterString/{*}value")]
    return None if remark in remarks else _triple(root, space, tag)


def _text(root: ElementTree.Element, path: str) -> str | None:
    element = root.find(f".//{{*}}{path}")
    return None if element is None or not element.text else element.text.strip()


def _limits(root: ElementTree.Element, counter: str) -> dict[str, int] | None:
    """Return the first, central and last value of a counter of the encoding."""
    limits = root.find(f".//{{*}}encodingLimits/{{*}}{counter}")
    if limits is None:
        return None
    found = {name: limits.find(f"{{*}}{name}") for name in ("minimum", "center", "maximum")}
    return {name: int(e.text or "") for name, e in found.items() if e is not None} or None
