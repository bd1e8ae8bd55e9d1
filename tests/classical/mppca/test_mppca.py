import array_api_strict
import numpy as np
import pytest
import torch

from kspace_denoise.classical.mppca import mppca
from kspace_denoise.classical.mppca.patches import centred_patches, default_patch, patch_voxels
from kspace_denoise.classical.mppca.spectrum import Law, law_median
from tests.helpers import assert_same_kind, complex_array


def low_rank(grid, volumes, rank, rng, kind=np.float32):
    """Volumes that are mixtures of `rank` courses, by maps that vary from voxel to voxel."""
    courses, maps = rng.standard_normal((volumes, rank)), rng.standard_normal((rank, *grid))
    if np.issubdtype(kind, np.complexfloating):
        courses = courses * np.exp(1j * rng.uniform(0, 6, courses.shape))
    return (3 * np.tensordot(courses, maps, 1)).astype(kind)


def noise(shape, rng, kind=np.float32):
    if np.issubdtype(kind, np.complexfloating):
        return complex_array(rng, shape).astype(kind)
    return rng.standard_normal(shape).astype(kind)


@pytest.mark.parametrize("kind", [np.float32, np.complex64])
@pytest.mark.parametrize(
    ("grid", "volumes", "within"),
    [
        ((6, 20, 21), 17, 0.01),
        ((2, 31, 30), 66, 0.01),
        ((3, 12, 11), 300, 0.01),
        ((1, 60, 61), 8, 0.02),  # a law of large matrices, of which eight rows are none
    ],
)
def test_noise_is_measured_and_signal_kept(grid, volumes, within, kind):
    rng = np.random.default_rng(1)
    truth, sigma = low_rank(grid, volumes, 3, rng, kind), 0.7
    noisy = truth + sigma * noise(truth.shape, rng, kind)
    found = mppca(noisy)
    assert abs(np.median(found.sigma) / sigma - 1) < within
    assert 2.9 < found.components.mean() < 4.2
    before, after = (np.abs(x - truth).std() for x in (noisy, found.image))
    assert after < 0.75 * before
    assert abs(np.vdot(truth, found.image - truth)) < 0.01 * np.vdot(truth, truth).real


def test_sigma_is_right_whatever_the_rank():
    """The law of what is left: with q in place of q - p it would be 4 % too small for rank 10."""
    rng = np.random.default_rng(2)
    for rank in (0, 2, 10):
        truth = low_rank((5, 40, 40), 30, rank, rng) if rank else np.zeros((30, 5, 40, 40))
        found = mppca((truth + noise(truth.shape, rng)).astype(np.float32))
        assert abs(np.median(found.sigma) - 1) < 0.01, rank


@pytest.mark.parametrize("kind", [np.float32, np.complex64])
def test_noise_of_a_known_level_is_told_from_signal_beyond_it(kind):
    """Residuals that hold part of the noise alone: what stands out there is signal still."""
    rng = np.random.default_rng(9)
    for part, rank in ((1.0, 0), (0.4, 0), (0.4, 2), (1.0, 2)):
        shape = (20, 5, 31, 30)
        truth = low_rank(shape[1:], 20, rank, rng, kind) if rank else np.zeros(shape, kind)
        noisy = truth + kind(0.7 * part) * noise(shape, rng, kind)
        found = mppca(noisy, sigma=0.7)
        more = found.components.mean() - rank
        assert 0 <= more < 0.1 if part == 1 else more == 0, (part, rank)
        assert np.median(found.sigma) == pytest.approx(0.7 * part, rel=0.02)


def test_where_all_is_beyond_the_known_noise_all_is_kept():
    signal = noise((12, 5, 20, 21), np.random.default_rng(8))
    found = mppca(signal, sigma=0.01)
    np.testing.assert_allclose(found.image, signal, atol=1e-5)
    np.testing.assert_allclose(found.components, 12, rtol=1e-6)
    assert not found.sigma.any()


def test_noise_that_varies_is_mapped():
    rng = np.random.default_rng(3)
    level = np.linspace(0.5, 2, 40)
    found = mppca(level.astype(np.float32) * noise((30, 5, 20, 40), rng))
    assert np.abs(found.sigma.mean(axis=(0, 1))[4:-4] / level[4:-4] - 1).max() < 0.05


