"""Small HDF5 files, good and bad, that the tests of formats and commands read."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from kspace_denoise.fourier import fft2c, ifft2c

HEADER = """<?xml version="1.0" encoding="utf-8"?>
<ismrmrdHeader xmlns="http://www.ismrm.org/ISMRMRD">
 <acquisitionSystemInformation>
  <systemFieldStrength_T>2.8936</systemFieldStrength_T>
 </acquisitionSystemInformation>
 <encoding>
  <encodedSpace><matrixSize><x>24</x><y>10</y><z>1</z></matrixSize>
   <fieldOfView_mm><x>640</x><y>372</y><z>4.5</z></fieldOfView_mm></encodedSpace>
  <reconSpace><matrixSize><x>12</x><y>10</y><z>1</z></matrixSize>
   <fieldOfView_mm><x>320</x><y>320.5</y><z>4.5</z></fieldOfView_mm></reconSpace>
 </encoding>
</ismrmrdHeader>"""

SHAPE = (3, 2, 24, 10)


def kspace(shape: tuple[int, ...] = SHAPE, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(np.complex64)


def write_file(path: Path, attributes: dict[str, Any] | None = None, **datasets: Any) -> Path:
    with h5py.File(path, "w") as file:
        for name, values in datasets.items():
            file[name] = values
        file.attrs.update(attributes or {})
    return path


def write_fastmri(path: Path, **datasets: Any) -> Path:
    """Write a file such as fastMRI publishes, header and attributes included."""
    attributes = {"acquisition": "AXT2", "max": 1.5, "norm": 20.0, "patient_id": "abc"}
    content: dict[str, Any] = {"kspace": kspace(), "ismrmrd_header": HEADER, **datasets}
    return write_file(path, attributes, **content)


M4RAW_HEADER = """<?xml version="1.0" encoding="utf-8"?>
<ismrmrdHeader xmlns="http://www.ismrm.org/ISMRMRD">
 <measurementInformation><measurementID>2022061003</measurementID>
  <protocolName>T1</protocolName></measurementInformation>
 <acquisitionSystemInformation><systemVendor>XGY</systemVendor>
  <systemModel>OPER-0.3</systemModel></acquisitionSystemInformation>
 <sequenceParameters><TR>500</TR><TE>18.4</TE><TI>N/A</TI><flipAngle_deg>90</flipAngle_deg>
  <echo_spacing>18.4ms</echo_spacing><echo_train_length>1</echo_train_length></sequenceParameters>
