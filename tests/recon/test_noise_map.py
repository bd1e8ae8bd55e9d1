"""Noise maps: the g-factor against the textbook, pseudo-replicas against known noise."""

import numpy as np
import pytest

from kspace_denoise.arrays import to_numpy
from kspace_denoise.fourier import ifft2c
from kspace_denoise.recon import g_factor, noise_map, rss, sense
from tests.helpers import assert_same_kind, complex_array, random_covariance
from tests.recon.cases import smooth_maps

LINE = np.array([1, 0, 0, 1, 1, 1, 1, 0, 1, 0, 0, 1])


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
    assert to_numpy(found).dtype == np.float64
    np.testing.assert_allclose(to_numpy(found), expected, rtol=1e-6)
    kspace = complex_array(rng, (2, 4, 10)).astype(np.complex128)
    ratio = sense(kspace, maps, mask, psi).sigma / sense(kspace, maps, None, psi).sigma
    np.testing.assert_allclose(ratio, np.sqrt(2) * expected, rtol=1e-6)


def test_g_factor_along_either_axis_and_for_every_slice():
    maps = np.stack([smooth_maps(4, (12, 8), seed) for seed in range(2)])
    columns = np.broadcast_to(LINE[:, None], (12, 8))
    turned = g_factor(maps.swapaxes(-1, -2), LINE)
    both = g_factor(maps, columns)
    assert both.shape == (2, 12, 8)
    assert both.dtype == np.float32
    np.testing.assert_allclose(both, turned.swapaxes(-1, -2), rtol=1e-5)
    for i in range(2):
        np.testing.assert_allclose(g_factor(maps[i], columns), both[i], rtol=1e-5)


def test_g_factor_without_acceleration_is_one():
    maps = smooth_maps(3, (4, 6))
    maps[:, 0, 0] = 0
    found = g_factor(maps, np.ones((4, 6)))
    assert found[0, 0] == 0
    assert (found.ravel()[1:] == 1).all()


def test_g_factor_needs_a_closed_form(rng):
    with pytest.raises(ValueError, match=r"mask of shape \(8, 8\) is .*recon.noise_map"):
        g_factor(smooth_maps(3, (8, 8)), rng.random((8, 8)) < 0.5)


def test_a_linear_reconstruction_of_correlated_coils(rng, kind):
    """sigma of Σ gain · coil image is sqrt(gᵀ Ψ g / 2) in every pixel, signal or not."""
    psi, gains = random_covariance(rng, 3), np.array([1.0, -2.0, 0.5j])
    kspace = 100 * complex_array(rng, (2, 3, 20, 30))
    given, weights = kind(kspace), kind(gains.astype(np.complex64)[:, None, None])
    replicas = 101
    found = noise_map(
        lambda noisy: (
            (weights * ifft2c(noisy))[..., 0, :, :]
            + (weights * ifft2c(noisy))[..., 1, :, :]
            + (weights * ifft2c(noisy))[..., 2, :, :]
        ),
        given,
        kind(psi),
        replicas,
    )
    assert_same_kind(found, given)
    assert to_numpy(found).dtype == np.float32
    assert found.shape == (2, 20, 30)
    expected = np.sqrt((gains @ psi @ gains.conj()).real / 2)
    ratio = to_numpy(found) / expected
    error = 1 / np.sqrt(4 * (replicas - 1))
    assert np.abs(ratio - 1).max() < 5 * error
    assert np.mean(ratio**2) == pytest.approx(1, abs=4 * 2 * error / np.sqrt(ratio.size))
    assert ratio.std() == pytest.approx(error, rel=0.12)
    np.testing.assert_array_equal(to_numpy(given), kspace)


def test_a_magnitude_has_the_noise_of_one_component_where_signal_is_strong():
    psi = 2 * np.eye(4)
    kspace = np.zeros((4, 24, 24), np.complex64)
    kspace[:, 12, 12] = 24 * 100
    kspace += 1e-3  # nothing is zero-filled
    replicas = 201
    found = noise_map(lambda noisy: rss(ifft2c(noisy)), kspace, psi, replicas)
    error = 1 / np.sqrt(2 * (replicas - 1))
    assert np.mean(found**2) == pytest.approx(1, abs=5 * 2 * error / np.sqrt(found.size))
    assert np.abs(found - 1).max() < 5 * error


