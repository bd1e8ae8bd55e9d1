import numpy as np
import pytest
import torch

from kspace_denoise.arrays import to_numpy
from kspace_denoise.fourier import fft2c, ifft2c
from kspace_denoise.recon import SenseOperator, noise_covariance, sense
from kspace_denoise.recon.conjugate_gradient import conjugate_gradient
from kspace_denoise.recon.noise import combine_coils, whitening_matrix
from kspace_denoise.recon.sense_operator import unit_maps
from kspace_denoise.sim import noise_like
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
    maps, psi = smooth_maps(6, SIZE), random_covariance(rng, 6)
    kspace = correlated(rng, psi, ())
    mask, options = rng.random(SIZE) < 0.7, {"regularisation": 0.02}
    assert sense(kspace, maps, mask, psi, **options).sigma is None
    sigma = sense(kspace, maps, mask, psi, replicas=100, seed=3, **options).sigma
    many = sense(correlated(rng, psi, (100,)), maps, mask, psi, **options).image
    spread = np.sqrt(np.mean(np.abs(many) ** 2, axis=0) / 2)
    error = np.sqrt(2) / np.sqrt(4 * 100)
    assert np.abs(spread / sigma - 1).max() < 5 * error
    assert np.mean(spread / sigma) == pytest.approx(1, abs=0.015)


PROFILE_X = np.linspace(0.5, 1.5, 22)
PROFILE_Y = np.linspace(0.6, 1.4, 20)[:, None]
SPECTRUM = 0.4 + 1.2 * np.cos(np.arange(20) / 5)[:, None] ** 2 + 0.2 * np.sin(np.arange(22))
PARTIAL = np.ones(SIZE)
PARTIAL[:5] = 0
PARTIAL[:, 20:] = 0


@pytest.mark.parametrize(
    ("mask", "profile", "spectrum", "acquired", "regularisation"),
    [
        (None, PROFILE_X, None, None, 0.0),
        (None, None, SPECTRUM, None, 0.1),
        (None, PROFILE_X * PROFILE_Y, SPECTRUM, PARTIAL, 0.0),
        (None, None, None, PARTIAL, 0.0),
        (RANDOM, PROFILE_Y, None, None, 0.0),
        (RANDOM, None, SPECTRUM[:1], None, 0.0),
        (RANDOM, PROFILE_Y, SPECTRUM, PARTIAL, 0.1),
        (UNIFORM, PROFILE_Y, SPECTRUM, PARTIAL, 0.0),
        (UNIFORM, None, None, PARTIAL, 0.0),
        (COLUMN, PROFILE_X, SPECTRUM, PARTIAL, 0.0),
    ],
)
def test_sigma_of_noise_that_is_not_flat(rng, mask, profile, spectrum, acquired, regularisation):
    psi, maps, count = 9 * random_covariance(rng, 6), smooth_maps(6, SIZE), 400
    known = {"noise_profile": profile, "noise_spectrum": spectrum}
    kspace = noise_like(np.empty((count, 6, *SIZE), np.complex64), psi, seed=4, **known)
    if acquired is not None:
        kspace *= acquired.astype(np.float32)
    out = sense(kspace, maps, mask, psi, regularisation=regularisation, **known)
    spread = np.sqrt(np.mean(np.abs(out.image) ** 2, axis=0) / 2)
    ratio = spread / out.sigma[0]
    assert np.abs(ratio - 1).max() < 5 / np.sqrt(4 * count)
    assert np.mean(ratio) == pytest.approx(1, abs=0.006)
    # The least squares know nothing of it.
    plain = sense(kspace[:3], maps, mask, psi, regularisation=regularisation)
    np.testing.assert_allclose(plain.image, out.image[:3], rtol=1e-4, atol=1e-4)