</ismrmrdHeader>"""
M4RAW_LINES = slice(30, 225)
M4RAW_SIGMA = 0.7
M4RAW_SHIFT = 8


def m4raw_kspace(slices: int, seed: int) -> np.ndarray:
    """Return k-space as M4Raw has it: four coils, 195 of 256 lines, an echo off centre, noise."""
    y, x = np.mgrid[-1:1:256j, -1:1:256j]
    inside = (x / 0.6) ** 2 + (y / 0.7) ** 2 < 1
    anatomy = 20 * inside * (1 + 0.4 * np.cos(11 * x + 3 * y) * np.cos(9 * y))
    corners = [(-1, -1), (-1, 1), (1, -1), (1, 1)]
    maps = np.stack([np.exp(-((x - a) ** 2) - (y - b) ** 2 + 1j * a * y) for a, b in corners])
    # 8 samples later along the readout, axis -2: a phase ramp over the image.
    late = np.exp(2j * np.pi * M4RAW_SHIFT * np.arange(256) / 256)[:, None]
    images = anatomy * maps * late * np.linspace(1, 1.3, slices)[:, None, None, None]
    data = fft2c(images) + M4RAW_SIGMA * kspace(images.shape, seed)
    acquired = np.zeros(256, bool)
    acquired[M4RAW_LINES] = True
    return np.asarray(data * acquired, np.complex64)


def write_m4raw(
    folder: Path, name: str = "2022061003_T101", slices: int = 2, seed: int = 0
) -> Path:
    """Write one repetition as the M4Raw data set has them (which holds 18 slices)."""
    data = m4raw_kspace(slices, seed)
    rss = np.sqrt(np.sum(np.abs(ifft2c(data)) ** 2, axis=1)).astype(np.float32)
    attributes = {
        "acquisition": "T1",
        "max": float(rss.max()),
        "norm": float(np.linalg.norm(rss)),
        "patient_id": "2022061003",
    }
    content = {"kspace": data, "reconstruction_rss": rss, "ismrmrd_header": M4RAW_HEADER}
    return write_file(folder / f"{name}.h5", attributes, **content)


def write_coded(path: Path, *names: str) -> Path:
    """Write sets of integer-coded images, value = dataset * scale."""
    write_file(path, **{name: np.full((2, 3, 3), 500, np.uint16) for name in names})
    with h5py.File(path, "r+") as file:
        for name in names:
            file[name].attrs["scale"] = 0.01
    return path


def _with_nan() -> np.ndarray:
    data = kspace()
    data[1, 0, 3, 4] = np.nan
    return data


def _truncated(path: Path) -> None:
    whole = write_fastmri(path, kspace=kspace((3, 2, 64, 64))).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def _cut_in_a_slice(path: Path) -> None:
    """Cut a file in the middle of its last slice, after everything else."""
    whole = write_fastmri(path, kspace=kspace((3, 2, 64, 64))).read_bytes()
    path.write_bytes(whole[:-10_000])


BAD_SCANS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "missing": (lambda _: None, "no such file"),
    "folder": (lambda path: path.mkdir(), "is a folder"),
    "empty": (lambda path: path.touch(), "is empty"),
    "text": (lambda path: path.write_text("k-space, honestly"), "is not an HDF5 file"),
    "truncated": (_truncated, "cut short"),
    "no kspace": (lambda path: write_file(path, data=np.ones((2, 2))), r"holds data \(2, 2\)"),
    "real": (lambda path: write_file(path, kspace=kspace().real), "kspace is float32"),
    "two-dimensional": (lambda path: write_file(path, kspace=kspace()[0, 0]), r"shape \(24, 10\)"),
    "no slices": (lambda path: write_file(path, kspace=kspace()[:0]), r"shape \(0, 2, 24, 10\)"),
    "no lines": (lambda path: write_file(path, kspace=kspace()[..., :0]), r"shape \(3, 2, 24, 0\)"),
    "trajectory": (
        lambda path: write_file(path, kspace=kspace(), trajectory=np.ones((24, 9, 2))),
        r"bad.h5: trajectory is float64 \(24, 9, 2\), but k-space has \(24, 10\)",
    ),
    "zero": (lambda path: write_file(path, kspace=0 * kspace()), "holds zeros only"),
    "nan": (lambda path: write_file(path, kspace=_with_nan()), "slice 1 holds 1 value"),
    "mask": (
        lambda path: write_file(path, kspace=kspace(), mask=np.ones(11)),
        "bad.h5: mask has 11 values, but the k-space has 10",
    ),
    "cut": (_cut_in_a_slice, "cut short"),
    "covariance of other coils": (
        lambda path: write_file(path, kspace=kspace(), noise_covariance=np.eye(3)),
        "bad.h5: noise_covariance .* the k-space has 2 coils",
    ),
    "covariance not Hermitian": (
        lambda path: write_file(path, kspace=kspace(), noise_covariance=np.array([[1, 1], [0, 1]])),
        "bad.h5: noise_covariance is not Hermitian",
    ),
    "covariance not positive definite": (
        lambda path: write_file(path, kspace=kspace(), noise_covariance=np.ones((2, 2))),
        "bad.h5: noise_covariance is not positive definite",
    ),
    "profile": (
        lambda path: write_file(path, kspace=kspace(), noise_profile=np.ones(24)),
        "bad.h5: noise_profile has shape",
    ),
    "spectrum": (
        lambda path: write_file(path, kspace=kspace(), noise_spectrum=-np.ones(10)),
        "bad.h5: noise_spectrum must be real, finite and not negative",
    ),
}
"""Name: (what makes the bad file at a path, what the message must say)."""
