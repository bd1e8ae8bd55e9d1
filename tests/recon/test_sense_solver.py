import numpy as np
import pytest
import torch

from kspace_denoise.arrays import to_numpy
from kspace_denoise.fourier import fft2c, ifft2c
from kspace_denoise.recon import SenseOperator, noise_covariance, sense
from kspace_denoise.recon.noise import combine_coils, whitening_matrix
from tests.helpers import assert_same_kind, complex_array, random_covariance
from tests.recon.cases import disc, smooth_maps

SIZE = (20, 22)
UNIFORM = np.arange(22) % 2
RANDOM = np.isin(np.arange(22), [0, 2, 3, 5, 8, 9, 10, 11, 12, 13, 16, 19, 20]).astype(float)
COLUMN = RANDOM[:20, None]


def correlated(rng, psi, shape):
    return combine_coils(
        np.linalg.cholesky(psi) / np.sqrt(2), complex_array(rng, (*shape, len(psi), *SIZE))
    )


@pytest.mark.parametrize("mask", [None, UNIFORM, RANDOM, COLUMN])
def test_noise_free_data_return_the_object(rng, kind, mask):
    maps, image = smooth_maps(6, SIZE), disc(SIZE)
    psi = random_covariance(rng, 6)
    kspace = fft2c(maps * np.stack([image, 2 * image])[:, None])
    if mask is not None:
        kspace = kspace * mask + 7 * (1 - mask)  # what was not sampled must not matter
    given = [kind(kspace.astype(np.complex64)), kind(maps), kind(psi)]
    out = sense(given[0], given[1], mask, given[2], tolerance=1e-7, max_iterations=1000)
    assert_same_kind(out.image, given[0])
    assert_same_kind(out.sigma, given[0])
    found = to_numpy(out.image)
    assert found.dtype == np.complex64
    assert to_numpy(out.sigma).dtype == np.float32
    assert out.sigma.shape == found.shape == (2, *SIZE)
    np.testing.assert_allclose(found, np.stack([image, 2 * image]), atol=2e-4)
    np.testing.assert_array_equal(to_numpy(given[0]), kspace.astype(np.complex64))
    np.testing.assert_array_equal(to_numpy(given[1]), maps)


def test_full_sampling_is_the_optimal_combination(rng):
    """The closed form written out: (Sᴴ Ψ⁻¹ S)⁻¹ Sᴴ Ψ⁻¹ m, sigma² = 1 / (2 ... ) by Ψ = 2 sigma²."""
    maps = 3 * smooth_maps(4, SIZE) * np.linspace(1, 2, 4)[:, None, None]
    maps = maps.astype(np.complex64)
    psi = 1e-3 * random_covariance(rng, 4)
    kspace = complex_array(rng, (4, *SIZE))
    out = sense(kspace, maps, noise_covariance=psi)
    inverse = np.linalg.inv(psi)
    power = np.einsum("iyx,ij,jyx->yx", maps.conj(), inverse, maps).real
    image = np.einsum("iyx,ij,jyx->yx", maps.conj(), inverse, ifft2c(kspace)) / power
    np.testing.assert_allclose(out.image, image, rtol=1e-4, atol=1e-5)
    # E|noise|² = 1 / power, half of it in each component.
    np.testing.assert_allclose(out.sigma, np.sqrt(0.5 / power), rtol=1e-4)


def test_without_covariance_the_data_are_taken_as_white(rng):
    maps, kspace = smooth_maps(3, SIZE), complex_array(rng, (3, *SIZE))
    np.testing.assert_allclose(sense(kspace, maps).sigma, np.ones(SIZE), rtol=1e-5)
    np.testing.assert_allclose(
        sense(kspace, maps).image, sense(kspace, maps, noise_covariance=2 * np.eye(3)).image
    )
    psi = random_covariance(rng, 3)
    matrix = whitening_matrix(psi)
    apart = sense(combine_coils(matrix, kspace), combine_coils(matrix, maps))
    together = sense(kspace, maps, noise_covariance=psi)
    np.testing.assert_allclose(apart.image, together.image, rtol=1e-5)
    np.testing.assert_allclose(apart.sigma, together.sigma, rtol=1e-5)


