"""BART's `.cfl` and `.hdr`: complex64, first dimension fastest, sixteen dimensions.

k-space and images have kx and x in dimension 0 (READ), ky and y in 1 (PHS1), coils in 3 (COIL),
slices in 13 (SLICE), further axes of images in 14 (TIME2). What BART has no place for (mask,
noise, header) stands in `NAME.scan.json` beside them.
"""

import base64
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kspace_denoise.formats.atomic import atomic, check_place
from kspace_denoise.formats.hdf5 import check_file
from kspace_denoise.formats.ismrmrd_header import parse_header
from kspace_denoise.provenance import to_json
from kspace_denoise.scan import Images, LazySlices, Numpy, Scan

SUFFIXES = (".cfl", ".hdr")
COIL, SLICE, FURTHER = 3, 13, 14
_DIMENSIONS = 16
_SCAN = ("mask", "noise_covariance", "noise_profile", "noise_spectrum", "trajectory")
_SCAN_WORDS = ("field_strength", "readout_axis", "image_shape")
_IMAGES = ("sigma", "affine", "bval", "bvec")


def read_bart(path: str | Path, kind: str | None = None) -> Scan | Images:
    """Read a `.cfl` and its `.hdr` as k-space `(slices, coils, ky, kx)`, or images.

    `kind` is "kspace" or "images"; without it arrays with several coils are k-space and others
    images. One of the first three dimensions is 1; where that is READ, both axes are phase-encoded.
    All dimensions but these and COIL are stacked as slices. As in BART, places that hold 0 in all
    coils were not sampled.

    Raises:
        FileNotFoundError: if one of the two files is missing.
        ValueError: if they do not fit together, are three-dimensional k-space, or `kind` is
            neither.
    """
    if kind not in (None, "kspace", "images"):
        raise ValueError(f"{kind!r} is no kind of BART array, expected 'kspace' or 'images'")
    path = Path(path)
    for suffix in SUFFIXES:
        check_file(path.with_suffix(suffix))
    shape = _shape(path)
    beside = _beside(path)
    if beside.exists():
        return _written_here(path, shape, json.loads(beside.read_text()))
    if kind is None:
        kind = "kspace" if shape[-1 - COIL] > 1 else "images"
    if kind == "images":
        data = np.fromfile(path.with_suffix(".cfl"), "<c8").reshape(shape)
        return Images(data=_images(data), header={"dataset": "BART"})
    kspace = _kspace(path, shape)
    return Scan(
        kspace=kspace,
        mask=_pattern(kspace),
        readout_axis=-1 if shape[-1] > 1 else None,
        header={"dataset": "BART"},
    )


def write_bart(path: str | Path, content: Scan | Images) -> None:
    """Write `.cfl` and `.hdr`, and beside them what only this package knows, slice by slice.

    Raises:
        TypeError: if the numbers are in double precision, which BART does not have.
        FileNotFoundError, ValueError: as `atomic`.
    """
    path = Path(path)
    data: Any = content.kspace if isinstance(content, Scan) else content.data
    if data.dtype not in (np.complex64, np.float32):
        raise TypeError(
            f"{path}: {data.dtype} does not fit into BART's complex64: convert it first"
        )
    dimensions = [1] * _DIMENSIONS
    dimensions[0], dimensions[1] = data.shape[-1], data.shape[-2]
    if isinstance(content, Scan):
        dimensions[COIL], dimensions[SLICE] = data.shape[1], data.shape[0]
    else:
        dimensions[SLICE] = data.shape[-3]
        dimensions[FURTHER] = math.prod(data.shape[:-3])
    words = " ".join(map(str, dimensions))
    beside = _beside(path)
    for one in (path.with_suffix(".hdr"), beside):
        check_place(one)
    with atomic(path.with_suffix(".cfl")) as temporary, temporary.open("wb") as file:
        for index in range(len(data)):
            np.ascontiguousarray(data[index], "<c8").tofile(file)
    with atomic(path.with_suffix(".hdr")) as temporary:
        temporary.write_text(f"# Dimensions\n{words}\n# Creator\nkspace-denoise\n")
    with atomic(beside) as temporary:
        temporary.write_text(_record(content))


def _beside(path: Path) -> Path:
    return path.with_suffix(".scan.json")


