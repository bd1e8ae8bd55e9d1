"""A minimal valid ISMRMRD header for k-space that comes without one, as fastMRI's loader needs."""

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from typing import Any

from kspace_denoise.crop import recon_matrix
from kspace_denoise.formats.ismrmrd_header import (
    FIELD_OF_VIEW_UNKNOWN,
    RECON_SIZE_UNKNOWN,
    parse_header,
)
from kspace_denoise.scan import Scan

NAMESPACE = "http://www.ismrm.org/ISMRMRD"
_PROTON_HZ_PER_TESLA = 42.577478518e6  # CODATA 2018

_TRAJECTORIES = {"radial": "radial", "golden-angle": "goldenangle", "spiral": "spiral"}
_TIMING = {
    "TR": "repetition_time_ms",
    "TE": "echo_time_ms",
    "TI": "inversion_time_ms",
    "flipAngle_deg": "flip_angle_deg",
    "sequence_type": "type",
}


def new_header(scan: Scan) -> str:
    """Return an ISMRMRD header with the matrices of a scan, its field and its timing.

    x is the readout: ky where the readout axis is -2 or not known (as in fastMRI), else kx. The
    field of view, which ISMRMRD demands, is not known; pixels of 1 mm stand in, and say so, as does
    a size of images that had to be assumed.
    """
    remarks = {"field_of_view": FIELD_OF_VIEW_UNKNOWN}
    encoded: tuple[int, ...] = scan.image_shape or scan.kspace.shape[-2:]
    recon = encoded
    try:
        recon = recon_matrix(scan)
    except ValueError:
        remarks["recon_size"] = RECON_SIZE_UNKNOWN
    step = 1 if scan.readout_axis != -1 else -1
    field = scan.field_strength
    root = ElementTree.Element("ismrmrdHeader", xmlns=NAMESPACE)
    system = _add(root, "acquisitionSystemInformation")
    if field is not None:
        _add(system, "systemFieldStrength_T", f"{field:g}")
    _add(system, "receiverChannels", scan.kspace.shape[1])
    conditions = _add(root, "experimentalConditions")
    _add(conditions, "H1resonanceFrequency_Hz", round((field or 0) * _PROTON_HZ_PER_TESLA))
    _add_encoding(root, encoded[::step], recon[::step], scan)
    _add_sequence(root, scan.header.get("ismrmrd", {}).get("sequence", {}))
    parameters = _add(root, "userParameters")
    for name, value in remarks.items():
        remark = _add(parameters, "userParameterString")
        _add(remark, "name", name)
        _add(remark, "value", value)
    ElementTree.indent(root, " ")
    text = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n'


