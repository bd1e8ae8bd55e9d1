"""A small scan with known noise, as a file."""

from pathlib import Path

import numpy as np
import pytest

from kspace_denoise import formats
from kspace_denoise.fourier import fft2c
from kspace_denoise.scan import Scan
from tests.formats.files import kspace

SIGMA = 0.02
SHAPE = (2, 4, 40, 32)


def clean_kspace() -> np.ndarray:
    """Return noise-free k-space of a disc with texture, seen by four smooth coils."""
    slices, coils, ny, nx = SHAPE
    y, x = np.mgrid[-1 : 1 : ny * 1j, -1 : 1 : nx * 1j]
    inside = (x**2 + y**2 < 0.6) * (1 + 0.3 * np.cos(9 * x) * np.cos(7 * y))
    angles = 2 * np.pi * np.arange(coils) / coils
    maps = [
        np.exp(-((x - np.cos(a)) ** 2) - (y - np.sin(a)) ** 2 + 1j * (a + x * np.sin(a)))
        for a in angles
    ]
    images = inside * np.stack(maps) * np.linspace(1, 1.2, slices)[:, None, None, None]
    return fft2c(images).astype(np.complex64)


def covariance() -> np.ndarray:
    """Return a correlated covariance of level SIGMA."""
    psi = 0.3 * np.exp(1j * np.subtract.outer(range(4), range(4)))
    np.fill_diagonal(psi, 1)
    return 2 * SIGMA**2 * psi


@pytest.fixture
def scan_file(tmp_path: Path) -> Path:
    """Return a file with noise of `covariance`, which it stores."""
    noise = np.linalg.cholesky(covariance()) @ kspace((2, 4, 40 * 32), seed=1) / np.sqrt(2)
    scan = Scan(
        kspace=(clean_kspace() + noise.reshape(SHAPE)).astype(np.complex64),
        noise_covariance=covariance(),
        field_strength=3.0,
        readout_axis=-2,
        header={"contrast": "T1w", "max": 1.0, "patient_id": "x"},
    )
    path = tmp_path / "scan.h5"
    formats.write(path, scan)
    return path


@pytest.fixture
def clean_file(tmp_path: Path) -> Path:
    """Return a file free of noise, which says nothing about noise or field."""
    path = tmp_path / "clean.h5"
    formats.write(path, Scan(kspace=clean_kspace()))
    return path
