"""What is trained on and scored: slices of one subject in one contrast, all repetitions."""

import dataclasses
import json
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from benchmarks.quality.locks import hold
from benchmarks.quality.records import Origin, check_same
from kspace_denoise.formats.atomic import atomic

Numpy: TypeAlias = np.ndarray[Any, Any]


@dataclasses.dataclass(frozen=True, eq=False)
class Volume:
    """Slices of one subject in one contrast.

    `images` (repetitions, slices, y, x) are noisy, complex or magnitude, with `sigma` per real
    component; repetitions stand in the same unit, through the same coil maps. The first one is
    trained on, or denoised. `truth` (slices, y, x) is noise-free. Scores are taken where `mask`
    (slices, y, x) is true, or everywhere, with `data_range`; where `clip` is set, results are
    clipped to [0, data_range] before, as some papers do. `source` is the file of k-space that the
    first image was made from, where there is one.
    """

    subject: str
    contrast: str
    images: Numpy
    sigma: float
    data_range: float
    truth: Numpy | None = None
    mask: Numpy | None = None
    clip: bool = False
    source: str | None = None

    def average(self, with_input: bool) -> Numpy | None:
        """Return the mean of all repetitions, with or without the first; None of one alone."""
        if len(self.images) < 2:
            return None
        return np.asarray(self.images[0 if with_input else 1 :].mean(axis=0))

    def magnitudes(self) -> "Volume":
        """Return the same volume as magnitude images, whose noise is Rician."""
        truth = None if self.truth is None else np.abs(self.truth)
        return dataclasses.replace(self, images=np.abs(self.images), truth=truth, source=None)


_MADE_OF = "made_of.json"
_ARRAYS = ("images", "truth", "mask")


def save_volume(folder: Path, volume: Volume) -> None:
    """Write a volume as a folder of arrays, which appears by rename."""
    partial = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    for name in _ARRAYS:
        if getattr(volume, name) is not None:
            np.save(partial / f"{name}.npy", getattr(volume, name))
    rest = {"subject", "contrast", "sigma", "data_range", "clip", "source"}
    record = {name: getattr(volume, name) for name in sorted(rest)}
    (partial / "volume.json").write_text(json.dumps(record))
    partial.rename(folder)


def load_volume(folder: Path) -> Volume:
    """Read a volume; its arrays stay on disk until they are used."""
    arrays = {
        name: np.load(folder / f"{name}.npy", mmap_mode="r")
        for name in _ARRAYS
        if (folder / f"{name}.npy").exists()
    }
    return Volume(**arrays, **json.loads((folder / "volume.json").read_text()))


def kept_volumes(
    folder: Path, made_of: Origin, make: Callable[[], Iterable[Volume]]
) -> list[Volume]:
    """Return the volumes of a folder, made first if they are not there.

    A process that finds another one making them waits; what a killed one left is completed. What
    they are `made_of` is written beside them.

    Raises:
        ValueError: if the folder holds volumes that are made of something else.
    """
    done = folder / "complete"
    with hold(folder.with_suffix(".lock")):
        if not done.exists():
            _begin(folder, made_of)
            for index, volume in enumerate(make()):
                place = folder / f"{index:04d}-{volume.subject}-{volume.contrast}"
                if not place.exists():
                    save_volume(place, volume)
            done.touch()
        check_same(folder, _made_of(folder), made_of)
    return list(_all(folder))


def _begin(folder: Path, made_of: Origin) -> None:
    """Make the folder, or see that what a killed process left in it is of the same kind."""
    folder.mkdir(parents=True, exist_ok=True)
    if any(not path.name.startswith(".") for path in folder.iterdir()):
        check_same(folder, _made_of(folder), made_of)
    else:
        with atomic(folder / _MADE_OF) as temporary:
            temporary.write_text(json.dumps(made_of, indent=1))


def _made_of(folder: Path) -> Origin | None:
    path = folder / _MADE_OF
    return json.loads(path.read_text()) if path.exists() else None


def _all(folder: Path) -> Iterator[Volume]:
    for place in sorted(folder.iterdir()):
        if place.is_dir() and not place.name.startswith("."):
            yield load_volume(place)
