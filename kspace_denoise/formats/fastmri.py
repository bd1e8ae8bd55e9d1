"""Reader of HDF5 files in the fastMRI layout, our own files included.

A scan has `kspace` (slices, coils, ky, kx), or (slices, ky, kx) from a single coil, and possibly
`mask`, `noise_covariance`, `noise_profile`, `noise_spectrum`, `ismrmrd_header`; or `trajectory`,
and k-space is (slices, coils, readouts, samples). Images are in `reconstruction`,
`reconstruction_rss` or `reconstruction_esc`; `noise_sigma` belongs to the first.
"""

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
from kspace_denoise.formats.header import field_strength, read_header, readout_axis
from kspace_denoise.formats.nifti import is_nifti, read_nifti
from kspace_denoise.formats.padding import with_padding
from kspace_denoise.scan import Images, LazySlices, Numpy, Scan

SCAN_ARRAYS = ("mask", "noise_covariance", "noise_profile", "noise_spectrum")
"""What stands beside the k-space of a scan, under the same name in the file."""

DETECTORS = "emi_kspace"
"""What detectors of interference record, `(slices, detectors, ky, kx)`."""

RECONSTRUCTIONS = ("reconstruction", "reconstruction_rss", "reconstruction_esc")
_NOT_IMAGES = {"kspace", "noise", "noise_sigma", "trajectory", DETECTORS, *SCAN_ARRAYS}
_MOST_SLICES = 16  # that are read in search of signal: opening a large file costs nothing


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
    if is_nifti(path):
        return read_nifti(path)
    with open_hdf5(path) as file:
        return _read_images(path, file, dataset)


def image_sets(path: str | Path) -> dict[str, tuple[int, ...]]:
    """Return the name and shape of each set of integer-coded images `(slices, y, x)`."""
    if not h5py.is_hdf5(path):
        return {}
    with open_hdf5(path) as file:
        return {name: file[name].shape for name in _coded(file)}


def _read_scan(path: str | Path, file: h5py.File) -> Scan:
    header = read_header(file)
    kspace = _kspace(path, file)
    if DETECTORS in dataset_names(file):
        header["detectors"] = int(file[DETECTORS].shape[1])
    shape = _reconstruction_shape(file, kspace)
    if shape is not None:
        header["reconstruction_shape"] = shape
    arrays = {name: _optional(file, name) for name in SCAN_ARRAYS}
    arrays["mask"] = with_padding(arrays["mask"], header, kspace.shape[-1])
    trajectory = _optional(file, "trajectory")
    try:
        return Scan(
            trajectory=trajectory,
            image_shape=None if trajectory is None else _image_shape(file["trajectory"]),
            kspace=kspace,
            field_strength=field_strength(path, header, kspace.shape),
            readout_axis=readout_axis(header),
            header=header,
            **arrays,
        )
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _reconstruction_shape(file: h5py.File, kspace: LazySlices) -> list[int] | None:
    """Return the size of images that stand beside the k-space, where it is another one."""
    for name in RECONSTRUCTIONS:
        if name in dataset_names(file) and file[name].ndim == 3:
            shape = [int(n) for n in file[name].shape[-2:]]
            return None if shape == list(kspace.shape[-2:]) else shape
    return None


def _image_shape(trajectory: h5py.Dataset) -> tuple[int, int]:
    """Return the `(y, x)` of the images that a trajectory samples, by default its own extent."""
    shape = attributes(trajectory)[0].get("image_shape")
    if isinstance(shape, list) and len(shape) == 2:
        return int(shape[0]), int(shape[1])
    extent = [2 * round(float(np.abs(trajectory[..., axis]).max())) for axis in (0, 1)]
    return extent[0], extent[1]


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
    if _holds_zeros_only(dataset):
        raise ValueError(f"{path}: kspace holds zeros only")
    return lazy_slices(path, dataset)


def _holds_zeros_only(dataset: h5py.Dataset) -> bool:
    """Tell whether there is nothing in the k-space; of many slices, only whether any is stored."""
    if dataset.id.get_storage_size() == 0 and not dataset.is_virtual:
        return True
    count = len(dataset)
    if count > _MOST_SLICES:
        return False
    ordered = sorted(range(count), key=lambda i: abs(i - count // 2))
    return not any(read_array(dataset, i).any() for i in ordered)


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
    header = read_header(file)
    header["dataset"] = name
    try:
        return Images(
            data=data,
            sigma=_number_or_map(sigma),
            affine=_affine(file, header),
            bval=_optional(file, "bval"),
            bvec=_optional(file, "bvec"),
            header=header,
        )
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _affine(file: h5py.File, header: dict[str, Any]) -> Numpy | None:
    said = header.pop("affine", None)
    return _optional(file, "affine") if said is None else np.asarray(said, np.float64)


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
