"""The ISMRMRD XML header that travels inside fastMRI files."""

import xml.etree.ElementTree as ElementTree
from typing import Any


def parse_header(xml: str) -> tuple[dict[str, Any], str | None]:
    """Return what an ISMRMRD header says of the field strength and the matrices, and a note.

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
            "encoded_matrix": _triple(root, "encodedSpace", "matrixSize"),
            "recon_matrix": _triple(root, "reconSpace", "matrixSize"),
            "recon_field_of_view_mm": _triple(root, "reconSpace", "fieldOfView_mm"),
            "phase_encoding_limits": _limits(root),
        }
    except (ElementTree.ParseError, ValueError) as error:
        return {}, f"ismrmrd_header not read: {error}"
    return {name: value for name, value in found.items() if value is not None}, None


def _number(root: ElementTree.Element, tag: str) -> float | None:
    element = root.find(f".//{{*}}{tag}")
    return None if element is None else float(element.text or "")


def _triple(root: ElementTree.Element, space: str, tag: str) -> list[float] | None:
    parts = [root.find(f".//{{*}}{space}/{{*}}{tag}/{{*}}{axis}") for axis in "xyz"]
    if any(part is None for part in parts):
        return None
    numbers = [float(part.text or "") for part in parts if part is not None]
    return [int(n) if n.is_integer() else n for n in numbers]


def _limits(root: ElementTree.Element) -> dict[str, int] | None:
    """Return the first, central and last line of the phase encoding."""
    limits = root.find(".//{*}encodingLimits/{*}kspace_encoding_step_1")
    if limits is None:
        return None
    found = {name: limits.find(f"{{*}}{name}") for name in ("minimum", "center", "maximum")}
    return {name: int(e.text or "") for name, e in found.items() if e is not None} or None
