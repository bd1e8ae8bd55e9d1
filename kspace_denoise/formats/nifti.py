"""NIfTI images, three- or four-dimensional, with b-values and directions beside them."""

import base64
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from kspace_denoise.formats.atomic import atomic, check_place
from kspace_denoise.formats.gradients import read_bval, read_bvec, write_gradients
from kspace_denoise.optional import optional
from kspace_denoise.scan import Images, Numpy

SUFFIXES = (".nii.gz", ".nii")
HEADER = "nifti_header"
"""Under which an image's own header travels, in base64: orientation, units, description."""


def is_nifti(path: str | Path) -> bool:
    """Tell whether a file is NIfTI, by its name."""
    return str(path).lower().endswith(SUFFIXES)


def stem(path: str | Path) -> Path:
    """Return the name without `.nii` or `.nii.gz`."""
    path = Path(path)
    suffix = next(s for s in SUFFIXES if path.name.lower().endswith(s))
    return path.with_name(path.name[: -len(suffix)])


def read_nifti(
    path: str | Path, bval: str | Path | None = None, bvec: str | Path | None = None
) -> Images:
    """Read images `(volumes, slices, y, x)`, or `(slices, y, x)`, x being the file's first axis.

    Integers are scaled as the file says. The noise map is that of `NAME_noise_sigma` beside the
    file. b-values and directions are read from the files given, or else from those beside it of the
    same name, ending in `.bval` and `.bvec`. Voxels that are NaN in all volumes, as masks leave
    them, are set to 0, with a warning.

    Raises:
        FileNotFoundError: if a file is missing.
        ValueError: if it is damaged or holds no image, or b-values or directions do not fit.
    """
    nib = nibabel()
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    try:
        image: Any = nib.load(path)
        data = np.asanyarray(image.dataobj)
    except (nib.filebasedimages.ImageFileError, OSError, EOFError, ValueError) as error:
        raise ValueError(f"{path} cannot be read as NIfTI: {error}") from None
    volumes = _as_volumes(path, data)
    data = _without_nan(path, volumes)
    count = len(data) if data.ndim == 4 else 1
    b_values = beside(path, "bval", bval)
    directions = beside(path, "bvec", bvec)
    values = None if b_values is None else read_bval(b_values)
    if values is not None and len(values) != count:
        raise ValueError(f"{b_values} has {len(values)} b-values, and {path} {count} volumes")
    vectors = None if directions is None else read_bvec(directions, count)
    header: dict[str, Any] = {"dataset": "NIfTI"}
    header[HEADER] = base64.b64encode(image.header.binaryblock).decode("ascii")
    sigma = sigma_beside(path)
    return Images(
        data=data,
        sigma=read_nifti(sigma).data if sigma.exists() else None,
        affine=np.asarray(image.affine),
        bval=values,
        bvec=vectors,
        header=header,
    )


def write_nifti(path: str | Path, images: Images) -> None:
    """Write images, and beside them b-values, directions and noise, with the header they came with.

    The noise map, or the level in every voxel, is written as `NAME_noise_sigma`.

    Raises:
        FileNotFoundError, ValueError: if the folder is missing, or the images have more than four
            axes.
    """
    nib = nibabel()
    path = Path(path)
    check_place(path)
    if images.data.ndim > 4:
        raise ValueError(
            f"{path}: images have shape {images.data.shape}, and what NIfTI holds here is "
            "(volumes, slices, y, x)"
        )
    header = None
    if HEADER in images.header:
        block = base64.b64decode(images.header[HEADER])
        header = nib.Nifti1Header(block, check=False)
        header.set_slope_inter(1, 0)
        header.set_data_dtype(images.data.dtype)
    affine = np.eye(4) if images.affine is None else images.affine
    image = nib.Nifti1Image(images.data.T, affine, header)
    with atomic(path) as temporary:
        named = temporary.with_name(temporary.name + "".join(Path(path.name).suffixes[-2:]))
        try:
            nib.save(image, named)
            named.replace(temporary)
        finally:
            named.unlink(missing_ok=True)
    if images.bval is not None:
        write_gradients(stem(path), images.bval, images.bvec)
    if images.sigma is not None:
        level = np.asarray(images.sigma, images.data.real.dtype)
        everywhere = np.broadcast_to(level, images.data.shape).copy()
        write_nifti(sigma_beside(path), Images(data=everywhere, affine=images.affine))


def sigma_beside(path: Path) -> Path:
    """Return where the noise map of a NIfTI file stands."""
    own = stem(path).name
    return path.with_name(f"{own}_noise_sigma{path.name[len(own) :]}")


def nibabel() -> Any:
    """Import what reads and writes NIfTI."""
    return optional("nibabel", "NIfTI needs", "dmri")


def beside(path: Path, suffix: str, given: str | Path | None = None) -> Path | None:
    """Return the file that was given, or that beside the image, or None."""
    if given is not None:
        return Path(given)
    beside = stem(path).with_name(f"{stem(path).name}.{suffix}")
    return beside if beside.is_file() else None


def _as_volumes(path: Path, data: Numpy) -> Numpy:
    """Return the image with x last, in single precision unless it is double."""
    data = data.squeeze(axis=tuple(a for a in range(4, data.ndim) if data.shape[a] == 1))
    if data.dtype.kind not in "iufc" or not 2 <= data.ndim <= 4 or 0 in data.shape:
        raise ValueError(
            f"{path} holds {data.dtype} of shape {data.shape}, expected numbers along 2 to 4 axes"
        )
    kind = np.complex64 if data.dtype.kind == "c" else np.float32
    turned = data.T if data.ndim > 2 else data.T[None]
    return np.ascontiguousarray(turned, dtype=kind)


def _without_nan(path: Path, data: Numpy) -> Numpy:
    """Return the image with voxels that are NaN in every volume set to 0.

    Raises:
        ValueError: if a voxel is NaN or infinite in some of them.
    """
    if np.isfinite(data).all():
        return data
    nan = np.isnan(data)
    blank = nan.all(axis=0) if data.ndim == 4 else nan
    if not np.isfinite(np.where(blank, 0, data)).all():
        raise ValueError(
            f"{path} holds voxels that are NaN or infinite in some volumes only: repair them, or "
            "leave these volumes out"
        )
    warnings.warn(
        f"{path}: {int(blank.sum())} of {blank.size} voxels are NaN and were set to 0",
        UserWarning,
        stacklevel=3,
    )
    return np.where(blank, 0, data).astype(data.dtype)
