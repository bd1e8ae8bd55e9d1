"""Images in ISMRMRD files."""

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from kspace_denoise.formats.hdf5 import read_array
from kspace_denoise.formats.mrd.geometry import affine_of, place_slices
from kspace_denoise.formats.mrd.lines import ismrmrd
from kspace_denoise.provenance import to_json
from kspace_denoise.scan import Images, Numpy

RECORD = "kspace_denoise"
"""What ISMRMRD has no place for, as JSON beside the data."""

_ARRAYS = ("sigma", "affine", "bval", "bvec")
_DATA_TYPES = {"u2": 1, "i2": 2, "u4": 3, "i4": 4, "f4": 5, "f8": 6, "c8": 7, "c16": 8}
_MAGNITUDE, _REAL, _COMPLEX = 1, 3, 5


def image_groups(group: h5py.Group) -> list[str]:
    """Return the names of the sets of images in a series."""
    return [
        name
        for name, item in group.items()
        if isinstance(item, h5py.Group) and {"data", "header"} <= set(item)
    ]


def read_mrd_images(path: str | Path, group: h5py.Group) -> Images:
    """Read the images of a series `(slices, y, x)`; of several sets those of the first.

    Raises:
        ValueError: if they have several coils each, or are damaged.
    """
    names = image_groups(group)
    chosen = group[names[0]]
    data = _numbers(read_array(chosen["data"]))
    heads = np.asarray(chosen["header"][:])
    if data.ndim != 5 or data.shape[1] != 1:
        raise ValueError(
            f"{path}: its images {data.shape} (image, coil, z, y, x) are of several coils each, "
            "expected combined images"
        )
    data = data[:, 0]
    data = data[:, 0] if data.shape[1] == 1 else data.reshape(-1, *data.shape[2:])
    header: dict[str, Any] = {"dataset": names[0]}
    if "xml" in group:
        header["ismrmrd_header"] = bytes(group["xml"][0]).decode(errors="replace")
    if RECORD in chosen:
        header |= json.loads(chosen[RECORD][()])["header"]
    stored = {name: np.asarray(chosen[name]) for name in _ARRAYS if name in chosen}
    sigma = stored.pop("sigma", None)
    if "affine" not in stored and len(heads) == len(data):
        extent = heads["field_of_view"][0].tolist()
        affine = affine_of(heads, data.shape[-2:], (extent[0], extent[1], extent[2]))
        if affine is not None:
            stored["affine"] = affine
    if RECORD in chosen:
        data = data.reshape(json.loads(chosen[RECORD][()])["shape"])
    number = sigma is not None and sigma.ndim == 0
    return Images(data=data, sigma=float(sigma) if number else sigma, header=header, **stored)  # type: ignore[arg-type]


def write_images(group: h5py.Group, images: Images) -> None:
    """Write images as one set, each with its place where that is known."""
    data = np.ascontiguousarray(images.data).reshape(-1, *images.data.shape[-2:])
    _, ny, nx = data.shape
    heads = np.zeros(len(data), ismrmrd().hdf5.image_header_dtype)
    heads["version"], heads["channels"] = 1, 1
    heads["data_type"] = _DATA_TYPES[data.dtype.str[1:]]
    heads["image_type"] = _COMPLEX if data.dtype.kind == "c" else _REAL
    if data.dtype.kind == "f" and (data >= 0).all():
        heads["image_type"] = _MAGNITUDE
    heads["matrix_size"] = (nx, ny, 1)
    heads["slice"] = heads["image_index"] = np.arange(len(data))
    if images.affine is not None:
        scale = np.linalg.norm(images.affine[:3, :3], axis=0)
        heads["field_of_view"] = scale * (nx, ny, 1)
        for name, values in place_slices(images.affine, (ny, nx), len(data)).items():
            heads[name] = values
    chosen = group.create_group("image_0")
    kind = np.dtype([("real", data.real.dtype), ("imag", data.real.dtype)])
    stored = data.view(kind) if data.dtype.kind == "c" else data
    chosen["data"], chosen["header"] = stored[:, None, None], heads
    empty = np.array([b""] * len(data), dtype=object)
    chosen.create_dataset("attributes", data=empty, dtype=h5py.special_dtype(vlen=bytes))
    chosen[RECORD] = to_json({"header": images.header, "shape": images.data.shape})
    for name in _ARRAYS:
        if getattr(images, name) is not None:
            chosen[name] = getattr(images, name)
    if "ismrmrd_header" in images.header:
        xml = [str(images.header["ismrmrd_header"]).encode()]
        group.create_dataset("xml", data=xml, dtype=h5py.special_dtype(vlen=bytes))


def _numbers(data: Numpy) -> Numpy:
    """Return complex numbers where they are stored as pairs, and integers as float32."""
    if data.dtype.names == ("real", "imag"):
        part = data.dtype["real"]
        return data.view(np.complex64 if part.itemsize == 4 else np.complex128)
    return data if data.dtype.kind in "fc" else data.astype(np.float32)
