"""Reader of noise scans."""

from pathlib import Path
from typing import NamedTuple

import h5py

from kspace_denoise.formats.hdf5 import contents, dataset_names, open_hdf5, read_array
from kspace_denoise.formats.mrd import is_mrd, is_noise_alone, read_mrd_noise
from kspace_denoise.scan import Numpy


class Noise(NamedTuple):
    """What a file says of the receiver noise: samples, or else a covariance."""

    samples: Numpy | None
    """Complex `(coils, samples)` or `(coils, repeats, samples)`."""
    covariance: Numpy | None
    """Ψ[i, j] = E[n_i conj(n_j)], `(coils, coils)`."""
    dwell_us: float | None = None
    """Time between samples, in microseconds, where the file says it."""


def is_noise_scan(path: str | Path) -> bool:
    """Tell whether the file holds noise samples and no k-space."""
    if not h5py.is_hdf5(path):
        return False
    if is_mrd(path):
        return is_noise_alone(path)
    with open_hdf5(path) as file:
        return "noise" in file and "kspace" not in file


def read_noise(path: str | Path) -> Noise:
    """Read `noise`, or where there is none the stored `noise_covariance`.

    Of an ISMRMRD file the noise acquisitions, as they were acquired.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is damaged, has neither dataset, or its noise is not complex
            `(coils, samples)` or `(coils, repeats, samples)`.
    """
    if is_mrd(path):
        acquired = read_mrd_noise(path)
        if acquired is None:
            raise ValueError(f"{path} holds an ISMRMRD series without noise acquisitions")
        return Noise(acquired[0], None, acquired[1] or None)
    with open_hdf5(path) as file:
        names = dataset_names(file)
        if "noise" not in names:
            if "noise_covariance" in names:
                return Noise(None, read_array(file["noise_covariance"]))
            raise ValueError(
                f"{path} has neither `noise` (coils, samples) nor `noise_covariance`; it holds "
                f"{contents(file)}"
            )
        samples = read_array(file["noise"])
    if samples.dtype.kind != "c":
        raise ValueError(f"{path}: noise is {samples.dtype}, expected complex samples")
    if samples.ndim not in (2, 3):
        raise ValueError(
            f"{path}: noise has shape {samples.shape}, expected (coils, samples) or "
            "(coils, repeats, samples)"
        )
    return Noise(samples, None)
