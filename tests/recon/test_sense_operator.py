import numpy as np
import pytest

from kspace_denoise.arrays import to_numpy
from kspace_denoise.fourier import fft2c
from kspace_denoise.recon import SenseOperator
from kspace_denoise.recon.sense_operator import (
    over_strength,
    sampling_mask,
    to_corner,
    varying_axes,
)
from tests.helpers import assert_same_kind, check_adjoint, complex_array


@pytest.mark.parametrize("size", [(8, 8), (9, 7), (8, 11)])
@pytest.mark.parametrize("mask_shape", [None, (), (1,), (2,)])
def test_adjoint(rng, kind, size, mask_shape):
    lead, coils = (2,), 3
    mask = None
    if mask_shape is not None:
        mask = kind((rng.random((*mask_shape, *size)) < 0.5).astype(np.float32))
    operator = SenseOperator(kind(complex_array(rng, (*lead, coils, *size))), mask)
    image = kind(complex_array(rng, (*lead, *size)))
    kspace = kind(complex_array(rng, (*lead, coils, *size)))
    check_adjoint(operator.forward, operator.adjoint, image, kspace)
    assert_same_kind(operator.forward(image), image)


@pytest.mark.parametrize("shape", [(9,), (1, 9), (8, 1), (8, 9), (2, 1, 9), (2, 8, 1)])
def test_normal_is_forward_then_adjoint(rng, kind, shape):
    mask = kind((rng.random(shape) < 0.5).astype(np.float32))
    operator = SenseOperator(kind(complex_array(rng, (3, 8, 9))), mask)
    image = kind(complex_array(rng, (2, 8, 9)))
    check_adjoint(operator.normal, operator.normal, image, kind(complex_array(rng, (2, 8, 9))))
    np.testing.assert_allclose(
        to_numpy(operator.normal(image)),
        to_numpy(operator.adjoint(operator.forward(image))),
        rtol=1e-4,
        atol=1e-5,
    )


@pytest.mark.parametrize("size", [(8, 8), (9, 7)])
@pytest.mark.parametrize("mask_shape", [None, (), (2,)])
def test_several_sets_of_maps(rng, kind, size, mask_shape):
    coils, sets = 3, 2
    mask = None
    if mask_shape is not None:
        mask = kind((rng.random((*mask_shape, *size)) < 0.5).astype(np.float32))
    maps = complex_array(rng, (sets, coils, *size))
    operator = SenseOperator(kind(maps), mask, soft=True)
    images, kspace = complex_array(rng, (2, sets, *size)), complex_array(rng, (2, coils, *size))
    check_adjoint(operator.forward, operator.adjoint, kind(images), kind(kspace))
    single = [SenseOperator(kind(maps[i]), mask).forward(kind(images[:, i])) for i in range(sets)]
    forward = to_numpy(operator.forward(kind(images)))
    np.testing.assert_allclose(forward, sum(map(to_numpy, single)), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        to_numpy(operator.normal(kind(images))),
        to_numpy(operator.adjoint(kind(forward))),
        rtol=1e-4,
        atol=1e-4,
    )


@pytest.mark.parametrize("mask_shape", [None, (7,), (1, 7), (8, 1), (8, 7), (2, 8, 7)])
def test_normal_without_shifts_is_the_adjoint_of_forward(rng, kind, mask_shape):
    maps, image = complex_array(rng, (3, 8, 7)), complex_array(rng, (2, 8, 7))
    mask = None
    if mask_shape is not None:
        mask = kind((rng.random(mask_shape) < 0.5).astype(np.float32))
    operator = SenseOperator(kind(maps), mask)
    expected = operator.adjoint(operator.forward(kind(image)))
    found = operator.normal(kind(image))
    np.testing.assert_allclose(to_numpy(found), to_numpy(expected), rtol=1e-4, atol=1e-5)


def test_the_corner_is_where_the_centre_was(kind):
    x = np.arange(20.0).reshape(4, 5)
    assert to_numpy(to_corner(kind(x)))[0, 0] == x[2, 2]
    np.testing.assert_array_equal(to_numpy(to_corner(kind(x[0]))), [2, 3, 4, 0, 1])


