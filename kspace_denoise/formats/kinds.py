"""What a file of raw k-space is, as far as it can be told."""

import re
from pathlib import Path
from typing import Any

from kspace_denoise.formats.ismrmrd_header import FIELD_OF_VIEW_UNKNOWN

M4RAW_FIELD = 0.3
"""Field strength in tesla of all M4Raw scans (Lyu et al., Sci. Data 10:264, 2023)."""

_M4RAW_NAME = re.compile(r".+_(?:T1|T2|FLAIR|GRE)\d{2}")
_M4RAW_SHAPE = (4, 256, 256)
_FASTMRI_ATTRIBUTES = {"acquisition", "max", "norm", "patient_id"}


def is_m4raw(path: str | Path, shape: tuple[int, ...]) -> bool:
    """Tell whether k-space `(slices, coils, ky, kx)` of this file is a repetition of M4Raw.

    Its header does not say so: four coils, a matrix of 256 x 256 and the file's name must do.
    """
    named = _M4RAW_NAME.fullmatch(Path(path).stem) is not None
    return named and tuple(shape[1:]) == _M4RAW_SHAPE


def is_fastmri(header: dict[str, Any]) -> bool:
    """Tell whether the header is that of the fastMRI layout as its authors write it."""
    return "ismrmrd_header" in header or header.keys() >= _FASTMRI_ATTRIBUTES


def kind_of(path: str | Path, header: dict[str, Any], shape: tuple[int, ...]) -> str:
    """Return what to call a file of raw k-space."""
    made_by = header.get("provenance")
    if isinstance(made_by, dict) and "command" in made_by:
        return "written by kspace-denoise"
    if is_m4raw(path, shape):
        return "M4Raw, one repetition"
    if "acceleration" in header and "num_low_frequency" in header:
        return "fastMRI, test set"
    xml = str(header.get("ismrmrd_header", FIELD_OF_VIEW_UNKNOWN))
    ours = FIELD_OF_VIEW_UNKNOWN in xml  # a header that was made where there was none
    return "HDF5 in the fastMRI layout" if ours else "fastMRI"