def _shape(path: Path) -> tuple[int, ...]:
    """Return the dimensions, slowest first."""
    lines = path.with_suffix(".hdr").read_text(errors="replace").splitlines()
    try:
        words = lines[lines.index("# Dimensions") + 1].split()
        dimensions = [int(word) for word in words]
    except (ValueError, IndexError):
        raise ValueError(
            f"{path.with_suffix('.hdr')} is no BART header: it has no line of numbers under "
            "'# Dimensions'"
        ) from None
    dimensions += [1] * (_DIMENSIONS - len(dimensions))
    size = path.with_suffix(".cfl").stat().st_size
    if min(dimensions) < 1 or 8 * math.prod(dimensions) != size:
        raise ValueError(
            f"{path.with_suffix('.cfl')} has {size} bytes, but its header says dimensions "
            f"{' '.join(map(str, dimensions))} of complex64"
        )
    return tuple(reversed(dimensions))


def _kspace(path: Path, shape: tuple[int, ...]) -> LazySlices:
    *more, coils = shape[:-COIL]
    space = list(shape[-COIL:])
    if 1 not in space:
        raise ValueError(
            f"{path} holds three-dimensional k-space {tuple(reversed(space))}, and slices are read "
            "here: transform one dimension first (bart fft -iu 1)"
        )
    space.remove(1)  # of several the slowest
    whole = (math.prod(more), coils, *space)
    return LazySlices(
        whole, np.complex64, CflReader(str(path.with_suffix(".cfl").absolute()), whole)
    )


@dataclass(frozen=True)
class CflReader:
    """Reads one slice of a `.cfl`."""

    path: str
    shape: tuple[int, ...]

    def __call__(self, index: int) -> Numpy:
        """Return slice `index`, complex64 `(coils, ky, kx)`."""
        size = math.prod(self.shape[1:])
        values = np.fromfile(self.path, "<c8", count=size, offset=8 * size * index)
        if values.size != size:
            raise ValueError(f"{self.path} was cut short while it was being read")
        return values.reshape(self.shape[1:])


def _pattern(kspace: LazySlices) -> Numpy | None:
    """Return what was sampled, None if it was everything."""
    mask = np.stack([(one != 0).any(axis=0) for one in kspace])
    if mask.all():
        return None
    return mask[0] if (mask == mask[0]).all() else mask


def _images(data: Numpy) -> Numpy:
    """Return an array of sixteen dimensions as `(slices, y, x)`."""
    space = [n for n in data.shape[-COIL:] if n > 1] or [1]
    if len(space) < 3:
        space = [1] * (2 - len(space)) + space
    return data.reshape(-1, *space[-2:])


def _record(content: Scan | Images) -> str:
    names = _SCAN if isinstance(content, Scan) else _IMAGES
    arrays = {n: getattr(content, n) for n in names if getattr(content, n) is not None}
    record: dict[str, Any] = {
        "header": {k: v for k, v in content.header.items() if k != "ismrmrd"},
        "arrays": {name: _coded(np.asarray(values)) for name, values in arrays.items()},
    }
    if isinstance(content, Scan):
        return to_json(record | {name: getattr(content, name) for name in _SCAN_WORDS})
    return to_json(record | {"images": content.data.shape, "dtype": content.data.dtype.str})


def _written_here(path: Path, shape: tuple[int, ...], record: dict[str, Any]) -> Scan | Images:
    header: dict[str, Any] = record["header"]
    arrays: dict[str, Any] = {n: _decoded(v) for n, v in record["arrays"].items()}
    if "ismrmrd_header" in header:
        header["ismrmrd"], _ = parse_header(header["ismrmrd_header"])
    if "images" in record:
        data = np.fromfile(path.with_suffix(".cfl"), "<c8").reshape(record["images"])
        data = data.real.copy() if record["dtype"][1] == "f" else data
        sigma = arrays.pop("sigma", None)
        number = sigma is not None and sigma.ndim == 0
        return Images(data=data, sigma=float(sigma) if number else sigma, header=header, **arrays)
    words: dict[str, Any] = {name: record[name] for name in _SCAN_WORDS}
    if words["image_shape"] is not None:
        words["image_shape"] = tuple(words["image_shape"])
    whole = (shape[-1 - SLICE], shape[-1 - COIL], shape[-2], shape[-1])
    reader = CflReader(str(path.with_suffix(".cfl").absolute()), whole)
    return Scan(kspace=LazySlices(whole, np.complex64, reader), header=header, **words, **arrays)


def _coded(values: Numpy) -> dict[str, Any]:
    data = base64.b64encode(values.tobytes()).decode("ascii")
    return {"dtype": values.dtype.str, "shape": list(values.shape), "base64": data}


def _decoded(coded: dict[str, Any]) -> Numpy:
    values = np.frombuffer(base64.b64decode(coded["base64"]), coded["dtype"])
    return values.reshape(coded["shape"]).copy()
