"""Other formats for what is written slice by slice: as HDF5 first, then converted."""

import contextlib
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from kspace_denoise.formats.atomic import atomic, check_place
from kspace_denoise.formats.bart import SUFFIXES as BART
from kspace_denoise.formats.bart import write_bart
from kspace_denoise.formats.fastmri import read_hdf5, read_images
from kspace_denoise.formats.hdf5 import SUFFIXES, dataset_names, open_hdf5
from kspace_denoise.formats.layout import write_hdf5
from kspace_denoise.formats.mrd import write_mrd
from kspace_denoise.formats.mrd.lines import ismrmrd
from kspace_denoise.formats.nifti import SUFFIXES as NIFTI
from kspace_denoise.formats.nifti import is_nifti, nibabel, write_nifti
from kspace_denoise.provenance import to_json
from kspace_denoise.scan import Images, Numpy, Scan

WRITTEN = (*SUFFIXES, ".mrd", *BART, *NIFTI)
"""How names end that can be written."""


def check_output(path: str | Path, kspace: bool = False) -> None:
    """Refuse a name that cannot be written, before the work is done; of `kspace` NIfTI, too.

    Raises:
        ValueError: if the suffix is unknown, or `path` is a folder.
        FileNotFoundError: if the folder does not exist.
        ModuleNotFoundError: if the format needs a package that is missing.
    """
    known = tuple(s for s in WRITTEN if not (kspace and s in NIFTI))
    if not Path(path).name.lower().endswith(known):
        what = "k-space" if kspace else "what is written"
        raise ValueError(f"{path}: the name of {what} ends in {', '.join(known)}")
    check_place(Path(path))
    if is_nifti(path):
        nibabel()
    elif Path(path).suffix.lower() == ".mrd":
        ismrmrd()


def write(path: str | Path, content: Scan | Images) -> None:
    """Write a scan or images; the suffix of the name chooses the format.

    `.h5` (fastMRI layout), `.mrd` (ISMRMRD) and `.cfl` (BART) take both, `.nii` and `.nii.gz` take
    images, see `write_nifti`. The file appears once it is complete. Reading it gives the same bits
    back.

    Raises:
        ValueError: if the suffix is unknown, `path` is a folder, or the format cannot hold it.
        FileNotFoundError: if the folder does not exist.
        TypeError: if the content is neither a `Scan` nor `Images`, k-space for NIfTI, or in double
            precision for ISMRMRD and BART.
    """
    if not isinstance(content, (Scan, Images)):
        raise TypeError(f"cannot write a {type(content).__name__}, expected a Scan or Images")
    suffix = Path(path).suffix.lower()
    if is_nifti(path):
        if not isinstance(content, Images):
            raise TypeError(f"{path}: NIfTI holds images, not a {type(content).__name__}")
        write_nifti(path, content)
        return
    check_output(path)
    writers: dict[str, Any] = {".mrd": write_mrd, **dict.fromkeys(BART, write_bart)}
    writers.get(suffix, write_hdf5)(path, content)


@contextlib.contextmanager
def through_hdf5(path: str | Path) -> Iterator[Path]:
    """Yield where HDF5 is to be written; its content appears at `path`, in the format of that name.

    Images that stand beside the first become files of their own, `NAME_noisy.nii.gz` and so on, and
    NIfTI gets the provenance as `NAME.json`.

    Raises:
        FileNotFoundError, ValueError, TypeError: as `write`.
    """
    path = Path(path)
    if path.suffix.lower() in SUFFIXES:
        yield path
        return
    check_output(path)
    temporary = path.with_name(f".{path.name[:50]}.{secrets.token_hex(4)}.h5")
    try:
        yield temporary
        content = read_hdf5(temporary)
        if isinstance(content, Scan):
            write(path, content)
        else:
            _write_images(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _write_images(source: Path, path: Path) -> None:
    images = read_images(source)
    first = images.header["dataset"]
    write(path, images)
    with open_hdf5(source) as file:
        known = (first, "noise_sigma")  # which go with the images
        others = [n for n in dataset_names(file) if n not in known and file[n].ndim >= 3]
        arrays: dict[str, Numpy] = {name: np.asarray(file[name]) for name in others}
    for name, values in arrays.items():
        header = {**images.header, "dataset": name}
        more = Images(data=values, affine=images.affine, header=header)
        write(path.with_name(f"{_stem(path)}_{name}{path.name[len(_stem(path)) :]}"), more)
    if is_nifti(path) and "provenance" in images.header:
        with atomic(path.with_name(f"{_stem(path)}.json")) as temporary:
            temporary.write_text(to_json({"provenance": images.header["provenance"]}) + "\n")


def _stem(path: Path) -> str:
    suffix = next(s for s in sorted(WRITTEN, key=len)[::-1] if path.name.lower().endswith(s))
    return path.name[: -len(suffix)]
