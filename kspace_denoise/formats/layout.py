"""Writer of our HDF5 layout, which is that of fastMRI with more beside it.

Scans: `kspace`, `mask`, `noise_covariance`, `noise_profile`, `noise_spectrum`, `trajectory`, and
what fastMRI's own loader asks for: an `ismrmrd_header`, made where there is none, and of fully
sampled k-space `reconstruction_rss`. Images: `reconstruction` (or `reconstruction_rss`,
`reconstruction_esc`, as the header says) with `noise_sigma` beside it. The header goes into
attributes, `ismrmrd_header` and `provenance` (JSON) into datasets.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import h5py
import numpy as np

from kspace_denoise.formats.create import CheckDisk, create_hdf5
from kspace_denoise.formats.fastmri import RECONSTRUCTIONS, SCAN_ARRAYS
from kspace_denoise.formats.ismrmrd_writer import new_header
from kspace_denoise.formats.rss_writer import RssWriter
from kspace_denoise.provenance import to_json
from kspace_denoise.scan import Images, LazySlices, Numpy, Scan

Progress: TypeAlias = Callable[[Iterable[int]], Iterable[int]]

_OUTSIDE_ATTRIBUTES = {
    "ismrmrd_header",
    "ismrmrd",
    "provenance",
    "notes",
    "dataset",
    "detectors",
    "mrd",
}


def write_hdf5(
    path: str | Path,
    content: Scan | Images,
    extra: Mapping[str, Numpy | LazySlices] | None = None,
    progress: Progress | None = None,
) -> None:
    """Write a scan slice by slice, or images, so that reading gives back every bit.

    The file appears when it is complete; on failure nothing is left. `extra` are further datasets
    by name; of those that are read when asked for, each slice is written after that of k-space.
    `progress` wraps the slice numbers of a scan.

    Raises:
        TypeError: if the content is neither, or a header entry cannot be an attribute.
        FileNotFoundError, ValueError: if the folder is missing or `path` is a folder.
        OSError: if the disk is full.
    """
    if not isinstance(content, (Scan, Images)):
        raise TypeError(f"cannot write a {type(content).__name__}, expected a Scan or Images")
    with create_hdf5(path) as (file, check_disk):
        for name, values in (extra or {}).items():
            if isinstance(values, LazySlices):
                file.create_dataset(name, values.shape, values.dtype)
            else:
                _write_array(file, name, values)
        if isinstance(content, Scan):
            lazy = {n: v for n, v in (extra or {}).items() if isinstance(v, LazySlices)}
            _write_scan(file, content, lazy, progress or iter, check_disk)
        else:
            _write_images(file, content)


def _write_scan(
    file: h5py.File,
    scan: Scan,
    extra: Mapping[str, LazySlices],
    progress: Progress,
    check_disk: CheckDisk,
) -> None:
    header = dict(scan.header)
    _set_unless_said(header, "field_strength_T", scan.field_strength)
    _set_unless_said(header, "readout_axis", scan.readout_axis)
    header.setdefault("ismrmrd_header", new_header(scan))
    header.setdefault("acquisition", header.get("contrast", "unknown"))
    header.setdefault("patient_id", "unknown")
    write_header(file, header)
    for name in SCAN_ARRAYS:
        values = getattr(scan, name)
        if values is not None:
            _write_array(file, name, values)
    if scan.trajectory is not None:
        file["trajectory"] = np.asarray(scan.trajectory, np.float32)
        file["trajectory"].attrs["image_shape"] = scan.image_shape
    magnitudes = RssWriter(file, scan)
    dataset = file.create_dataset("kspace", scan.kspace.shape, scan.kspace.dtype)
    for index in progress(range(len(scan.kspace))):
        kspace = scan.kspace[index]
        dataset[index] = kspace
        magnitudes.write(index, kspace)
        for name, slices in extra.items():
            file[name][index] = slices[index]
        check_disk()
    magnitudes.finish()


def _set_unless_said(header: dict[str, Any], name: str, value: float | None) -> None:
    """Set an attribute from the scan; where the scan does not know, keep the header's words."""
    if value is not None:
        header[name] = value
    elif not isinstance(header.get(name), str):
        header[name] = "unknown"


def _write_images(file: h5py.File, images: Images) -> None:
    name = images.header.get("dataset")
    write_header(file, images.header)
    _write_array(file, name if name in RECONSTRUCTIONS else "reconstruction", images.data)
    for name in ("affine", "bval", "bvec"):
        if getattr(images, name) is not None:
            _write_array(file, name, getattr(images, name))
    if images.sigma is not None:
        _write_array(file, "noise_sigma", np.asarray(images.sigma))


def _write_array(file: h5py.File, name: str, values: Numpy) -> None:
    file.create_dataset(name, data=values)


def _attribute(value: Any) -> Any:
    texts = isinstance(value, (list, tuple)) and any(isinstance(v, str) for v in value)
    return np.array(value, dtype=h5py.string_dtype()) if texts else value


def write_header(file: h5py.File, header: Mapping[str, Any]) -> None:
    """Write a header into attributes and datasets.

    Raises:
        TypeError: if an entry cannot be an attribute.
    """
    for name, value in header.items():
        if name in _OUTSIDE_ATTRIBUTES or value is None:
            continue
        try:
            file.attrs[name] = _attribute(value)
        except (TypeError, ValueError, OSError, RuntimeError) as error:
            raise TypeError(
                f"header entry {name!r} is a {type(value).__name__} that does not fit into an "
                f"HDF5 attribute ({error})"
            ) from error
    if "ismrmrd_header" in header:
        file["ismrmrd_header"] = header["ismrmrd_header"]
    for name in ("provenance", "mrd"):
        if name in header:
            file[name] = to_json(header[name])
