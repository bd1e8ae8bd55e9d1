"""Volumes of a folder that is laid out like M4Raw: one file per study, contrast and repetition."""

import dataclasses
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from skimage.restoration import estimate_sigma

import kspace_denoise as kd
from benchmarks.quality.acquired import cut_empty_lines
from benchmarks.quality.repetitions import reconstruct
from benchmarks.quality.volumes import Numpy, Volume
from kspace_denoise import recon
from kspace_denoise.formats import read_repetitions
from kspace_denoise.fourier import ifft2c
from kspace_denoise.scan import Scan

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


def check(folder: Path, splits: Iterable[str]) -> None:
    """Look whether a folder has files for each split, without reading them.

    Raises:
        FileNotFoundError: as `volumes`.
    """
    for split in splits:
        _first_repetitions(folder, split)


def volumes(folder: Path, split: str) -> Iterator[Volume]:
    """Yield every study and contrast of a split as complex SENSE images in SNR units.

    Empty lines at the edges of k-space are cut off. Repetitions are turned into the phase of the
    first, but where a noise-free scan stands beside them: simulated ones have one phase.

    Raises:
        FileNotFoundError: if the split is missing or holds no first repetition.
        ValueError: if a file is damaged, blank, or holds one side of k-space only.
    """
    for path, study, contrast in _first_repetitions(folder, split):
        noise_free = folder / NOISE_FREE / path.parent.name / path.name
        clean = kd.read(noise_free) if noise_free.exists() else None
        assert clean is None or isinstance(clean, Scan)
        try:
            scans, clean = cut_empty_lines(read_repetitions(path), clean)
            volume = reconstruct(study, contrast, scans, clean, align=clean is None)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
        yield dataclasses.replace(volume, source=str(path.absolute()))


def first_repetition(path: Path) -> Scan:
    """Return the k-space that the first image of a volume was made from."""
    return cut_empty_lines(read_repetitions(path))[0][0]


def paper_volumes(folder: Path, split: str) -> Iterator[Volume]:
    """Yield magnitudes, each slice scaled to [0, 1] by itself, scored as M4Raw's demo scores.

    The root sum of squares of every repetition is scaled by its own minimum and maximum, slice by
    slice. For the test set the middle repetition, K // 2 from 0, stands first and is denoised. It
    is clipped to [0, 1] and compared with the mean of all scaled repetitions, itself included,
    over the whole image, data range 1. All that is what the denoising demo of M4Raw does.

    Of the Corruption2Self paper less is known: that test labels are means of all repetitions, and
    that sigma comes from the wavelet estimator of scikit-image, as here. Which repetition it
    denoises or trains on is not; here the first one is trained on. The demo, which is supervised,
    draws one at random, and its training label contains it, which ours does not.

    Raises:
        FileNotFoundError: as `volumes`.
    """
    for path, study, contrast in _first_repetitions(folder, split):
        images = np.stack([_scaled_rss(scan) for scan in read_repetitions(path)])
        if split == "test":
            images = _middle_first(images)
        sigma = float(np.mean([_estimated(image) for image in images[0]]))
        yield Volume(study, contrast, images, sigma, 1.0, clip=True)


def _scaled_rss(scan: Scan) -> Numpy:
    images = recon.rss(ifft2c(scan.kspace[:]))
    low, high = (f(images, axis=(-2, -1), keepdims=True) for f in (np.min, np.max))
    width = np.where(high > low, high - low, 1)  # of a blank slice there is nothing to scale
    return np.asarray((images - low) / width, np.float32)


def _middle_first(images: Numpy) -> Numpy:
    middle = len(images) // 2
    return np.concatenate([images[middle : middle + 1], images[:middle], images[middle + 1 :]])


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
