"""Files in and out, one module per format; `read` and `write` choose by name and contents."""

from pathlib import Path

from kspace_denoise.formats.atomic import check_place
from kspace_denoise.formats.fastmri import image_sets, read_hdf5, read_images
from kspace_denoise.formats.hdf5 import SUFFIXES, check_file
from kspace_denoise.formats.image_writer import ImageWriter, image_writer
from kspace_denoise.formats.kinds import kind_of
from kspace_denoise.formats.layout import write_hdf5
from kspace_denoise.formats.nifti import is_nifti, read_nifti, write_nifti
from kspace_denoise.formats.noise import Noise, is_noise_scan, read_noise
from kspace_denoise.formats.repetitions import read_repetitions, repetitions
from kspace_denoise.scan import Images, Scan

__all__ = [
    "ImageWriter",
    "Noise",
    "check_output",
    "image_sets",
    "image_writer",
    "is_nifti",
    "is_noise_scan",
    "kind_of",
    "read",
    "read_images",
    "read_nifti",
    "read_noise",
    "read_repetitions",
    "repetitions",
    "write",
    "write_hdf5",
    "write_nifti",
]

_LATER = (".mrd", ".cfl", ".hdr")


def read(path: str | Path, dataset: str | None = None) -> Scan | Images:
    """Read raw k-space as a `Scan`, or a file without k-space as `Images`.

    K-space is read slice by slice when it is asked for: `scan.kspace[i]`, `scan.kspace[:]`.
    `dataset` names the images to read where a file holds several sets. b-values and directions of a
    diffusion scan in NIfTI are read from the files beside it; see `read_nifti` for others.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is damaged, of a format not known, or holds nothing of use.
    """
    path = Path(path)
    check_file(path)
    _refuse_later(path, "read")
    if is_nifti(path):
        return read_nifti(path)
    return read_hdf5(path, dataset)


def write(path: str | Path, content: Scan | Images) -> None:
    """Write a scan or images; the suffix of the name chooses the format.

    `.h5` takes both, `.nii` and `.nii.gz` take images, see `write_nifti`. The file appears once it
    is complete. Reading it gives the same bits back.

    Raises:
        ValueError: if the suffix is unknown or `path` is a folder.
        FileNotFoundError: if the folder does not exist.
        TypeError: if the content is neither a `Scan` nor `Images`, or k-space for NIfTI.
    """
    if is_nifti(path):
        if not isinstance(content, Images):
            raise TypeError(f"{path}: NIfTI holds images, not a {type(content).__name__}")
        write_nifti(path, content)
        return
    check_output(path)
    write_hdf5(path, content)


def check_output(path: str | Path) -> None:
    """Refuse a name that commands cannot write HDF5 to, before the work is done.

    Raises:
        ValueError, FileNotFoundError: as `write`.
    """
    path = Path(path)
    if is_nifti(path):
        raise ValueError(
            f"{path}: what is written here ends in {' or '.join(SUFFIXES)}; NIfTI is for a later "
            "version, except by `denoise` of diffusion scans (--model mppca, patch2self or one "
            "trained by ddm2) and by kd.write"
        )
    _refuse_later(path, "written")
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(f"{path}: what can be written ends in {' or '.join(SUFFIXES)}")
    check_place(path)


def _refuse_later(path: Path, done: str) -> None:
    later = next((suffix for suffix in _LATER if path.name.lower().endswith(suffix)), None)
    if later is not None:
        raise ValueError(
            f"{path}: {later} belongs to a later version; what can be {done} now is "
            f"{' and '.join(SUFFIXES)} (fastMRI layout)"
        )
