"""The small systems against the full encoding matrix."""

from contextlib import nullcontext

import numpy as np
import pytest
import torch

from kspace_denoise.recon import SenseOperator
from kspace_denoise.recon.aliasing import SINGULAR_REGULARISATION, unfold
from tests.helpers import complex_array
from tests.recon.cases import smooth_maps

LINES = {
    "uniform R=2": [1, 0] * 6,
    "uniform R=3": [0, 1, 0] * 4,
    "random": [1, 0, 0, 1, 1, 1, 1, 0, 1, 0, 0, 1],
    "odd size": [1, 0, 1, 1, 0, 1, 0],
}


def two_sets(size):
    """Two sets of maps of unit norm, the second 0 in a part of the image."""
    maps = np.stack([smooth_maps(5, size), smooth_maps(5, size, seed=3)])
    maps[1, :, : size[0] // 2] = 0
    return maps


def dense(maps, mask, kspace, regularisation, power):
    """Image and variance of (EᴴE + λ)⁻¹ Eᴴ y from the full matrix E, for n of sigma sqrt(power)."""
    shape = (maps.shape[0], *maps.shape[2:])
    unknowns = np.prod(shape)
    images = np.eye(unknowns).reshape(unknowns, *shape).astype(complex)
    operator = SenseOperator(maps.astype(np.complex128), mask, soft=True)
    encoding = operator.forward(images).reshape(unknowns, -1).T
    normal = encoding.conj().T @ encoding + regularisation * np.eye(unknowns)
    solver = np.linalg.pinv(normal, hermitian=True, rcond=1e-9) @ encoding.conj().T
    level = np.sqrt(np.broadcast_to(power, kspace.shape)).ravel()
    variance = np.linalg.norm(solver * level, axis=1) ** 2
    return (solver @ kspace.ravel()).reshape(shape), variance.reshape(shape)


def solved(maps, mask, kspace, regularisation=0.0, power=None):
    operator = SenseOperator(torch.tensor(maps).to(torch.complex128), torch.tensor(mask), soft=True)
    given = None if power is None else torch.tensor(power)
    combined = operator.adjoint(torch.tensor(kspace).to(torch.complex128))
    return [x.numpy() for x in unfold(operator, combined, regularisation, given)]


@pytest.mark.parametrize("name", LINES)
@pytest.mark.parametrize("regularisation", [0.0, 0.05])
@pytest.mark.parametrize("sets", [1, 2])
def test_image_and_variance_are_those_of_the_full_matrix(rng, name, regularisation, sets):
    line = np.array(LINES[name], np.float32)
    size = (6, line.size)
    maps = two_sets(size)[:sets]
    kspace = complex_array(rng, (5, *size))
    singular = (name, sets, regularisation) == ("uniform R=3", 2, 0)
    with pytest.warns(RuntimeWarning, match="folded") if singular else nullcontext():
        image, variance = solved(maps, line, kspace, regularisation)
    # Systems that are singular are solved with a small λ, each for itself.
    choices = [
        dense(maps, line, kspace, value, 1.0)
        for value in (regularisation, max(regularisation, SINGULAR_REGULARISATION))
    ]
    for found, rtol, *expected in zip((image, variance), (1e-3, 1e-4), *choices, strict=True):
        off = np.min([np.abs(found - one) / np.abs(one).max() for one in expected], axis=0)
        assert off.max() < rtol


@pytest.mark.parametrize("regularisation", [0.0, 0.05])
@pytest.mark.parametrize("name", ["uniform R=2", "random"])
def test_noise_that_differs_between_lines(rng, name, regularisation):
    line = np.array(LINES[name], np.float32)
    maps, kspace = smooth_maps(4, (5, 12))[None], complex_array(rng, (4, 5, 12))
    power = rng.uniform(0, 2, (1, 12))
    power[0, 3] = 0
    variance = solved(maps, line, kspace, regularisation, power)[1]
    expected = dense(maps, line, kspace, regularisation, power)[1]
    np.testing.assert_allclose(variance, expected, rtol=1e-5)
    flat = solved(maps, line, kspace, regularisation)[1]
    np.testing.assert_allclose(
        solved(maps, line, kspace, regularisation, np.full((5, 1), 3.0))[1], 3 * flat, rtol=1e-6
    )


def test_masks_constant_along_either_axis(rng):
    maps, kspace = smooth_maps(4, (12, 7))[None], complex_array(rng, (4, 12, 7))
    column = np.array(LINES["random"], np.float32)[:, None]
    power = rng.uniform(0.5, 2, (12, 1))
    image, variance = solved(maps, column, kspace, power=power)
    expected = dense(maps, column, kspace, 0.0, power)
    np.testing.assert_allclose(image, expected[0], rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(variance, expected[1], rtol=1e-5)


def test_slices_have_maps_and_masks_of_their_own_and_repetitions_share_them(rng):
    maps = np.stack([smooth_maps(4, (6, 12), seed)[None] for seed in range(2)])[:, None]
    lines = np.array([LINES["uniform R=2"], LINES["random"]], np.float32)[:, None, None, :]
    kspace = complex_array(rng, (2, 3, 4, 6, 12))  # slices, repetitions, coils
    image, variance = solved(maps, lines, kspace)
    assert image.shape == (2, 3, 1, 6, 12)
    assert variance.shape == (2, 1, 1, 6, 12)
    for i in range(2):
        for repetition in range(3):
            alone = solved(maps[i, 0], lines[i, 0, 0], kspace[i, repetition])
            np.testing.assert_allclose(image[i, repetition], alone[0], rtol=1e-3, atol=1e-4)
            np.testing.assert_allclose(variance[i, 0], alone[1], rtol=1e-6)


def test_pixels_without_sensitivity_are_0(rng):
    maps = smooth_maps(4, (6, 12))
    maps[:, 2:4, 3:8] = 0
    for name in ("uniform R=2", "random"):
        line = np.array(LINES[name], np.float32)
        image, variance = solved(maps[None], line, complex_array(rng, (4, 6, 12)))
        assert not image[0, 2:4, 3:8].any()
        assert not variance[0, 2:4, 3:8].any()
        assert (variance[0, :2] > 0.8).all()


def test_no_pixel_with_sensitivity():
    nothing = np.zeros((1, 3, 4, 6), np.complex64)
    line = np.array([1, 0] * 3, np.float32)
    image, variance = solved(nothing, line, np.ones((3, 4, 6), np.complex64))
    assert not image.any()
    assert not variance.any()


@pytest.mark.parametrize("regularisation", [0.0, 0.1])
def test_inseparable_pixels_give_the_solution_of_least_norm(rng, regularisation):
    maps = np.ones((1, 1, 2, 6), np.complex64)  # one coil cannot unfold
    line = np.array([1, 0] * 3, np.float32)
    kspace = complex_array(rng, (1, 2, 6))
    with nullcontext() if regularisation else pytest.warns(RuntimeWarning, match="folded"):
        image, variance = solved(maps, line, kspace, regularisation)
    expected = dense(maps, line, kspace, regularisation, 1.0)
    np.testing.assert_allclose(image, expected[0], atol=1e-5)
    np.testing.assert_allclose(variance, expected[1], rtol=1e-5)
    np.testing.assert_allclose(variance, 0.5 / (1 + regularisation) ** 2, rtol=1e-5)


def test_many_rows_are_solved_in_blocks(rng, monkeypatch):
    maps, kspace = smooth_maps(4, (9, 12))[None], complex_array(rng, (4, 9, 12))
    line = np.array(LINES["random"], np.float32)
    whole = solved(maps, line, kspace)
    monkeypatch.setattr("kspace_denoise.recon.point_spread._BLOCK", 2 * 12 * 12)
    for found, expected in zip(solved(maps, line, kspace), whole, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5)