def test_normal_takes_the_coils_in_blocks(rng, monkeypatch):
    operator = SenseOperator(complex_array(rng, (5, 8, 6)), np.array([1, 0, 1, 1, 0, 0]))
    image = complex_array(rng, (8, 6))
    whole = operator.normal(image)
    monkeypatch.setattr("kspace_denoise.recon.sense_operator._BLOCK", 2 * 8 * 6)
    np.testing.assert_allclose(operator.normal(image), whole, rtol=1e-4, atol=1e-5)


def test_constant_axes_of_a_mask_collapse(rng):
    kspace = complex_array(rng, (2, 3, 4, 6))
    line = np.array([1, 0, 1, 1, 0, 1])
    assert sampling_mask(np.broadcast_to(line, (4, 6)), kspace).shape == (1, 6)
    assert sampling_mask(np.broadcast_to(line[:4, None], (2, 4, 6)), kspace).shape == (2, 4, 1)
    two = np.stack([line, 1 - line])[:, None, :] * np.ones((4, 1))
    assert sampling_mask(two, kspace).shape == (2, 1, 6)
    np.testing.assert_array_equal(sampling_mask(two, kspace)[:, 0], [line, 1 - line])


def test_a_line_mask_of_one_axis_selects_columns(rng):
    maps, image = complex_array(rng, (3, 8, 6)), complex_array(rng, (8, 6))
    line = np.array([1, 0, 0, 1, 1, 0], np.float32)
    kspace = SenseOperator(maps, line).forward(image)
    full = fft2c(maps * image)
    np.testing.assert_allclose(kspace[..., line == 1], full[..., line == 1], rtol=1e-5, atol=1e-6)
    assert not kspace[..., line == 0].any()


def test_one_set_of_maps_serves_many_repetitions(rng):
    maps, images = complex_array(rng, (3, 8, 6)), complex_array(rng, (4, 2, 8, 6))
    kspace = SenseOperator(maps).forward(images)
    assert kspace.shape == (4, 2, 3, 8, 6)
    np.testing.assert_allclose(kspace[1, 1], SenseOperator(maps).forward(images[1, 1]), rtol=1e-5)


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.float64, np.int64])
def test_masks_of_any_number_type(rng, kind, dtype):
    kspace = kind(complex_array(rng, (2, 3, 4, 6)))
    line = np.array([1, 0, 1, 1, 0, 1], dtype)
    mask = sampling_mask(line, kspace)
    assert_same_kind(mask, kspace)
    assert to_numpy(mask).dtype == np.float32
    np.testing.assert_array_equal(to_numpy(mask), line)


def test_varying_axes():
    assert varying_axes(np.ones(6)) == (-1,)
    assert varying_axes(np.ones((2, 1, 6))) == (-1,)
    assert varying_axes(np.ones((5, 1))) == (-2,)
    assert varying_axes(np.ones((5, 6))) == (-2, -1)


def test_division_by_the_strength_of_maps(kind):
    image, strength = kind(np.ones((2, 3), np.complex64)), kind(np.array([0, 2, 4], np.float32))
    found = to_numpy(over_strength(image, strength))
    np.testing.assert_array_equal(found, np.array([[0, 0.5, 0.25]] * 2))
    assert found.dtype == np.complex64


def test_a_full_mask_is_no_mask(rng):
    kspace = complex_array(rng, (3, 4, 6))
    assert sampling_mask(np.ones((4, 6)), kspace) is None
    assert sampling_mask(None, kspace) is None


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (np.ones(5), r"mask of shape \(5,\) .* \(2, 4, 6\), .* \(2, 3, 4, 6\)"),
        (np.ones((3, 4, 6)), "does not broadcast"),
        (np.ones((2, 1, 4, 6)), "does not broadcast"),
        (np.ones(()), "does not broadcast"),
        (np.full((4, 6), 0.5), "other than 0 and 1"),
        (np.full((4, 6), np.nan), "other than 0 and 1"),
        (np.zeros((4, 6)), "mask is zero everywhere"),
        (np.zeros(6), "mask is zero everywhere"),
        (np.eye(2)[:, :1, None] * np.ones((4, 6)), "at least one slice"),
    ],
)
def test_bad_masks_are_refused(rng, mask, message):
    with pytest.raises(ValueError, match=message):
        sampling_mask(mask, complex_array(rng, (2, 3, 4, 6)))