def test_components_of_known_spectra():
    """Of 4 x 6 matrices, by hand: γ = 3/5 and 4/6 for what is left."""
    values = torch.tensor([[100.0, 1.1, 1.0, 0.9], [1.2, 1.1, 1.0, 0.9], [9.0, 0.0, 0.0, 0.0]])
    rows, columns = torch.full((3,), 4), torch.full((3,), 6)
    law = Law(rows, columns)
    kept = law.signal_components(values)
    assert kept.tolist() == [1, 0, 1]
    power = law.noise_power(values, kept)
    wanted = [1.0 / (5 * law_median(3 / 5)), 1.05 / (6 * law_median(4 / 6)), 0.0]
    torch.testing.assert_close(power, torch.tensor(wanted), rtol=1e-3, atol=0)
    law = Law(rows, columns, paper=True)
    kept = law.signal_components(values)
    assert kept.tolist() == [1, 0, 1]
    wanted = [3.0 / (3 * 6), 4.2 / (4 * 6), 0.0]
    torch.testing.assert_close(law.noise_power(values, kept), torch.tensor(wanted))


@pytest.mark.parametrize("shape", [0.1, 0.5, 1.0])
def test_the_median_of_the_law_is_that_of_large_matrices(shape):
    """Singular values do not scatter: the median of 600 is within 1 % of the law's."""
    noise = np.random.default_rng(9).standard_normal((int(600 * shape), 600))
    median = np.median(np.linalg.svd(noise, compute_uv=False) ** 2) / 600
    assert abs(law_median(shape) / median - 1) < 0.01


def test_signal_too_weak_to_be_seen_is_hardly_taken_for_noise():
    """Components below the threshold raise the mean of what is left by 3 %, the median less."""
    rng = np.random.default_rng(10)
    courses, maps = rng.standard_normal((6, 30)), rng.standard_normal((6, 5, 20, 20))
    weak = 0.13 * np.tensordot(courses.T, maps, 1)
    found = mppca((weak + noise(weak.shape, rng)).astype(np.float32))
    assert found.components.mean() < 1
    assert weak.var() > 0.08
    assert abs(np.median(found.sigma) - 1) < 0.025


def test_the_paper_keeps_the_centre_of_a_patch_around_every_voxel():
    rng = np.random.default_rng(11)
    noisy = low_rank((3, 7, 8), 6, 2, rng, np.float64) + noise((6, 3, 7, 8), rng, np.float64)
    found = mppca(noisy, patch=3, paper=True)
    block = noisy[:, 0:3, 3:6, 4:7].reshape(6, 27)
    left, values, right = np.linalg.svd(block, full_matrices=False)
    kept = round(float(found.components[1, 4, 5]))
    wanted = (left[:, :kept] * values[:kept] @ right[:kept])[:, 13]
    np.testing.assert_allclose(found.image[:, 1, 4, 5], wanted, atol=1e-8)
    level = (values[kept:] ** 2).sum() / ((6 - kept) * 27)
    assert found.sigma[1, 4, 5] == pytest.approx(np.sqrt(level))
    indices, places = centred_patches((3, 7, 8), (3, 3, 3))
    assert indices.gather(1, places[:, None])[:, 0].tolist() == list(range(3 * 7 * 8))
    with pytest.raises(ValueError, match="leave it out"):
        mppca(noisy, stride=1, paper=True)


def test_complex_data_and_their_rotation_are_treated_alike():
    rng = np.random.default_rng(4)
    noisy = low_rank((3, 12, 12), 9, 2, rng, np.complex64) + noise(
        (9, 3, 12, 12), rng, np.complex64
    )
    turned = mppca(noisy * np.complex64(1j))
    plain = mppca(noisy)
    np.testing.assert_allclose(turned.image, 1j * plain.image, atol=1e-4)
    np.testing.assert_allclose(turned.sigma, plain.sigma, rtol=1e-4)


