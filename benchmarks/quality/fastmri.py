"""fastMRI's own images with added noise: the experiment of the Corruption2Self paper."""

import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks.quality.magnitude import noisy_volume
from benchmarks.quality.volumes import Volume
from kspace_denoise.crop import centre_crop
from kspace_denoise.formats import read_images
from kspace_denoise.formats.fastmri import RECONSTRUCTIONS
from kspace_denoise.formats.hdf5 import SUFFIXES, dataset_names, open_hdf5

SIZE = 320
SINGLE_COIL = "reconstruction_esc"
FOLDERS = {
    "train": ("singlecoil_train", "multicoil_train"),
    "test": ("singlecoil_test", "multicoil_test", "singlecoil_val", "multicoil_val"),
}
"""Where a split is looked for, the first that has images; fastMRI's own test set has none."""
LISTED = "file names without a heading, separated by commas or white space, with or without .h5"
"""What a list of files holds; the public super-resolution list has a PD and a PDFS name a line."""


def volumes(
    folder: Path, split: str, level: int, names: Sequence[str] | None = None
) -> Iterator[Volume]:
    """Yield the volumes of a split, or those of a list of file names, wherever they stand.

    Images are the reconstructions that stand in the files, of single-coil data that of a single
    coil, cropped to 320 x 320 and divided by the maximum of their volume. The acquisition is the
    contrast (CORPD_FBK, CORPDFS_FBK).

    Raises:
        FileNotFoundError: if there are no such files.
        ValueError: if a file is damaged or, where it is named, has no images.
    """
    for path in _files(folder, split, names):
        images = read_images(path, _dataset(path))
        shape = (min(SIZE, images.data.shape[-2]), min(SIZE, images.data.shape[-1]))
        magnitudes = np.abs(centre_crop(images.data, shape))
        contrast = str(images.header.get("acquisition", "unknown"))
        seed = [zlib.crc32(path.stem.encode())]
        yield noisy_volume(path.stem, contrast, magnitudes, level, seed)


def read_list(path: Path) -> list[str]:
    """Return the names in a list of files, each once, without folder and suffix.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is empty.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    names = [_name(word.strip("\"'")) for word in re.split(r"[\s,]+", path.read_text())]
    listed = list(dict.fromkeys(name for name in names if name))
    if not listed:
        raise ValueError(f"{path} names no file: expected {LISTED}")
    return listed


def check_apart(folder: Path, lists: Mapping[str, Sequence[str]]) -> None:
    """Refuse to train on what is scored, be it by lists or by the folders where there are none.

    Raises:
        FileNotFoundError: as `volumes`.
        ValueError: saying how many files stand on both sides, and one of them.
    """
    train, test = ({p.stem for p in _files(folder, s, lists.get(s))} for s in ("train", "test"))
    shared = sorted(train & test)
    if shared:
        raise ValueError(
            f"{len(shared)} files are both trained on and scored, the first is {shared[0]}: give "
            "--train-list and --test-list without common names; a split without a list is "
            "all files of its folder"
        )


def _files(folder: Path, split: str, names: Sequence[str] | None) -> list[Path]:
    if names is not None:
        # Scans stand under one name in singlecoil_ and multicoil_ folders: the last one is taken.
        found = {path.stem: path for path in sorted(folder.glob("**/*.h5"))}
        lacking = [name for name in names if _name(name) not in found]
        if lacking:
            raise FileNotFoundError(
                f"{len(lacking)} of {len(names)} files of the list of {split} are not below "
                f"{folder}, the first is {lacking[0]!r}: a list holds {LISTED}"
            )
        return [found[_name(name)] for name in names]
    for name in FOLDERS[split]:
        paths = [p for p in sorted((folder / name).glob("*.h5")) if _has_images(p)]
        if paths:
            return paths
    raise FileNotFoundError(
        f"{folder} has no files with images in any of {', '.join(FOLDERS[split])}: expected the "
        "folder that holds these of fastMRI, or a list of files"
    )


def _name(text: str) -> str:
    """Return the name of a file without folder and suffix."""
    name = Path(text).name
    return Path(name).stem if name.endswith(SUFFIXES) else name


def _has_images(path: Path) -> bool:
    """Tell whether a file holds reconstructions; those of fastMRI's test sets do not."""
    with open_hdf5(path) as file:
        return not set(RECONSTRUCTIONS).isdisjoint(dataset_names(file))


def _dataset(path: Path) -> str | None:
    """Return which images are read of single-coil data; None leaves it to the reader.

    Its files hold the root sum of squares of all coils as well, which is another image.
    """
    with open_hdf5(path) as file:
        names = dataset_names(file)
        single = file["kspace"].ndim == 3 if "kspace" in names else "singlecoil" in path.parent.name
    return SINGLE_COIL if single and SINGLE_COIL in names else None
