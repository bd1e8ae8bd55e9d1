"""Files in and out, one module per format; `read` and `write` choose by name and contents."""

from pathlib import Path

from kspace_denoise.formats.bart import SUFFIXES as BART_SUFFIXES
from kspace_denoise.formats.bart import read_bart
from kspace_denoise.formats.convert import check_output, through_hdf5, write
from kspace_denoise.formats.fastmri import image_sets, read_hdf5
from kspace_denoise.formats.fastmri import read_images as _read_images
from kspace_denoise.formats.hdf5 import check_file
from kspace_denoise.formats.image_writer import ImageWriter, image_writer
from kspace_denoise.formats.kinds import kind_of
from kspace_denoise.formats.layout import write_hdf5
from kspace_denoise.formats.mrd import is_mrd, read_mrd
from kspace_denoise.formats.mrd.noise import dwell_factor
from kspace_denoise.formats.nifti import is_nifti, read_nifti, write_nifti
from kspace_denoise.formats.noise import Noise, is_noise_scan, read_noise
from kspace_denoise.formats.repetitions import read_repetitions, repetitions
from kspace_denoise.scan import Images, Scan

__all__ = [
    "ImageWriter",
    "Noise",
    "check_output",
    "dwell_factor",
    "image_sets",
    "image_writer",
    "is_mrd",
    "is_nifti",
    "is_noise_scan",
    "kind_of",
    "read",
    "read_images",
    "read_nifti",
    "read_noise",
    "read_repetitions",
    "repetitions",
    "through_hdf5",
    "write",
    "write_hdf5",
    "write_nifti",
]


def read(path: str | Path, dataset: str | None = None) -> Scan | Images:
    """Read raw k-space as a `Scan`, or a file without k-space as `Images`.

    K-space is read slice by slice when it is asked for: `scan.kspace[i]`, `scan.kspace[:]`.
    HDF5 in the fastMRI layout or ISMRMRD's, told by what is in it, BART's `.cfl` and NIfTI.
    `dataset` names the images to read where a file holds several sets, the group where an ISMRMRD
    file holds several series, and of a `.cfl` whether it is "kspace" or "images". b-values and
    directions of a diffusion scan in NIfTI are read from the files beside it; see `read_nifti` for
    others.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is damaged, of a format not known, or holds nothing of use.
    """
    path = Path(path)
    check_file(path)
    if path.suffix.lower() in BART_SUFFIXES:
        return read_bart(path, dataset)
    if is_nifti(path):
        return read_nifti(path)
    if is_mrd(path):
        return read_mrd(path, dataset)
    return read_hdf5(path, dataset)


def read_images(path: str | Path, dataset: str | None = None) -> Images:
    """Read the images of a file, also of one that holds k-space beside them.

    Raises:
        FileNotFoundError, ValueError: as `read`, and if there are no images.
    """
    if Path(path).suffix.lower() in BART_SUFFIXES or is_mrd(path):
        content = read(path, dataset)
        if not isinstance(content, Images):
            raise ValueError(f"{path} holds k-space and no images")
        return content
    return _read_images(path, dataset)
