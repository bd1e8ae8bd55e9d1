"""fastMRI test sets: columns padded with zeros are zero-filled, not left out."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from kspace_denoise import formats
from kspace_denoise.formats.padding import with_padding
from kspace_denoise.scan import Scan
from tests.formats.files import HEADER, kspace, write_fastmri

MASK = np.array([0, 0, 0, 1, 1, 1, 0, 1, 0, 0], np.uint8)
LIMITS = """<encodingLimits><kspace_encoding_step_1><minimum>0</minimum><maximum>6</maximum>
 <center>3</center></kspace_encoding_step_1></encodingLimits></encoding>"""


def read_mask(path: Path) -> np.ndarray:
    scan = formats.read(path)
    assert isinstance(scan, Scan)
    assert scan.mask is not None
    return scan.mask.astype(int)


def test_the_attributes_of_a_test_set(tmp_path: Path) -> None:
    path = write_fastmri(tmp_path / "brain.h5", mask=MASK)
    with h5py.File(path, "r+") as file:
        file.attrs.update({"padding_left": 2, "padding_right": 9})
        file.attrs.update({"acceleration": 4, "num_low_frequency": 3})
    np.testing.assert_array_equal(read_mask(path), [1, 1, 0, 1, 1, 1, 0, 1, 0, 1])
    scan = formats.read(path)
    kind = formats.kind_of(path, scan.header, scan.kspace.shape)  # type: ignore[union-attr]
    assert kind == "fastMRI, test set"


def test_the_encoding_limits_of_the_header(tmp_path: Path) -> None:
    header = HEADER.replace("</encoding>", LIMITS)
    path = write_fastmri(tmp_path / "brain.h5", mask=MASK, ismrmrd_header=header)
    # The centre, column 5, is line 3: lines 0 to 6 stand in columns 2 to 8.
    np.testing.assert_array_equal(read_mask(path), [1, 1, 0, 1, 1, 1, 0, 1, 0, 1])


@pytest.mark.parametrize(
    "header",
    [{}, {"padding_left": 0, "padding_right": 10}, {"padding_left": 9, "padding_right": 2},
     {"padding_left": "x", "padding_right": 4}, {"ismrmrd": {"phase_encoding_limits": {}}}],
)  # fmt: skip
def test_without_padding_the_mask_stays_as_it_is(header: dict[str, object]) -> None:
    result = with_padding(MASK, header, 10)
    assert result is not None
    np.testing.assert_array_equal(result, MASK, strict=True)


def test_only_masks_of_columns_are_padded() -> None:
    header = {"padding_left": 2, "padding_right": 9}
    rows = np.ones((24, 1))
    assert with_padding(rows, header, 10) is rows
    assert with_padding(None, header, 10) is None
    before = MASK.copy()
    with_padding(MASK, header, 10)
    np.testing.assert_array_equal(MASK, before)
    bad = with_padding(np.full(10, 0.5), header, 10)
    assert bad is not None
    assert (bad[2:9] == 0.5).all()  # for `Scan` to refuse


def test_the_size_of_the_target_is_kept(tmp_path: Path) -> None:
    target = np.ones((3, 12, 10), np.float32)
    scan = formats.read(write_fastmri(tmp_path / "a.h5", reconstruction_rss=target))
    assert scan.header["reconstruction_shape"] == [12, 10]
    same = np.abs(kspace()[:, 0])
    scan = formats.read(write_fastmri(tmp_path / "b.h5", reconstruction_rss=same))
    assert "reconstruction_shape" not in scan.header
