"""Reader of HDF5 files in the fastMRI layout, our own files included.

A scan has `kspace` (slices, coils, ky, kx), or (slices, ky, kx) from a single coil, and possibly
`mask`, `noise_covariance`, `noise_profile`, `ismrmrd_header`. Images are in `reconstruction`,
`reconstruction_rss` or `reconstruction_esc`; `noise_sigma` belongs to the first of these.
"""

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from kspace_denoise.formats.hdf5 import (
    attributes,
    contents,
    dataset_names,
    lazy_slices,
    open_hdf5,
    read_array,
)
from kspace_denoise.formats.ismrmrd_header import parse_header
from kspace_denoise.scan import Images, LazySlices, Numpy, Scan

RECONSTRUCTIONS = ("reconstruction", "reconstruction_rss", "reconstruction_esc")
_FASTMRI_ATTRIBUTES = {"acquisition", "max", "norm", "patient_id"}
_NOT_IMAGES = {"kspace", "noise", "mask", "noise_covariance", "noise_profile", "noise_sigma"}


def read_hdf5(path: str | Path, dataset: str | None = None) -> Scan | Images:
    """Read a scan where the file holds k-space, else its images.

    `dataset` names the image dataset to read, where there are several.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is damaged or holds nothing that can be read.
    """
    with open_hdf5(path) as file:
        if dataset is None and "kspace" in file:
            return _read_scan(path, file)
        return _read_images(path, file, dataset)


def read_images(path: str | Path, dataset: str | None = None) -> Images:
    """Read the images of a file, also of one that holds k-space beside them.

    Raises:
        FileNotFoundError, ValueError: as `read_hdf5`, and if there are no images.
    """
    with open_hdf5(path) as file:
        return _read_images(path, file, dataset)


def image_sets(path: str | Path) -> dict[str, tuple[int, ...]]:
    """Return the name and shape of each set of integer-coded images `(slices, y, x)`."""
    with open_hdf5(path) as file:
        return {name: file[name].shape for name in _coded(file)}


def _read_scan(path: str | Path, file: h5py.File) -> Scan:
    header = _read_header(file)
    return Scan(
        kspace=_kspace(path, file),
        mask=_optional(file, "mask"),
        noise_covariance=_optional(file, "noise_covariance"),
        noise_profile=_optional(file, "noise_profile"),
        field_strength=_field_strength(header),
        readout_axis=_readout_axis(header),
        header=header,
    )


def _kspace(path: str | Path, file: h5py.File) -> LazySlices:
    dataset = file["kspace"]
    if not isinstance(dataset, h5py.Dataset):
        raise ValueError(f"{path}: `kspace` is a group, expected a dataset")
    if dataset.dtype.kind != "c":
        raise ValueError(
            f"{path}: kspace is {dataset.dtype}, expected complex64 or complex128: magnitudes "
            "cannot stand in for k-space"
        )
    if dataset.ndim not in (3, 4) or 0 in dataset.shape:
        raise ValueError(
            f"{path}: kspace has shape {dataset.shape}, expected (slices, coils, ky, kx), or "
            "(slices, ky, kx) from a single coil"
        )
    if not any(read_array(dataset, i).any() for i in _from_the_middle(len(dataset))):
        raise ValueError(f"{path}: kspace holds zeros only")
    return lazy_slices(path, dataset)


def _from_the_middle(count: int) -> list[int]:
    """Return the slices in the order in which signal is likely to be met."""
    return sorted(range(count), key=lambda i: abs(i - count // 2))


def _read_images(path: str | Path, file: h5py.File, dataset: str | None) -> Images:
    name = _image_dataset(path, file, dataset)
    data, scale = read_array(file[name]), file[name].attrs.get("scale")
    if data.dtype.kind in "iu":
        if scale is None:
            raise ValueError(
                f"{path}: {name} is {data.dtype} without a `scale` attribute, so the values of "
                "its pixels are not known"
            )
        data = (data * float(scale)).astype(np.float32)
    first = next((known for known in RECONSTRUCTIONS if known in file), None)
    sigma = _optional(file, "noise_sigma") if name == first else None
    header = _read_header(file)
    header["dataset"] = name
    return Images(
        data=data,
        sigma=_number_or_map(sigma),
        affine=_optional(file, "affine"),
        bval=_optional(file, "bval"),
        bvec=_optional(file, "bvec"),
        header=header,
    )


def _image_dataset(path: str | Path, file: h5py.File, wanted: str | None) -> str:
    if wanted is not None:
        if wanted not in dataset_names(file):
            raise ValueError(f"{path} has no dataset {wanted!r}; it holds {contents(file)}")
        return wanted
    known = [name for name in RECONSTRUCTIONS if name in dataset_names(file)]
    coded = _coded(file)
    if known or len(coded) == 1:
        return (known or coded)[0]
    if coded:
        raise ValueError(
            f"{path} holds {len(coded)} sets of images: {', '.join(coded)}; name one, as in "
            f"kspace_denoise.read(path, dataset={coded[0]!r})"
        )
    if "noise" in file:
        raise ValueError(f"{path} is a noise scan, not an image or k-space: give it as --noise")
    raise ValueError(
        f"{path} has neither `kspace` nor {', '.join(RECONSTRUCTIONS)}; it holds {contents(file)}"
    )


def _coded(file: h5py.File) -> list[str]:
    """Return the image datasets that hold integers and the scale that decodes them."""
    names = [name for name in dataset_names(file) if name not in _NOT_IMAGES]
    return [name for name in names if file[name].ndim == 3 and "scale" in file[name].attrs]


def _optional(file: h5py.File, name: str) -> Numpy | None:
    return read_array(file[name]) if name in dataset_names(file) else None


def _number_or_map(sigma: Numpy | None) -> float | Numpy | None:
    return float(sigma) if sigma is not None and sigma.ndim == 0 else sigma


def _read_header(file: h5py.File) -> dict[str, Any]:
    """Return the attributes, the ISMRMRD header and what it says, provenance, and notes."""
    header, notes = attributes(file)
    for name in ("ismrmrd_header", "provenance"):
        if name in dataset_names(file):
            header[name] = _text(file[name])
    if "ismrmrd_header" in header:
        header["ismrmrd"], note = parse_header(header["ismrmrd_header"])
        notes += [note] if note else []
    if "provenance" in header:
        try:
            header["provenance"] = json.loads(header["provenance"])
        except ValueError as error:
            notes.append(f"provenance not read: {error}")
    if notes:
        header["notes"] = notes
    return header


def _text(dataset: h5py.Dataset) -> str:
    value = dataset[()]
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _field_strength(header: dict[str, Any]) -> float | None:
    """Return tesla from the attribute or the ISMRMRD header; words such as 'unknown' are None."""
    for value in (
        header.get("field_strength_T"),
        header.get("ismrmrd", {}).get("field_strength_T"),
    ):
        if isinstance(value, (int, float)) and value > 0:
            return float(value)
    return None


def _readout_axis(header: dict[str, Any]) -> int | None:
    """Return the readout axis; fastMRI, which does not say, has it on axis -2."""
    if "readout_axis" in header:
        value = header["readout_axis"]
        return value if value in (-1, -2) else None
    is_fastmri = "ismrmrd_header" in header or header.keys() >= _FASTMRI_ATTRIBUTES
    return -2 if is_fastmri else None
