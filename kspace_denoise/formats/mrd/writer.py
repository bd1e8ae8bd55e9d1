"""Writer of ISMRMRD files: every sampled line an acquisition, every image an image."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np

from kspace_denoise.formats.create import CheckDisk, create_hdf5
from kspace_denoise.formats.ismrmrd_writer import fitting_header, new_header
from kspace_denoise.formats.mrd.encoding import encoding_of
from kspace_denoise.formats.mrd.images import RECORD, write_images
from kspace_denoise.formats.mrd.lines import check_lines, ismrmrd, scan_lines, turned
from kspace_denoise.formats.mrd.reader import ARRAYS
from kspace_denoise.provenance import to_json
from kspace_denoise.scan import Images, Scan

GROUP = "dataset"
"""The name that every ISMRMRD tool looks for first."""


def write_mrd(path: str | Path, content: Scan | Images) -> None:
    """Write a scan as acquisitions, slice by slice, or images; the file appears when complete.

    The header is the scan's own where it fits the k-space, else one that does. What ISMRMRD has no
    place for (mask, noise covariance, profile and spectrum, attributes) stands beside the
    acquisitions, so that reading gives back every bit of the lines that the mask leaves.

    Raises:
        ValueError, TypeError: as `check_lines`.
        FileNotFoundError: if the folder does not exist.
        ModuleNotFoundError: if the package ismrmrd is missing.
    """
    ismrmrd()
    with create_hdf5(path) as (file, check_disk):
        group = file.create_group(GROUP)
        if isinstance(content, Images):
            write_images(group, content)
        else:
            _write_scan(group, content, check_disk)


def _write_scan(group: h5py.Group, scan: Scan, check_disk: CheckDisk) -> None:
    sampled, _ = check_lines(scan)
    _, _, ny, nx = turned(scan.kspace.shape, scan)
    xml = _valid(fitting_header(scan, (nx, ny))) or new_header(scan)
    group.create_dataset("xml", data=[xml.encode()], dtype=h5py.special_dtype(vlen=bytes))
    record: dict[str, Any] = {
        "readout_axis": scan.readout_axis,
        "field_strength": scan.field_strength,
        "header": {k: v for k, v in scan.header.items() if k != "ismrmrd"},
    }
    group[RECORD] = to_json(record)
    for name in ARRAYS:
        if getattr(scan, name) is not None:
            group[name] = getattr(scan, name)
    dtype = ismrmrd().hdf5.acquisition_dtype
    data = group.create_dataset("data", (int(sampled.sum()),), dtype, chunks=(1,), maxshape=(None,))
    done = 0
    for lines in scan_lines(scan, encoding_of(xml)[0].centre):
        rows = np.empty(len(lines.heads), dtype)
        rows["head"] = lines.heads
        flat = lines.samples.reshape(len(rows), -1).view(np.float32)
        for row, values in zip(rows, flat, strict=True):
            row["traj"], row["data"] = np.empty(0, np.float32), values
        data[done : done + len(rows)] = rows
        done += len(rows)
        check_disk()


def _valid(xml: str) -> str | None:
    """Return a header if other programs can read it: M4Raw's and others lack what the schema asks.

    Whatever is wrong with it comes from the parser of the package as one of many errors.
    """
    try:
        ismrmrd().xsd.CreateFromDocument(xml)
    except Exception:
        return None
    return xml
