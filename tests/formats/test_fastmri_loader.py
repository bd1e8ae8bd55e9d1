"""What is written can be read by fastMRI's own loader.

`load` follows SliceDataset of fastMRI 0.3.0 (fastmri/data/mri_data.py, Zbontar et al.,
arXiv:1811.08839) step by step, without its dependencies.
"""

import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from kspace_denoise import formats, sim
from kspace_denoise.fourier import ifft2c
from kspace_denoise.scan import Scan
from tests.formats.files import HEADER, kspace, write_fastmri

SPACE = {"m": "http://www.ismrm.org/ISMRMRD"}


def number(root: ElementTree.Element, *path: str) -> int:
    """Find an integer as the loader does: each step anywhere below the one before."""
    element = root.find("." + "".join(f"//m:{step}" for step in path), SPACE)
    assert element is not None, path
    return int(element.text or "")


def load(path: Path, index: int) -> tuple[Any, Any, Any, dict[str, Any]]:
    """Return k-space, mask, target and attributes of a slice."""
    with h5py.File(path) as file:
        root = ElementTree.fromstring(file["ismrmrd_header"][()])
        encoded, recon = (
            tuple(number(root, "encoding", space, "matrixSize", axis) for axis in "xyz")
            for space in ("encodedSpace", "reconSpace")
        )
        limits = ("encoding", "encodingLimits", "kspace_encoding_step_1")
        left = encoded[1] // 2 - number(root, *limits, "center")
        right = left + number(root, *limits, "maximum") + 1
        target = file["reconstruction_rss"][index] if "reconstruction_rss" in file else None
        mask = np.asarray(file["mask"]) if "mask" in file else None
        metadata = {
            "padding_left": left, "padding_right": right,
            "encoding_size": encoded, "recon_size": recon,
        }  # fmt: skip
        return file["kspace"][index], mask, target, {**file.attrs, **metadata}


def test_a_scan_that_never_had_a_header(tmp_path: Path) -> None:
    data = kspace((3, 2, 24, 11))
    formats.write(tmp_path / "scan.h5", Scan(kspace=data, field_strength=0.3, readout_axis=-2))
    values, mask, target, attributes = load(tmp_path / "scan.h5", 1)
    np.testing.assert_array_equal(values, data[1], strict=True)
    assert mask is None
    truth = np.sqrt(np.sum(np.abs(ifft2c(data)) ** 2, axis=1))
    np.testing.assert_allclose(target, truth[1], rtol=1e-6)
    assert attributes["encoding_size"] == attributes["recon_size"] == (24, 11, 1)
    assert (attributes["padding_left"], attributes["padding_right"]) == (0, 11)
    assert attributes["max"] == pytest.approx(truth.max())
    assert attributes["norm"] == pytest.approx(np.linalg.norm(truth))
    assert {"acquisition", "patient_id"} <= attributes.keys()
    back = formats.read(tmp_path / "scan.h5").header
    assert back["ismrmrd"]["field_strength_T"] == 0.3
    assert "recon_field_of_view_mm" not in back["ismrmrd"]  # it is not known


def test_the_target_has_the_size_that_the_header_asks_for(tmp_path: Path) -> None:
    limits = (
        "<encodingLimits><kspace_encoding_step_1><minimum>0</minimum><maximum>9</maximum>"
        "<center>5</center></kspace_encoding_step_1></encodingLimits></encoding>"
    )
    header = HEADER.replace("</encoding>", limits)
    source = formats.read(write_fastmri(tmp_path / "brain.h5", ismrmrd_header=header))
    formats.write(tmp_path / "copy.h5", source)
    _, _, target, attributes = load(tmp_path / "copy.h5", 2)
    images = ifft2c(kspace()[2])[:, 6:18]
    np.testing.assert_allclose(target, np.sqrt(np.sum(np.abs(images) ** 2, axis=0)), rtol=1e-6)
    assert attributes["recon_size"] == (12, 10, 1)
    assert attributes["max"] == 1.5  # the file's own word


def test_undersampled_and_noncartesian_scans_have_no_target(tmp_path: Path) -> None:
    mask = sim.mask("equispaced", (24, 10), 2, 4, seed=0)[0]
    scan = Scan(kspace=kspace() * mask, mask=mask, readout_axis=-2)
    formats.write(tmp_path / "scan.h5", scan)
    _, stored, target, attributes = load(tmp_path / "scan.h5", 0)
    np.testing.assert_array_equal(stored, mask)
    assert target is None
    assert "max" not in attributes
    positions = np.zeros((24, 10, 2), np.float32)
    radial = Scan(kspace=kspace(), trajectory=positions, image_shape=(16, 12))
    formats.write(tmp_path / "radial.h5", radial)
    assert load(tmp_path / "radial.h5", 0)[2] is None


def test_the_readout_along_kx_is_x_of_the_header(tmp_path: Path) -> None:
    formats.write(tmp_path / "scan.h5", Scan(kspace=kspace(), readout_axis=-1))
    assert load(tmp_path / "scan.h5", 0)[3]["encoding_size"] == (10, 24, 1)
