"""Volumes of a folder that is laid out like M4Raw: one file per study, contrast and repetition."""

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from skimage.restoration import estimate_sigma

import kspace_denoise as kd
from benchmarks.quality.repetitions import reconstruct
from benchmarks.quality.volumes import Numpy, Volume
from kspace_denoise import recon
from kspace_denoise.crop import centre_crop
from kspace_denoise.formats import read_repetitions
from kspace_denoise.fourier import ifft2c
from kspace_denoise.scan import LazySlices, Scan

CONTRASTS = {"T1": "T1w", "T2": "T2w", "FLAIR": "FLAIR"}
"""Contrasts by their name in file names."""
FOLDERS = {"train": "multicoil_train", "validation": "multicoil_val", "test": "multicoil_test"}
NOISE_FREE = "noise_free"
"""Folder beside these that holds the same scans without noise, where they were simulated."""

_FIRST = re.compile(r"(?P<study>.+)_(?P<contrast>T1|T2|FLAIR)01")


def split_folder(folder: Path, split: str) -> Path:
    """Return the folder of a split; what M4Raw calls validation stands in for a missing test set.

    Raises:
        FileNotFoundError: if it is not there; the message says what is expected.
    """
    for name in (FOLDERS[split], *([FOLDERS["validation"]] if split == "test" else [])):
        if (folder / name).is_dir():
            return folder / name
    raise FileNotFoundError(
        f"{folder} has no folder {FOLDERS[split]}: expected that of M4Raw, with "
        f"{', '.join(FOLDERS.values())} and files such as 2022061003_T101.h5 in them"
    )


def volumes(folder: Path, split: str) -> Iterator[Volume]:
    """Yield every study and contrast of a split as complex SENSE images in SNR units.

    Raises:
        FileNotFoundError: if the split is missing or holds no first repetition.
    """
    for path, study, contrast in _first_repetitions(folder, split):
        noise_free = folder / NOISE_FREE / path.parent.name / path.name
        clean = kd.read(noise_free) if noise_free.exists() else None
        assert clean is None or isinstance(clean, Scan)
        scans = [acquired(scan) for scan in read_repetitions(path)]
        yield reconstruct(study, contrast, scans, clean)


def paper_volumes(folder: Path, split: str) -> Iterator[Volume]:
    """Yield the same as the paper sees them: magnitudes, each slice scaled to [0, 1] by itself.

    The root sum of squares of every repetition is scaled by its own minimum and maximum, and sigma
    is estimated by the wavelet estimator of scikit-image. Scores compare what is clipped to [0, 1]
    with the mean of all scaled repetitions over the whole image, data range 1.

    Raises:
        FileNotFoundError: as `volumes`.
    """
    for path, study, contrast in _first_repetitions(folder, split):
        images = np.stack([_scaled_rss(scan) for scan in read_repetitions(path)])
        sigma = float(np.mean([_estimated(image) for image in images[0]]))
        yield Volume(study, contrast, images, sigma, 1.0, clip=True)


def acquired(scan: Scan) -> Scan:
    """Return the scan without the empty lines at the edges of its k-space.

    M4Raw acquires 195 of 256 lines and fills the rest with zeros, which colours the noise of the
    images. The smallest central window that holds all acquired lines has white noise again, of the
    same sigma; its pixels are larger along y.
    """
    lines = np.flatnonzero(np.any(scan.kspace[len(scan.kspace) // 2] != 0, axis=(0, 2)))
    count, coils, ny, nx = scan.kspace.shape
    size = max(2 * (ny // 2 - int(lines[0])), 2 * (int(lines[-1]) - ny // 2) + 1)
    if size >= ny or scan.mask is not None:
        return scan
    cropped = LazySlices(
        (count, coils, size, nx),
        scan.kspace.dtype,
        lambda index: centre_crop(scan.kspace[index], (size, nx)),
    )
    return dataclasses.replace(scan, kspace=cropped)


def _scaled_rss(scan: Scan) -> Numpy:
    images = recon.rss(ifft2c(scan.kspace[:]))
    low, high = (f(images, axis=(-2, -1), keepdims=True) for f in (np.min, np.max))
    return np.asarray((images - low) / (high - low), np.float32)


def _first_repetitions(folder: Path, split: str) -> list[tuple[Path, str, str]]:
    """Return the file, the study and the contrast of every first repetition."""
    place = split_folder(folder, split)
    found = [(path, _FIRST.fullmatch(path.stem)) for path in sorted(place.glob("*.h5"))]
    first = [(path, m["study"], CONTRASTS[m["contrast"]]) for path, m in found if m is not None]
    if not first:
        raise FileNotFoundError(
            f"{place} holds no first repetition of M4Raw, such as 2022061003_T101.h5"
        )
    return first


def _estimated(image: Numpy) -> float:
    """Return the noise level that the paper assumes (Donoho and Johnstone, Biometrika 81:425)."""
    return float(estimate_sigma(image))  # type: ignore[no-untyped-call]
