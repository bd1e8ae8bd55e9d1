"""Images written slice by slice, so that memory does not grow with their number."""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from kspace_denoise.formats.convert import through_hdf5
from kspace_denoise.formats.create import CheckDisk, create_hdf5
from kspace_denoise.formats.layout import write_header
from kspace_denoise.scan import Numpy, check_finite


class ImageWriter:
    """Takes the images of one slice after the other; see `image_writer`."""

    def __init__(self, file: h5py.File, slices: int, check_disk: CheckDisk) -> None:
        self._file = file
        self._slices = slices
        self._check_disk = check_disk
        self._first: int | None = None
        self._maximum, self._power = 0.0, 0.0

    def write(self, index: int, **images: Numpy) -> None:
        """Write images `(y, x)` of slice `index`, by the name of their dataset.

        The first slice that is written settles names, shapes and precision. A slice that is never
        written is zero. The attributes `max` and `norm` follow the dataset that is named first.

        Raises:
            ValueError: if names, shapes or precision differ from those of the first slice, or an
                image holds NaN or infinity.
            OSError: if the disk is full.
        """
        if self._first is None:
            self._first = index
            for name, image in images.items():
                self._file.create_dataset(name, (self._slices, *image.shape), image.dtype)
        self._check_names(index, set(images))
        for name, image in images.items():
            dataset = self._file[name]
            if (image.shape, image.dtype) != (dataset.shape[1:], dataset.dtype):
                raise ValueError(
                    f"slice {index} has {name} {image.shape} {image.dtype}, but slice "
                    f"{self._first} {dataset.shape[1:]} {dataset.dtype}"
                )
            check_finite(image, index)
            dataset[index] = image
        self._measure(next(iter(images.values())))
        self._check_disk()

    def write_header(self, header: Mapping[str, Any]) -> None:
        """Write attributes and provenance, once, at any time."""
        write_header(self._file, header)

    def finish(self) -> None:
        """Write the attributes that only the whole series has."""
        if self._first is None:
            raise ValueError("there is no image to write: every slice is blank")
        self._file.attrs["max"] = self._maximum
        self._file.attrs["norm"] = float(np.sqrt(self._power))

    def _check_names(self, index: int, names: set[str]) -> None:
        for name in sorted(names ^ {n for n in self._file if n not in _HEADER_DATASETS}):
            has, has_not = (index, self._first) if name in names else (self._first, index)
            raise ValueError(f"slice {has} has {name}, but slice {has_not} has none")

    def _measure(self, image: Numpy) -> None:
        magnitude = np.abs(image)
        self._maximum = max(self._maximum, float(magnitude.max()))
        self._power += float(np.sum(magnitude.astype(np.float64) ** 2))


_HEADER_DATASETS = ("provenance", "ismrmrd_header", "mrd")


@contextlib.contextmanager
def image_writer(path: str | Path, slices: int) -> Iterator[ImageWriter]:
    """Yield a writer of `slices` images; the file appears once the block succeeds.

    Names that do not end in `.h5` are converted then, see `through_hdf5`: images, unlike k-space,
    have to fit into memory for that.

    Raises:
        FileNotFoundError, ValueError: if the folder is missing, `path` is a folder, or no slice
            was written.
        OSError: if the disk is full; nothing is left, an older `path` stays as it was.
    """
    with through_hdf5(path) as target, create_hdf5(target) as (file, check_disk):
        writer = ImageWriter(file, slices, check_disk)
        yield writer
        writer.finish()