def test_unsampled_and_zero_filled_positions_get_no_noise(rng):
    kspace = complex_array(rng, (2, 3, 8, 12))
    kspace[..., 2] = 0  # sampled, and zero in all coils
    kspace[:, 1, :, 5] = 0  # zero in one coil only
    spread = noise_map(lambda noisy: noisy, kspace, np.eye(3), 3, mask=LINE)
    noisy = spread != 0
    expected = np.broadcast_to(LINE.astype(bool), kspace.shape).copy()
    expected[..., 2] = False
    np.testing.assert_array_equal(noisy, expected)


def test_profile_and_spectrum_reach_the_noise(rng):
    profile = np.linspace(0.5, 1.5, 12, dtype=np.float32)
    spectrum = np.linspace(0.2, 1.8, 16, dtype=np.float32)[:, None]
    kspace, replicas = complex_array(rng, (3, 16, 12)), 200
    options = {"noise_profile": profile, "noise_spectrum": spectrum}
    psi = 2 * np.eye(3)
    images = noise_map(ifft2c, kspace, psi, replicas, **options)
    lines = noise_map(
        lambda noisy: ifft2c(noisy, axes=(-1,)), kspace, psi, replicas, seed=1, **options
    )
    bound = 5 / np.sqrt(4 * (replicas - 1))
    assert np.abs(images / (profile * np.sqrt(spectrum.mean())) - 1).max() < bound
    assert np.abs(lines / (profile * np.sqrt(spectrum)) - 1).max() < bound


def test_around_sense_it_is_what_sense_measures_itself(rng):
    """Whitening takes the noise of a seed to the white noise of that seed."""
    maps, psi = smooth_maps(6, (20, 22)), random_covariance(rng, 6)
    mask, options = rng.random((20, 22)) < 0.7, {"regularisation": 0.02}
    kspace = complex_array(rng, (6, 20, 22)) * mask
    kspace[:, :3] = 0

    def reconstruct(noisy):
        return sense(noisy, maps, mask, psi, **options).image

    found = noise_map(reconstruct, kspace, psi, 5, mask=mask, seed=2)
    again = sense(kspace, maps, mask, psi, replicas=5, seed=2, **options).sigma
    np.testing.assert_allclose(found, again, rtol=1e-3)


def test_replicas_repeat_with_their_seed(rng):
    kspace = complex_array(rng, (1, 4, 4))

    def sigma(seed):
        return noise_map(lambda noisy: noisy[0], kspace, np.eye(1), 3, seed=seed)

    np.testing.assert_array_equal(sigma(0), sigma(0))
    assert (sigma(0) != sigma(1)).any()
    np.testing.assert_array_equal(sigma(0), sigma(np.random.default_rng(0)))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"replicas": 1}, ValueError, "replicas is 1, expected at least 2"),
        ({"kspace": np.ones((1, 4, 4))}, TypeError, "kspace is float64"),
        ({"psi": np.eye(2)}, ValueError, r"expected \(1, 1\) for 1 coils"),
        ({"psi": -np.eye(1)}, ValueError, "negative eigenvalue"),
        ({"mask": np.ones(5)}, ValueError, r"mask of shape \(5,\)"),
        ({"mask": np.zeros(4)}, ValueError, "nothing was sampled"),
        ({"noise_profile": np.ones(5)}, ValueError, r"noise_profile of shape \(5,\) does not"),
        ({"noise_spectrum": -np.ones(4)}, ValueError, "noise_spectrum holds values"),
        ({"reconstruct": lambda _: None}, TypeError, "returned NoneType, expected the image"),
        ({"reconstruct": lambda k: k[0].real > 0}, TypeError, "returned bool"),
    ],
)
def test_bad_input_is_refused(rng, change, error, message):
    given = {"kspace": complex_array(rng, (1, 4, 4)), "psi": np.eye(1), "replicas": 2}
    given = {"reconstruct": lambda k: k[0], **given, **change}
    with pytest.raises(error, match=message):
        noise_map(**given)


def test_images_that_change_their_shape_or_kind_are_refused(rng):
    kspace = complex_array(rng, (1, 4, 4))
    sizes = iter([4, 3])
    with pytest.raises(ValueError, match=r"shape \(3, 4\) for one replica and .* \(4, 4\) for"):
        noise_map(lambda k: k[0, : next(sizes)], kspace, np.eye(1), 2)
    parts = iter([np.real, np.asarray])
    with pytest.raises(ValueError, match=r"complex64 of shape .* and float64"):
        noise_map(lambda k: next(parts)(k[0]), kspace, np.eye(1), 2)
