"""One slice per contrast of what a job made, kept for the picture of the table."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.quality.volumes import Numpy, Volume
from kspace_denoise.formats.atomic import atomic


def keep_picture(work: Path, place: Path, volumes: list[Volume], outputs: list[Numpy]) -> None:
    """Keep the middle slice of the first volume of each contrast, the truth beside it."""
    images: dict[str, Numpy] = {}
    for volume, output in zip(volumes, outputs, strict=True):
        middle = len(output) // 2
        if volume.truth is not None:
            images.setdefault(f"truth-{volume.contrast}", np.asarray(volume.truth[middle]))
        images.setdefault(volume.contrast, output[middle])
    keep_images(work, place, images)


def keep_images(work: Path, place: Path, images: Mapping[str, Numpy]) -> None:
    """Keep images (y, x) by the name of their contrast."""
    path = picture_path(work, place)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **dict[str, Any](images))


def picture_path(work: Path, place: Path) -> Path:
    """Return the file of a job's picture."""
    return work / "pictures" / place.with_name(f"{place.name}.npz")