def test_zero_filling_lowers_sigma_by_the_root_of_its_share(rng):
    maps, kspace = smooth_maps(4, SIZE), complex_array(rng, (2, 4, *SIZE))
    full = sense(kspace, maps).sigma
    kspace[0, :, :5] = 0
    found = sense(kspace, maps).sigma
    np.testing.assert_allclose(found[0], np.sqrt(15 / 20) * full[0], rtol=1e-6)
    np.testing.assert_array_equal(found[1], full[1])
    kspace[:, :, 0] = 0
    kspace[:, 0, 7] = 0  # one coil only: that is data
    np.testing.assert_allclose(sense(kspace, maps).sigma[1], np.sqrt(19 / 20) * full[1], rtol=1e-6)
    # What was not sampled is something else.
    kspace[..., 0::2] = 0
    sampled = sense(kspace[1], maps, UNIFORM).sigma
    unfilled = sense(complex_array(rng, (4, *SIZE)), maps, UNIFORM).sigma
    np.testing.assert_allclose(sampled, np.sqrt(19 / 20) * unfilled, rtol=1e-6)


@pytest.mark.parametrize("mask", [RANDOM, UNIFORM])
def test_a_profile_along_the_undersampled_axis_needs_replicas(rng, mask):
    maps, psi = smooth_maps(6, SIZE), random_covariance(rng, 6)
    known = {"noise_profile": PROFILE_X, "noise_spectrum": SPECTRUM}
    many = noise_like(np.empty((200, 6, *SIZE), np.complex64), psi, seed=2, **known)
    assert sense(many[0], maps, mask, psi, **known).sigma is None
    sigma = sense(many[0], maps, mask, psi, replicas=200, **known).sigma
    image = sense(many, maps, mask, psi).image
    spread = np.sqrt(np.mean(np.abs(image) ** 2, axis=0) / 2)
    assert np.abs(spread / sigma - 1).max() < 5 * np.sqrt(2 / (4 * 199))
    assert np.mean(spread / sigma) == pytest.approx(1, abs=0.01)


def two_sets():
    maps = np.stack([smooth_maps(8, SIZE), 2 * smooth_maps(8, SIZE, seed=5)])
    maps[1, :, 10:] = 0
    return maps


TWO_DIMENSIONAL = np.random.default_rng(5).random(SIZE) < 0.8


@pytest.mark.parametrize("mask", [None, UNIFORM, COLUMN, TWO_DIMENSIONAL])
def test_two_sets_of_maps_return_both_images(rng, kind, mask):
    maps, psi = two_sets(), random_covariance(rng, 8)
    images = np.stack([disc(SIZE), 0.3 * disc(SIZE).conj()])
    images[1, 10:] = 0
    kspace = fft2c(np.sum(maps * images[:, None], axis=0))[None]
    given = [kind(x.astype(np.complex64)) for x in (kspace, maps, psi)]
    out = sense(given[0], given[1], mask, given[2], sets=2, tolerance=1e-7, max_iterations=2000)
    assert_same_kind(out.image, given[0])
    assert out.image.shape == (1, 2, *SIZE)
    np.testing.assert_allclose(to_numpy(out.image)[0], images, atol=2e-3)
    if mask is TWO_DIMENSIONAL:
        assert out.sigma is None
    else:
        assert_same_kind(out.sigma, given[0])
        assert out.sigma.shape == (1, 2, *SIZE)


@pytest.mark.parametrize("mask", [None, UNIFORM, COLUMN])
@pytest.mark.parametrize("regularisation", [0.0, 0.05])
def test_sigma_of_two_sets(rng, mask, regularisation):
    maps, psi, count = two_sets(), random_covariance(rng, 8), 300
    kspace = correlated(rng, psi, (count,))
    out = sense(kspace, maps, mask, psi, sets=2, regularisation=regularisation)
    spread = np.sqrt(np.mean(np.abs(out.image) ** 2, axis=0) / 2)
    assert not out.sigma[:, 1, 10:].any()
    assert not out.image[:, 1, 10:].any()
    seen = out.sigma[0] > 0
    assert seen.sum() == SIZE[1] * 30
    ratio = spread[seen] / out.sigma[0][seen]
    assert np.abs(ratio - 1).max() < 5 / np.sqrt(4 * count)
    assert ratio.mean() == pytest.approx(1, abs=0.006)


