"""What the attributes and datasets around an array say: the header of a `Scan` or of `Images`."""

import json
from pathlib import Path
from typing import Any

import h5py

from kspace_denoise.formats.hdf5 import attributes, dataset_names
from kspace_denoise.formats.ismrmrd_header import parse_header
from kspace_denoise.formats.kinds import M4RAW_FIELD, is_fastmri, is_m4raw


def read_header(file: h5py.File) -> dict[str, Any]:
    """Return the attributes, the ISMRMRD header and what it says, provenance, and notes."""
    header, notes = attributes(file)
    for name in ("ismrmrd_header", "provenance", "mrd"):
        if name in dataset_names(file):
            header[name] = _text(file[name])
    if "ismrmrd_header" in header:
        header["ismrmrd"], note = parse_header(header["ismrmrd_header"])
        notes += [note] if note else []
    for name in {"provenance", "mrd"} & header.keys():
        try:
            header[name] = json.loads(header[name])
        except ValueError as error:
            notes.append(f"{name} not read: {error}")
    if notes:
        header["notes"] = notes
    return header


def field_strength(
    path: str | Path, header: dict[str, Any], shape: tuple[int, ...]
) -> float | None:
    """Return tesla from the attribute, the ISMRMRD header, or what is known of the data set.

    Words such as 'unknown' are None.
    """
    said = header.get("ismrmrd", {}).get("field_strength_T")
    for value in (header.get("field_strength_T"), said):
        if isinstance(value, (int, float)) and value > 0:
            return float(value)
    return M4RAW_FIELD if is_m4raw(path, shape) else None


def readout_axis(header: dict[str, Any]) -> int | None:
    """Return the readout axis; fastMRI, which does not say, has it on axis -2."""
    if "readout_axis" in header:
        value = header["readout_axis"]
        return value if value in (-1, -2) else None
    return -2 if is_fastmri(header) else None


def _text(dataset: h5py.Dataset) -> str:
    value = dataset[()]
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