@pytest.mark.parametrize(
    ("mask", "regularisation"),
    [(None, 0.0), (None, 0.1), (UNIFORM, 0.0), (RANDOM, 0.0), (RANDOM, 0.1), (COLUMN, 0.1)],
)
def test_sigma_is_the_spread_of_noise_through_the_reconstruction(rng, mask, regularisation):
    psi = 25 * random_covariance(rng, 6)
    maps = smooth_maps(6, SIZE)
    maps[:, :3, :4] = 0
    count = 200
    options = {"noise_covariance": psi, "regularisation": regularisation, "max_iterations": 1000}
    out = sense(correlated(rng, psi, (count,)), maps, mask, **options)
    assert not out.image[:, :3, :4].any()
    assert not out.sigma[:, :3, :4].any()
    seen = np.ones(SIZE, bool)
    seen[:3, :4] = False
    spread = np.sqrt(np.mean(np.abs(out.image) ** 2, axis=0) / 2)
    ratio = spread[seen] / out.sigma[0][seen]
    error = 1 / np.sqrt(4 * count)
    assert np.abs(ratio - 1).max() < 5 * error
    assert ratio.mean() == pytest.approx(1, abs=0.006)


def test_two_dimensional_masks_get_sigma_from_replicas_only(rng):
    mask = rng.random(SIZE) < 0.7
    maps, psi = smooth_maps(6, SIZE), random_covariance(rng, 6)
    kspace = correlated(rng, psi, ())
    assert sense(kspace, maps, mask, psi).sigma is None
    sigma = sense(kspace, maps, mask, psi, replicas=100, seed=3).sigma
    many = sense(correlated(rng, psi, (100,)), maps, mask, psi).image
    spread = np.sqrt(np.mean(np.abs(many) ** 2, axis=0) / 2)
    error = np.sqrt(2) / np.sqrt(4 * 100)
    assert np.abs(spread / sigma - 1).max() < 5 * error
    assert np.mean(spread / sigma) == pytest.approx(1, abs=0.015)


def test_replicas_do_not_replace_an_exact_map(rng):
    maps, kspace = smooth_maps(4, SIZE), complex_array(rng, (4, *SIZE))
    np.testing.assert_array_equal(
        sense(kspace, maps, UNIFORM, replicas=2).sigma, sense(kspace, maps, UNIFORM).sigma
    )


def test_regularised_solution_meets_its_normal_equations(rng):
    psi = random_covariance(rng, 4)
    maps, kspace = smooth_maps(4, SIZE), correlated(rng, psi, ())
    matrix = whitening_matrix(psi)
    white, seen = combine_coils(matrix, kspace), combine_coils(matrix, maps)
    weight = np.sum(np.abs(seen) ** 2, axis=0)
    operator = SenseOperator(seen, RANDOM)
    image = sense(kspace, maps, RANDOM, psi, regularisation=0.3, tolerance=1e-7).image
    gradient = operator.adjoint(operator.forward(image) - white) + 0.3 * weight * image
    assert np.linalg.norm(gradient) < 1e-5 * np.linalg.norm(operator.adjoint(white))


@pytest.mark.parametrize("mask", [None, RANDOM])
def test_scaling_the_data_scales_image_and_sigma_only(rng, mask):
    psi = random_covariance(rng, 4)
    maps, kspace = smooth_maps(4, SIZE), correlated(rng, psi, ())
    one = sense(kspace, maps, mask, psi, regularisation=0.1)
    small = sense(1e-9 * kspace, maps, mask, 1e-18 * psi.astype(complex), regularisation=0.1)
    np.testing.assert_allclose(small.image, 1e-9 * one.image, rtol=1e-3, atol=1e-14)
    np.testing.assert_allclose(small.sigma, 1e-9 * one.sigma, rtol=1e-4)