def fitting_header(scan: Scan, matrix: tuple[int, int]) -> str:
    """Return the header of a scan where its encoding is that of the k-space `(x, y)`, else one.

    Of a header with another matrix (fastMRI pads its k-space) the matrix and the limits of its
    lines are changed, DC at n // 2; one without any encoding (M4Raw) gives way to a new one.
    """
    xml = scan.header.get("ismrmrd_header")
    said = parse_header(str(xml))[0] if xml is not None else {}
    if "encoded_matrix" not in said:
        return new_header(scan)
    xml, (nx, ny) = str(xml), matrix
    limits = said.get("phase_encoding_limits") or {}
    first, last = limits.get("minimum", 0), limits.get("maximum", ny - 1)
    centred = limits.get("center", ny // 2) - first == ny // 2 and last - first == ny - 1
    if said["encoded_matrix"] == [nx, ny, 1] and centred:
        return xml
    values = {"x": nx, "y": ny, "z": 1}
    xml = _replaced(xml, ("encodedSpace", "matrixSize"), values)
    lines = {"minimum": 0, "maximum": ny - 1, "center": ny // 2}
    return _replaced(xml, ("encodingLimits", "kspace_encoding_step_1"), lines)


def _replaced(xml: str, path: tuple[str, str], values: Mapping[str, int]) -> str:
    """Return a header with other numbers in the first element of that path, if there is one."""
    parent = "".join(rf"<(?:\w+:)?{name}\s*>.*?" for name in path)
    found = re.search(rf"{parent}</(?:\w+:)?{path[-1]}>", xml, re.DOTALL)
    if found is None:
        return xml
    block = found[0]
    start = block.rindex(path[-1], 0, len(block) - len(path[-1]) - 1)
    head, inside = block[:start], block[start:]
    for tag, value in values.items():
        inside = re.sub(rf"(<(?:\w+:)?{tag}>)[^<]*(</)", rf"\g<1>{value}\g<2>", inside)
    return xml[: found.start()] + head + inside + xml[found.end() :]


def changed_header(
    xml: str,
    field: float | None = None,
    sequence: Mapping[str, Any] | None = None,
    trajectory: str | None = None,
) -> str:
    """Return a header that says another field (tesla), sequence or trajectory; all else stays.

    `sequence` has the names that `parse_header` gives, in milliseconds and degrees; it takes the
    place of the one that the header says. A field or trajectory that it does not say is not added.
    """
    values = {}
    if sequence:
        xml = _with_sequence(xml, sequence)
    if field is not None:
        values["systemFieldStrength_T"] = f"{field:g}"
        values["H1resonanceFrequency_Hz"] = f"{round(field * _PROTON_HZ_PER_TESLA)}"
    if trajectory is not None:
        values["trajectory"] = _TRAJECTORIES.get(trajectory, "other")
    for tag, value in values.items():
        xml = re.sub(rf"(<(?:\w+:)?{tag}>)[^<]*(</)", rf"\g<1>{value}\g<2>", xml)
    return xml


def _with_sequence(xml: str, sequence: Mapping[str, Any]) -> str:
    """Replace type and timing in `sequenceParameters`, or put them where the schema has them."""
    name = r"(?:(\w+):)?"
    prefix = re.search(rf"<{name}ismrmrdHeader", xml)
    p = f"{prefix[1]}:" if prefix and prefix[1] else ""
    lines = [f"<{p}{tag}>{sequence[k]}</{p}{tag}>" for tag, k in _TIMING.items() if k in sequence]
    parent = rf"<{name}sequenceParameters\s*(?:/>|>(?P<old>.*?)</{name}sequenceParameters>)"
    found = re.search(parent, xml, re.DOTALL)
    if found:
        timing = rf"<({name}({'|'.join(_TIMING)}))>[^<]*</\1>"
        others = re.sub(timing, "", found["old"] or "").split()
        lines += [" ".join(others)] if others else []
    inside = "".join(f"  {line}\n" for line in lines)
    block = f"<{p}sequenceParameters>\n{inside} </{p}sequenceParameters>"
    if found:
        return xml[: found.start()] + block + xml[found.end() :]
    after = rf"<{name}(?:userParameters|waveformInformation)\b|</{name}ismrmrdHeader>"
    return re.sub(after, lambda m: f" {block}\n{m[0]}", xml, count=1)


def _add(parent: ElementTree.Element, tag: str, value: Any = None) -> ElementTree.Element:
    element = ElementTree.SubElement(parent, tag)
    element.text = None if value is None else str(value)
    return element


def _add_encoding(
    root: ElementTree.Element, encoded: tuple[int, ...], recon: tuple[int, ...], scan: Scan
) -> None:
    """Add the encoding (x, y): every line acquired, DC at n // 2."""
    encoding = _add(root, "encoding")
    for space, (x, y) in (("encodedSpace", encoded), ("reconSpace", recon)):
        parent = _add(encoding, space)
        for tag in ("matrixSize", "fieldOfView_mm"):
            size = _add(parent, tag)
            for axis, length in zip("xyz", (x, y, 1), strict=True):
                _add(size, axis, length)
    limits = _add(encoding, "encodingLimits")
    for tag, count in (("kspace_encoding_step_1", encoded[1]), ("slice", len(scan.kspace))):
        limit = _add(limits, tag)
        for name, value in (("minimum", 0), ("maximum", count - 1)):
            _add(limit, name, value)
        _add(limit, "center", count // 2)
    kind = str(scan.header.get("trajectory_kind"))
    other = "cartesian" if scan.trajectory is None else "other"
    _add(encoding, "trajectory", _TRAJECTORIES.get(kind, other))


def _add_sequence(root: ElementTree.Element, said: dict[str, Any]) -> None:
    if said:
        parent = _add(root, "sequenceParameters")
        for tag, name in _TIMING.items():
            if name in said:
                _add(parent, tag, said[name])
