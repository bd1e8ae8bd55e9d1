"""fastMRI's own images with added noise: the experiment of the Corruption2Self paper."""

import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarks.quality.magnitude import noisy_volume
from benchmarks.quality.volumes import Volume
from kspace_denoise.crop import centre_crop
from kspace_denoise.formats import read_images

SIZE = 320
FOLDERS = {
    "train": ("singlecoil_train", "multicoil_train"),
    "test": ("singlecoil_test", "multicoil_test", "singlecoil_val", "multicoil_val"),
}
"""Where a split is looked for, the first that has images; fastMRI's own test set has none."""


def volumes(
    folder: Path, split: str, level: int, names: Sequence[str] | None = None
) -> Iterator[Volume]:
    """Yield the volumes of a split, or those of a list of file names, wherever they stand.

    Images are the reconstructions that stand in the files, cropped to 320 x 320 and divided by the
    maximum of their volume. The acquisition is the contrast (CORPD_FBK, CORPDFS_FBK).

    Raises:
        FileNotFoundError: if there are no such files.
    """
    for path in _files(folder, split, names):
        images = read_images(path)
        shape = (min(SIZE, images.data.shape[-2]), min(SIZE, images.data.shape[-1]))
        magnitudes = np.abs(centre_crop(images.data, shape))
        contrast = str(images.header.get("acquisition", "unknown"))
        seed = [zlib.crc32(path.stem.encode())]
        yield noisy_volume(path.stem, contrast, magnitudes, level, seed)


def _files(folder: Path, split: str, names: Sequence[str] | None) -> list[Path]:
    if names is not None:
        found = {path.stem: path for path in sorted(folder.glob("**/*.h5"))}
        lacking = [name for name in names if Path(name).stem not in found]
        if lacking:
            raise FileNotFoundError(
                f"{len(lacking)} files of the list of {split} are not below {folder}, the first is "
                f"{lacking[0]}"
            )
        return [found[Path(name).stem] for name in names]
    for name in FOLDERS[split]:
        paths = [p for p in sorted((folder / name).glob("*.h5")) if _has_images(p)]
        if paths:
            return paths
    raise FileNotFoundError(
        f"{folder} has no files with images in any of {', '.join(FOLDERS[split])}: expected the "
        "folder that holds these of fastMRI, or a list of files"
    )


def _has_images(path: Path) -> bool:
    """Tell whether a file holds reconstructions; those of fastMRI's test sets do not."""
    try:
        read_images(path)
    except ValueError:
        return False
    return True