def test_one_coil_needs_no_combination(rng):
    kspace = complex_array(rng, (2, 1, *SIZE))
    out = sense(kspace, np.ones((1, *SIZE), np.complex64), noise_covariance=np.array([[18.0]]))
    np.testing.assert_allclose(out.image, ifft2c(kspace)[:, 0], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(out.sigma, 3 * np.ones((2, *SIZE)), rtol=1e-6)


def test_shared_maps_with_a_mask_for_every_slice(rng):
    maps, kspace = smooth_maps(6, SIZE), complex_array(rng, (2, 6, *SIZE))
    masks = np.stack([UNIFORM, 1 - UNIFORM])[:, None, :]
    out = sense(kspace, maps, masks)
    for i in range(2):
        alone = sense(kspace[i], maps, masks[i])
        np.testing.assert_allclose(out.image[i], alone.image, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(out.sigma[i], alone.sigma, rtol=1e-5)
    both = sense(kspace, maps, UNIFORM)
    assert both.sigma.shape == both.image.shape
    np.testing.assert_array_equal(both.sigma[0], both.sigma[1])


def test_kinds_must_agree():
    with pytest.raises(TypeError, match="namespace"):
        sense(torch.zeros(3, *SIZE, dtype=torch.complex64), smooth_maps(3, SIZE))


def test_double_precision_stays(rng):
    kspace = complex_array(rng, (4, *SIZE)).astype(np.complex128)
    out = sense(kspace, smooth_maps(4, SIZE).astype(np.complex128), UNIFORM, 2 * np.eye(4))
    assert out.image.dtype == np.complex128
    assert out.sigma.dtype == np.float64


def test_all_zero_data_give_a_zero_image():
    out = sense(np.zeros((3, *SIZE), np.complex64), smooth_maps(3, SIZE), UNIFORM)
    assert not out.image.any()
    assert np.isfinite(out.sigma).all()


def test_measured_covariance_makes_unit_snr_units(rng):
    """From noise to image: the sigma map of measured noise describes other noise."""
    psi = random_covariance(rng, 4)
    measured = noise_covariance(np.moveaxis(correlated(rng, psi, (50,)), 1, 0))
    out = sense(correlated(rng, psi, (50,)), smooth_maps(4, SIZE), noise_covariance=measured)
    power = np.mean(np.abs(out.image / out.sigma) ** 2) / 2
    assert power == pytest.approx(1, abs=5 * np.sqrt(2 / out.image.size))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"kspace": np.ones((3, *SIZE))}, TypeError, "kspace is float64"),
        ({"kspace": np.full((3, *SIZE), np.nan + 0j)}, ValueError, "kspace holds .* NaN"),
        ({"maps": np.full((3, *SIZE), np.nan + 0j)}, ValueError, "maps holds .* NaN"),
        ({"maps": np.ones((3, *SIZE))}, TypeError, "maps is float64"),
        (
            {"maps": smooth_maps(4, SIZE)},
            ValueError,
            r"maps of shape \(4, 20, 22\) do not fit k-space of shape \(3, 20, 22\)",
        ),
        ({"maps": smooth_maps(3, SIZE)[None]}, ValueError, "leading axes broadcast"),
        ({"mask": np.zeros(22)}, ValueError, "nothing was sampled"),
        ({"mask": np.ones(20)}, ValueError, r"mask of shape \(20,\)"),
        ({"noise_covariance": np.eye(2)}, ValueError, "3 coils on axis -3"),
        ({"noise_covariance": np.zeros((3, 3))}, ValueError, "not positive definite"),
        ({"replicas": -1}, ValueError, "replicas=-1"),
        ({"regularisation": -0.1}, ValueError, "regularisation=-0.1"),
        ({"tolerance": 0.0}, ValueError, "tolerance=0.0"),
    ],
)
def test_bad_input_is_refused(rng, change, error, message):
    given = {"kspace": complex_array(rng, (3, *SIZE)), "maps": smooth_maps(3, SIZE)}
    with pytest.raises(error, match=message):
        sense(**{**given, **change})
