"""Headers are read from the bytes of the chunks, however the rows were stored."""

from pathlib import Path
from typing import Any

import h5py
import ismrmrd
import numpy as np
import pytest

from kspace_denoise.formats.mrd.line_reader import read_heads
from tests.formats.mrd.series import COILS, X, image, samples

LAYOUTS: dict[str, dict[str, Any]] = {
    "row by row": {"chunks": (1,)},
    "some at once": {"chunks": (4,)},
    "more than there are": {"chunks": (64,), "maxshape": (None,)},
    "in one piece": {},
    "compressed": {"chunks": (4,), "compression": "gzip"},
}


@pytest.mark.parametrize("layout", list(LAYOUTS))
def test_headers_are_those_that_were_written(tmp_path: Path, layout: str) -> None:
    lines = list(image(samples((COILS, 11, X)), slice=3))
    with h5py.File(tmp_path / "a.mrd", "w") as file:
        dtype = ismrmrd.hdf5.acquisition_dtype
        data = file.create_dataset("data", (len(lines),), dtype, **LAYOUTS[layout])
        for number, one in enumerate(lines):
            row = np.empty(1, dtype)[0]
            row["head"] = np.frombuffer(one.getHead(), dtype["head"])[0]
            row["traj"], row["data"] = np.empty(0, np.float32), one.data.view(np.float32).ravel()
            data[number] = row
    with h5py.File(tmp_path / "a.mrd") as file:
        heads = read_heads(file["data"])
    expected = np.stack([np.frombuffer(one.getHead(), heads.dtype)[0] for one in lines])
    np.testing.assert_array_equal(heads, expected)
