"""`Scan` and `Images` refuse what does not fit together; slices are read when asked for."""

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from kspace_denoise.scan import Images, LazySlices, Scan
from tests.formats.files import SHAPE, kspace

DATA = kspace()


def read_slice(index: int) -> np.ndarray:
    return DATA[index]


@pytest.fixture
def lazy() -> LazySlices:
    return LazySlices(SHAPE, np.complex64, read_slice)


@pytest.mark.parametrize(
    "take",
    [
        lambda x: x[0],
        lambda x: x[-1],
        lambda x: x[:],
        lambda x: x[::-2],
        lambda x: x[1:2, 0],
        lambda x: x[2, 1, 3:5, ::2],
        lambda x: x[..., 0],
        lambda x: x[...],
        lambda x: x[[2, 0]],
        lambda x: x[np.array([True, False, True])],
        lambda x: x[3:],
        np.asarray,
        lambda x: np.stack(list(x)),
    ],
)
def test_lazy_slices_index_as_the_array_does(
    lazy: LazySlices, take: Callable[[object], np.ndarray]
) -> None:
    np.testing.assert_array_equal(take(lazy), take(DATA), strict=True)


def test_only_the_slices_asked_for_are_read() -> None:
    read = []

    def reading(index: int) -> np.ndarray:
        read.append(index)
        return DATA[index]

    slices = LazySlices(SHAPE, np.complex64, reading)
    assert (slices.shape, slices.ndim, len(slices)) == (SHAPE, 4, 3)
    assert read == []
    slices[1:, 0, 0]
    assert read == [1, 2]


def test_lazy_slices_end_and_pickle(lazy: LazySlices) -> None:
    with pytest.raises(IndexError, match="out of bounds"):
        lazy[3]
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(lazy))[1], DATA[1])
    with pytest.raises(ValueError, match="without a copy"):
        np.asarray(lazy, copy=False)
    assert "LazySlices" in repr(lazy)


def test_nan_is_met_when_its_slice_is_read() -> None:
    bad = DATA.copy()
    bad[1, 0, 0, :2] = np.nan, np.inf
    slices = LazySlices(SHAPE, np.complex64, lambda i: bad[i])
    slices[0]
    with pytest.raises(ValueError, match="slice 1 holds 2 values of 480"):
        slices[:]
    with pytest.raises(ValueError, match="slice 1 holds 2 values"):
        Scan(kspace=bad)


def test_a_scan_of_an_array() -> None:
    mask = np.array([0, 1] * 5, np.uint8)
    scan = Scan(kspace=DATA, mask=mask, noise_covariance=np.eye(2), readout_axis=-2)
    assert scan.kspace is DATA
    assert scan.mask is not None
    assert scan.mask.dtype == np.bool_
    np.testing.assert_array_equal(scan.mask, mask.astype(bool))