def test_two_sets_with_replicas(rng):
    kspace = complex_array(rng, (8, *SIZE))
    out = sense(kspace, two_sets(), TWO_DIMENSIONAL, replicas=3, sets=2, regularisation=0.1)
    assert out.sigma.shape == out.image.shape == (2, *SIZE)
    assert (out.sigma[0] > 0).all()
    assert not out.sigma[1, 10:].any()


@pytest.mark.parametrize("sets", [1, 2])
@pytest.mark.parametrize("mask", [UNIFORM, RANDOM, COLUMN])
def test_the_exact_solution_is_that_of_conjugate_gradients(rng, sets, mask):
    maps, regularisation = two_sets().astype(np.complex128)[:sets], 0.02
    kspace = complex_array(rng, (8, *SIZE)).astype(np.complex128)
    given = maps if sets > 1 else maps[0]
    image = sense(kspace, given, mask, sets=sets, regularisation=regularisation).image
    unit, strength = unit_maps(maps)
    operator = SenseOperator(unit, mask, soft=True)
    found = conjugate_gradient(
        lambda x: operator.normal(x) + regularisation * x,
        operator.adjoint(kspace),
        1e-10,
        1000,
        axes=3,
    )
    found = found / np.where(strength > 0, strength, 1)
    np.testing.assert_allclose(image, found if sets > 1 else found[0], atol=1e-8)


def test_it_converges_to_the_solution_of_sigpy(rng):
    from sigpy.mri import app

    maps = smooth_maps(6, (48, 44))
    radius = np.hypot(np.arange(-24, 24)[:, None], np.arange(-22, 22))
    mask = rng.random((48, 44)) < np.clip(1.3 - radius / 20, 0.15, 1)
    kspace = 50 * fft2c(maps * disc((48, 44))) + complex_array(rng, (6, 48, 44))
    kspace = (kspace * mask).astype(np.complex64)
    peer = app.SenseRecon(kspace, maps, lamda=0.01, max_iter=300, show_pbar=False).run()
    image = sense(kspace, maps, mask, regularisation=0.01).image
    assert np.linalg.norm(image - peer) < 1e-4 * np.linalg.norm(peer)


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
    with pytest.raises(TypeError, match="arrays of one kind"):
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
        ({"maps": smooth_maps(3, (20, 20))}, ValueError, r"maps of shape \(3, 20, 20\)"),
        ({"sets": 2}, ValueError, r"maps of shape \(3, 20, 22\) do not hold 2 sets"),
        ({"sets": 2, "maps": two_sets()}, ValueError, r"maps are \(..., sets, coils, y, x\)"),
        ({"sets": 0}, ValueError, "sets is 0"),
        ({"noise_profile": np.ones(20)}, ValueError, r"noise_profile of shape \(20,\)"),
        ({"noise_spectrum": -np.ones(22)}, ValueError, "noise_spectrum holds values"),
        ({"mask": np.zeros(22)}, ValueError, "nothing was sampled"),
        ({"mask": np.ones(20)}, ValueError, r"mask of shape \(20,\)"),
        ({"noise_covariance": np.eye(2)}, ValueError, "3 coils on axis -3"),
        ({"noise_covariance": np.zeros((3, 3))}, ValueError, "not positive definite"),
        ({"noise_covariance": np.triu(np.ones((3, 3)))}, ValueError, "not Hermitian"),
        ({"replicas": -1}, ValueError, "replicas=-1"),
        ({"replicas": 1}, ValueError, "0 or at least 2 replicas"),
        ({"regularisation": -0.1}, ValueError, "regularisation=-0.1"),
        ({"tolerance": 0.0}, ValueError, "tolerance=0.0"),
    ],
)
def test_bad_input_is_refused(rng, change, error, message):
    given = {"kspace": complex_array(rng, (3, *SIZE)), "maps": smooth_maps(3, SIZE)}
    with pytest.raises(error, match=message):
        sense(**{**given, **change})