def test_blank_voxels_stay_blank_and_do_not_lower_sigma():
    rng = np.random.default_rng(5)
    noisy = noise((12, 5, 20, 20), rng)
    blank = rng.random((5, 20, 20)) < 0.3
    noisy[:, blank] = 0
    found = mppca(noisy)
    assert not found.image[:, blank].any()
    assert not found.sigma[blank].any()
    assert abs(np.median(found.sigma[~blank]) - 1) < 0.02
    assert np.isfinite(found.image).all()


@pytest.mark.parametrize("blank", [slice(0, 1), slice(5, 12, 3), slice(0, 12)])
def test_blank_volumes_stay_blank_and_do_not_lower_sigma(blank):
    """As of a scan that was stopped."""
    noisy = noise((20, 5, 20, 20), np.random.default_rng(8))
    noisy[blank] = 0
    found = mppca(noisy)
    assert not found.image[blank].any()
    assert abs(np.median(found.sigma) - 1) < 0.02


def test_data_without_noise_come_back():
    rng = np.random.default_rng(6)
    truth = low_rank((3, 12, 12), 10, 2, rng, np.float64)
    found = mppca(truth)
    np.testing.assert_allclose(found.image, truth, atol=1e-8)
    assert found.sigma.max() < 1e-6


@pytest.mark.parametrize("convert", [torch.from_numpy, array_api_strict.asarray])
def test_every_kind_of_array(convert):
    noisy = noise((6, 3, 9, 9), np.random.default_rng(7))
    before = noisy.copy()
    given = convert(noisy)
    found = mppca(given)
    for part in found:
        assert_same_kind(part, given)
    np.testing.assert_allclose(np.asarray(found.image), mppca(noisy).image, atol=1e-6)
    np.testing.assert_array_equal(noisy, before)


@pytest.mark.parametrize("stride", [1, (1, 2, 3)])
def test_every_voxel_lies_in_a_patch(stride):
    grid, patch = (4, 9, 11), (3, 3, 5)
    apart = (stride,) * 3 if isinstance(stride, int) else stride
    voxels = patch_voxels(grid, patch, apart)
    assert voxels.shape[1] == 45
    assert set(voxels.flatten().tolist()) == set(range(4 * 9 * 11))
    first = np.unravel_index(voxels[0].numpy(), grid)
    assert [sorted(set(axis.tolist())) for axis in first] == [[0, 1, 2], [0, 1, 2], [0, 1, 2, 3, 4]]


def test_patches_hold_more_voxels_than_there_are_volumes():
    assert default_patch((40, 40, 40), 20) == (5, 5, 5)
    assert default_patch((40, 40, 40), 125) == (7, 7, 7)
    assert default_patch((2, 40, 40), 66) == (2, 7, 7)
    assert default_patch((1, 4, 5), 66) == (1, 4, 5)


@pytest.mark.parametrize(
    ("volumes", "more", "error", "words"),
    [
        (np.zeros((3, 2, 8, 8), np.int16), {}, TypeError, "int16, expected floating or complex"),
        (np.zeros((2, 8, 8)), {}, ValueError, r"shape \(2, 8, 8\), expected \(volumes, slices"),
        (np.ones((1, 2, 8, 8)), {}, ValueError, "at least two volumes"),
        (np.full((3, 2, 8, 8), np.nan), {}, ValueError, "NaN or infinite"),
        (np.zeros((3, 2, 8, 8)), {}, ValueError, "zeros only"),
        (np.ones((3, 2, 8, 8)), {"patch": 3}, ValueError, r"no more than there are: \(2, 8, 8\)"),
        (np.ones((3, 2, 8, 8)), {"patch": 1}, ValueError, "at least two voxels"),
        (np.ones((3, 2, 8, 8)), {"patch": (2, 3)}, ValueError, "each an integer above 0"),
        (np.ones((3, 2, 8, 8)), {"patch": 2, "stride": 3}, ValueError, "would be left out"),
        (np.ones((3, 2, 8, 8)), {"sigma": 0.0}, ValueError, "sigma is 0.0, expected a positive"),
        (np.ones((3, 2, 8, 8)), {"sigma": 1.0, "paper": True}, ValueError, "leave one of both"),
    ],
)
def test_bad_input(volumes, more, error, words):
    with pytest.raises(error, match=words):
        mppca(volumes, **more)
