"""Images written slice by slice: whole or not at all, alike in every slice."""

from pathlib import Path

import numpy as np
import pytest

from kspace_denoise import formats
from kspace_denoise.scan import Images
from tests.cli.runner import files_in
from tests.formats.files import kspace

DATA = kspace()[:, 0]
SIGMA = np.abs(DATA)


def test_slices_come_back_bit_for_bit(tmp_path: Path) -> None:
    with formats.image_writer(tmp_path / "a.h5", 3) as writer:
        for index in (2, 0, 1):
            writer.write(index, reconstruction=DATA[index], noise_sigma=SIGMA[index])
        writer.write_header({"contrast": "T1w", "max": -1.0, "provenance": {"command": "x"}})
        assert files_in(tmp_path)[0].endswith(".part")
    images = formats.read(tmp_path / "a.h5")
    assert isinstance(images, Images)
    np.testing.assert_array_equal(images.data, DATA, strict=True)
    np.testing.assert_array_equal(images.sigma, SIGMA, strict=True)  # type: ignore[arg-type]
    assert images.header["contrast"] == "T1w"
    assert images.header["provenance"] == {"command": "x"}
    # Of the series that was written, whatever the header of its source said.
    assert images.header["max"] == pytest.approx(np.abs(DATA).max())
    assert images.header["norm"] == pytest.approx(np.linalg.norm(DATA))


def test_slices_that_are_left_out_are_zero(tmp_path: Path) -> None:
    with formats.image_writer(tmp_path / "a.h5", 5) as writer:
        writer.write(3, reconstruction=DATA[0])
    data = formats.read_images(tmp_path / "a.h5").data
    np.testing.assert_array_equal(data[3], DATA[0])
    assert not data[[0, 1, 2, 4]].any()
    with (
        pytest.raises(ValueError, match="every slice is blank"),
        formats.image_writer(tmp_path / "b.h5", 5),
    ):
        pass
    assert files_in(tmp_path) == ["a.h5"]


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ({"reconstruction": DATA[0]}, "slice 0 has noise_sigma, but slice 1 has none"),
        (
            {"reconstruction": DATA[0], "noise_sigma": SIGMA[0], "noisy": DATA[0]},
            "slice 1 has noisy, but slice 0 has none",
        ),
        (
            {"reconstruction": DATA[0, 1:], "noise_sigma": SIGMA[0]},
            r"slice 1 has reconstruction \(23, 10\) complex64, but slice 0 \(24, 10\) complex64",
        ),
        (
            {"reconstruction": DATA[0].astype(complex), "noise_sigma": SIGMA[0]},
            r"slice 1 has reconstruction \(24, 10\) complex128, but slice 0",
        ),
        ({"reconstruction": np.nan * DATA[0], "noise_sigma": SIGMA[0]}, "slice 1 holds 240 values"),
    ],
)
def test_slices_must_agree(tmp_path: Path, second: dict[str, np.ndarray], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        write_two(tmp_path / "a.h5", second)
    assert files_in(tmp_path) == []


def write_two(path: Path, second: dict[str, np.ndarray]) -> None:
    with formats.image_writer(path, 2) as writer:
        writer.write_header({"ismrmrd_header": "<x/>", "provenance": {}})
        writer.write(0, reconstruction=DATA[0], noise_sigma=SIGMA[0])
        writer.write(1, **second)
