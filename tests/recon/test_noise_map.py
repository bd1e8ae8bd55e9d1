"""Noise maps against the textbook formula and against pseudo-replicas."""

import numpy as np
import pytest

from kspace_denoise.arrays import to_numpy
from kspace_denoise.recon import SenseOperator, g_factor, pseudo_replica_sigma, sense
from kspace_denoise.recon.noise_map import noise_amplification
from kspace_denoise.recon.sense_operator import sampling_mask
from tests.helpers import assert_same_kind, complex_array, random_covariance
from tests.recon.cases import smooth_maps


def dense_sigma(maps, mask, regularisation=0.0):
    """sigma of (EᴴE + λ)⁻¹ Eᴴ n for white n of sigma 1, from the full matrix E."""
    pixels = maps[0].size
    images = np.eye(pixels).reshape(pixels, *maps.shape[1:])
    encoding = SenseOperator(maps.astype(np.complex128), mask).forward(images.astype(complex))
    encoding = encoding.reshape(pixels, -1).T
    inverse = np.linalg.inv(encoding.conj().T @ encoding + regularisation * np.eye(pixels))
    solver = inverse @ encoding.conj().T
    return np.linalg.norm(solver, axis=1).reshape(maps.shape[1:])


LINES = {
    "uniform R=2": [1, 0] * 6,
    "uniform R=3": [0, 1, 0] * 4,
    "random": [1, 0, 0, 1, 1, 1, 1, 0, 1, 0, 0, 1],
    "odd size": [1, 0, 1, 1, 0, 1, 0],
}


@pytest.mark.parametrize("name", LINES)
@pytest.mark.parametrize("regularisation", [0.0, 0.05])
def test_exact_map_is_the_diagonal_of_the_full_covariance(kind, name, regularisation):
    line = np.array(LINES[name], np.float32)
    maps = smooth_maps(4, (5, line.size))
    sigma = noise_amplification(kind(maps), kind(line), regularisation)
    assert_same_kind(sigma, kind(maps))
    assert to_numpy(sigma).dtype == np.float32
    np.testing.assert_allclose(to_numpy(sigma), dense_sigma(maps, line, regularisation), rtol=1e-5)


def test_masks_constant_along_either_axis(kind):
    maps = smooth_maps(4, (12, 7))
    line = np.array(LINES["random"], np.float32)
    columns = np.broadcast_to(line[:, None], (12, 7)).copy()
    expected = dense_sigma(maps, columns)
    for mask in (columns, line[:, None]):
        checked = sampling_mask(kind(mask), kind(maps))
        np.testing.assert_allclose(
            to_numpy(noise_amplification(kind(maps), checked)), expected, rtol=1e-5
        )


def test_every_slice_has_its_own_mask_and_maps():
    maps = np.stack([smooth_maps(4, (6, 12), seed) for seed in range(2)])
    lines = np.array([LINES["uniform R=2"], LINES["random"]], np.float32)[:, None, :]
    sigma = noise_amplification(maps, lines)
    for i in range(2):
        np.testing.assert_allclose(sigma[i], noise_amplification(maps[i], lines[i, 0]), rtol=1e-6)


def test_two_dimensional_masks_have_no_exact_map(rng):
    mask = (rng.random((12, 12)) < 0.5).astype(np.float32)
    assert noise_amplification(smooth_maps(4, (12, 12)), mask) is None


def test_two_coil_g_factor_is_the_textbook_formula(rng, kind):
    """Pruessmann 1999, equation 23: sqrt([(Sᴴ Ψ⁻¹ S)⁻¹]ᵣᵣ [Sᴴ Ψ⁻¹ S]ᵣᵣ), pair by aliased pair."""
    maps = 3 * smooth_maps(2, (4, 10)).astype(np.complex128)
    psi = random_covariance(rng, 2).astype(np.complex128)
    mask = np.array([0, 1] * 5)
    found = g_factor(kind(maps), kind(mask), kind(psi))
    assert_same_kind(found, kind(maps))
    expected = np.empty((4, 10))
    for y in range(4):
        for x in range(5):
            pair = maps[:, y, [x, x + 5]]
            normal = pair.conj().T @ np.linalg.inv(psi) @ pair
            inverse = np.linalg.inv(normal)
            expected[y, [x, x + 5]] = np.sqrt(np.diag(inverse).real * np.diag(normal).real)
    assert expected.max() > 1.2
    np.testing.assert_allclose(to_numpy(found), expected, rtol=1e-6)
    kspace = complex_array(rng, (2, 4, 10)).astype(np.complex128)
    ratio = sense(kspace, maps, mask, psi).sigma / sense(kspace, maps, None, psi).sigma
    np.testing.assert_allclose(ratio, np.sqrt(2) * expected, rtol=1e-6)


def test_g_factor_without_acceleration_is_one():
    maps = smooth_maps(3, (4, 6))
    maps[:, 0, 0] = 0
    found = g_factor(maps, np.ones((4, 6)))
    assert found[0, 0] == 0
    assert (found.ravel()[1:] == 1).all()


def test_g_factor_needs_a_closed_form(rng):
    with pytest.raises(ValueError, match=r"mask of shape \(8, 8\) is not constant"):
        g_factor(smooth_maps(3, (8, 8)), rng.random((8, 8)) < 0.5)


def test_pixels_without_sensitivity_have_no_noise():
    maps = smooth_maps(4, (6, 12))
    maps[:, 2:4, 3:8] = 0
    for name in ("uniform R=2", "random"):
        sigma = noise_amplification(maps, np.array(LINES[name], np.float32))
        assert not sigma[2:4, 3:8].any()
        assert (sigma[:2] > 0.9).all()


def test_inseparable_pixels_give_the_noise_of_the_least_norm_solution():
    maps = np.ones((1, 2, 6), np.complex64)  # one coil cannot unfold
    sigma = noise_amplification(maps, np.array([1, 0] * 3, np.float32))
    np.testing.assert_allclose(sigma, np.sqrt(0.5) * np.ones((2, 6)), rtol=1e-6)


def test_pseudo_replicas_measure_a_known_linear_map(rng, kind):
    gains = rng.uniform(0.5, 2, (20, 30)).astype(np.float32)
    kspace = kind(complex_array(rng, (2, 3, 20, 30)))
    scale = kind(gains)
    replicas = 100
    sigma = pseudo_replica_sigma(lambda noise: scale * noise[:, 0, ...], kspace, replicas)
    assert_same_kind(sigma, kspace)
    ratio = to_numpy(sigma) / gains
    error = 1 / np.sqrt(4 * replicas)
    assert np.abs(ratio - 1).max() < 5 * error
    assert ratio.mean() == pytest.approx(1, abs=4 * error / np.sqrt(ratio.size))
    assert ratio.std() == pytest.approx(error, rel=0.15)


def test_pseudo_replicas_repeat_with_their_seed(rng):
    kspace = complex_array(rng, (1, 4, 4))

    def sigma(seed):
        return pseudo_replica_sigma(lambda noise: noise[0], kspace, 3, seed)

    np.testing.assert_array_equal(sigma(0), sigma(0))
    assert (sigma(0) != sigma(1)).any()
    # An integer seed draws different noise in every replica.
    assert (sigma(0) != pseudo_replica_sigma(lambda noise: noise[0], kspace, 1, 0)).any()
    np.testing.assert_array_equal(sigma(0), sigma(np.random.default_rng(0)))


def test_no_replicas_are_refused(rng):
    with pytest.raises(ValueError, match="replicas is 0"):
        pseudo_replica_sigma(lambda noise: noise[0], complex_array(rng, (1, 4, 4)), 0)
