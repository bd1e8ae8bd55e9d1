"""Noise scans: samples, or a stored covariance."""

from pathlib import Path

import numpy as np
import pytest

from kspace_denoise import formats
from tests.formats.files import kspace, write_file


@pytest.mark.parametrize("shape", [(4, 100), (4, 10, 20)])
def test_samples_are_preferred(tmp_path: Path, shape: tuple[int, ...]) -> None:
    data = kspace(shape)
    path = write_file(tmp_path / "noise.h5", noise=data, noise_covariance=np.eye(4))
    noise = formats.read_noise(path)
    np.testing.assert_array_equal(noise.samples, data, strict=True)  # type: ignore[arg-type]
    assert noise.covariance is None


def test_a_scan_with_a_covariance_serves_as_noise_scan(tmp_path: Path) -> None:
    path = write_file(tmp_path / "scan.h5", kspace=kspace(), noise_covariance=np.eye(2))
    noise = formats.read_noise(path)
    assert noise.samples is None
    np.testing.assert_array_equal(noise.covariance, np.eye(2))  # type: ignore[arg-type]
    assert not formats.is_noise_scan(path)


def test_what_is_no_noise(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"neither `noise` .* it holds kspace"):
        formats.read_noise(write_file(tmp_path / "a.h5", kspace=kspace()))
    with pytest.raises(ValueError, match="noise is float64"):
        formats.read_noise(write_file(tmp_path / "b.h5", noise=np.ones((2, 5))))
    with pytest.raises(ValueError, match=r"noise has shape \(5,\)"):
        formats.read_noise(write_file(tmp_path / "c.h5", noise=kspace((5,))))
    with pytest.raises(FileNotFoundError, match="no such file"):
        formats.read_noise(tmp_path / "d.h5")