def test_the_mask_of_one_slice() -> None:
    every = np.arange(3 * 24 * 10).reshape(3, 24, 10) % 3 > 0
    np.testing.assert_array_equal(Scan(kspace=DATA, mask=every).slice_mask(2), every[2])  # type: ignore[arg-type]
    np.testing.assert_array_equal(Scan(kspace=DATA, mask=every[:1]).slice_mask(2), every[0])  # type: ignore[arg-type]
    np.testing.assert_array_equal(Scan(kspace=DATA, mask=every[0]).slice_mask(2), every[0])  # type: ignore[arg-type]
    assert Scan(kspace=DATA).slice_mask(0) is None


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"kspace": DATA.real}, TypeError, "float32, expected complex64"),
        ({"kspace": torch.zeros(SHAPE)}, TypeError, "a Tensor of torch"),
        ({"kspace": None}, TypeError, "a NoneType"),
        ({"kspace": DATA[0]}, ValueError, r"shape \(2, 24, 10\), expected \(slices, coils"),
        ({"kspace": DATA[:0]}, ValueError, r"shape \(0, 2, 24, 10\)"),
        ({"kspace": 0 * DATA}, ValueError, "zeros only"),
        ({"mask": np.ones(24)}, ValueError, r"24 values.*10 columns.*shape \(24, 1\)"),
        ({"mask": np.ones((10, 24))}, ValueError, r"mask has shape \(10, 24\)"),
        ({"mask": np.ones((5, 3, 24, 10))}, ValueError, "mask has shape"),
        ({"mask": np.full(10, 0.5)}, ValueError, "other than 0 and 1"),
        ({"mask": np.zeros(10)}, ValueError, "no point is sampled"),
        ({"noise_covariance": np.eye(3)}, ValueError, "2 coils"),
        ({"noise_covariance": np.array([[1, 1j], [1j, 1]])}, ValueError, "not Hermitian"),
        ({"noise_covariance": np.diag([1, -1])}, ValueError, "not positive definite"),
        ({"noise_covariance": np.diag([1, np.nan])}, ValueError, "noise_covariance holds NaN"),
        ({"noise_covariance": np.ones((2, 2))}, ValueError, "not positive definite"),
        ({"noise_profile": np.ones(24)}, ValueError, "noise_profile has shape"),
        ({"noise_profile": -np.ones(10)}, ValueError, "noise_profile must be real, finite and not"),
        ({"noise_profile": np.ones(10) * 1j}, ValueError, "noise_profile must be real, finite"),
        ({"noise_spectrum": np.ones(11)}, ValueError, r"shape \(11,\), which does not fit \(ky"),
        ({"noise_spectrum": np.full(10, np.inf)}, ValueError, "noise_spectrum must be real, fin"),
        ({"noise_spectrum": np.zeros(10)}, ValueError, "noise_spectrum holds zeros only"),
        ({"field_strength": 0.0}, ValueError, "field_strength is 0"),
        ({"field_strength": np.nan}, ValueError, "field_strength is nan"),
        ({"readout_axis": 3}, ValueError, "readout_axis is 3"),
    ],
)
def test_a_scan_refuses(arguments: dict[str, object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Scan(**{"kspace": DATA, **arguments})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"data": np.ones((1, 2, 2), int)}, TypeError, "int64, expected a complex or floating"),
        ({"data": np.ones((2, 2))}, ValueError, r"shape \(2, 2\), expected \(slices, y, x\)"),
        ({"data": np.full((1, 2, 2), np.nan)}, ValueError, "slice 0 holds 4 values"),
        ({"sigma": np.ones((3, 3))}, ValueError, "sigma has shape"),
        ({"sigma": -1.0}, ValueError, "sigma holds values that are negative"),
    ],
)
def test_images_refuse(arguments: dict[str, object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Images(**{"data": np.ones((1, 2, 2)), **arguments})  # type: ignore[arg-type]


def test_images_take_a_number_or_a_map() -> None:
    data = np.ones((2, 4, 4), np.complex64)
    assert Images(data=data, sigma=2.0).sigma == 2.0
    assert Images(data=data, sigma=np.ones((4, 4))).data is data


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"trajectory": np.zeros((24, 9, 2))}, r"k-space has \(24, 10\)"),
        ({"trajectory": np.zeros((24, 10, 2), complex)}, "expected real numbers"),
        ({"trajectory": np.full((24, 10, 2), np.nan)}, "trajectory holds NaN"),
        ({"image_shape": None}, "image_shape is None, expected"),
        ({"image_shape": (16, 0)}, "two positive numbers"),
        ({"mask": np.ones(10)}, "mask belongs to a Cartesian grid"),
        ({"noise_profile": np.ones(10)}, "noise_profile belongs"),
        ({"trajectory": None}, "this scan is Cartesian"),
    ],
)
def test_trajectories_that_do_not_fit(changes: dict[str, Any], message: str) -> None:
    good = {"trajectory": np.zeros((24, 10, 2), np.float32), "image_shape": (16, 16)}
    Scan(kspace=kspace(), **good)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=message):
        Scan(kspace=kspace(), **{**good, **changes})
