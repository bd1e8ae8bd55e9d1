"""Tensors of the phantom, and scores that are made of them."""

import dataclasses

import numpy as np
import pytest
from scipy.ndimage import distance_transform_cdt

import kspace_denoise as kd
from kspace_denoise.dmri.scores import (
    corpus_callosum,
    fa_error,
    over_background,
    repeatability,
    residual_structure,
)
from kspace_denoise.dmri.tensor import TensorMaps, fit_tensor, spread_directions
from kspace_denoise.scan import Images

SIGMA = 0.02


@pytest.fixture(scope="module")
def phantom() -> kd.sim.DiffusionPhantom:
    return kd.sim.diffusion_phantom((3, 48, 48), kd.sim.gradient_scheme(24, b0=6), seed=1)


@pytest.fixture(scope="module")
def scan(phantom: kd.sim.DiffusionPhantom) -> Images:
    scheme = kd.sim.gradient_scheme(24, b0=6)
    return Images(data=phantom.image, bval=scheme.bval, bvec=scheme.bvec)


@pytest.fixture(scope="module")
def noisy(scan: Images) -> Images:
    """Real noise on magnitudes whose volumes of b = 0 are the same."""
    assert scan.bval is not None
    clean = np.abs(scan.data)
    clean[scan.bval == 0] = clean[scan.bval == 0][0]
    noise = np.random.default_rng(0).standard_normal(clean.shape)
    return dataclasses.replace(scan, data=clean + SIGMA * noise)


def single_fibre(phantom: kd.sim.DiffusionPhantom) -> np.ndarray:
    return phantom.regions["white"] & ~phantom.regions["crossing"]


def test_the_fit_finds_the_tensors() -> None:
    """At small b, where the mean tensor of a voxel's compartments is what is measured."""
    scheme = kd.sim.gradient_scheme(24, bval=150, b0=6)
    phantom = kd.sim.diffusion_phantom((2, 96, 80), scheme, seed=1)
    scan = Images(data=phantom.image, bval=scheme.bval, bvec=scheme.bvec)
    found = fit_tensor(scan, phantom.mask)
    values, vectors = np.linalg.eigh(phantom.tensor)
    inside = single_fibre(phantom)
    for fitted, truth in (
        (found.md, values.mean(axis=-1)),
        (found.ad, values[..., 2]),
        (found.rd, values[..., :2].mean(axis=-1)),
    ):  # at edges a voxel holds what rings in from beyond: the middle of all is compared
        assert np.median(fitted[inside] / truth[inside]) == pytest.approx(1, abs=0.05)
    alike = np.abs((found.direction * vectors[..., 2]).sum(axis=-1))[inside]
    assert np.median(alike) > 0.99
    assert (found.fa[~phantom.mask] == 0).all()
    error = np.abs(found.signal - np.abs(scan.data))[:, inside]
    assert np.median(error) < 0.01


def test_six_directions_are_enough_without_noise(
    phantom: kd.sim.DiffusionPhantom, scan: Images
) -> None:
    chosen = spread_directions(scan)
    assert len(chosen) == 12
    assert scan.bval is not None
    assert (scan.bval[chosen] > 0).sum() == 6
    few, all_of_them = (fit_tensor(scan, phantom.mask, c).fa for c in (chosen, None))
    inside = single_fibre(phantom)
    assert np.abs(few - all_of_them)[inside].mean() < 0.02


def test_a_fit_needs_volumes_enough(phantom: kd.sim.DiffusionPhantom, scan: Images) -> None:
    assert scan.bval is not None
    weighted = np.flatnonzero(scan.bval > 0)
    few = np.r_[np.flatnonzero(scan.bval == 0), weighted[:5]]
    with pytest.raises(ValueError, match="needs one of b = 0 and 6 others"):
        fit_tensor(scan, phantom.mask, few)
    with pytest.raises(ValueError, match="needs one of b = 0"):
        fit_tensor(scan, phantom.mask, weighted)
    with pytest.raises(ValueError, match="fewer than 25"):
        spread_directions(scan, 25)


def test_the_callosum_is_where_the_phantom_has_it(
    phantom: kd.sim.DiffusionPhantom, scan: Images
) -> None:
    found = corpus_callosum(fit_tensor(scan, phantom.mask), phantom.mask)
    assert found.sum() > 10
    red = np.abs(np.linalg.eigh(phantom.tensor)[1][..., 2][..., 0])
    assert red[found].min() > 0.95


@pytest.mark.parametrize(("b0", "directions"), [(5, 12), (1, 12), (3, 20), (1, 7)])
def test_noise_is_told_by_repeats_and_by_the_tensors(b0: int, directions: int) -> None:
    """Of exact tensors: what a fit leaves is noise, less what it follows."""
    scheme = kd.sim.gradient_scheme(directions, b0=b0)
    tensor = np.diag([1.7e-3, 0.4e-3, 0.4e-3])
    decay = np.einsum("vi,ij,vj->v", scheme.bvec, tensor, scheme.bvec) * scheme.bval
    shape = (b0 + directions, 2, 50, 50)
    clean = np.broadcast_to(np.exp(-decay)[:, None, None, None], shape)
    data = clean + SIGMA * np.random.default_rng(0).standard_normal(shape)
    scan = Images(data=data, bval=scheme.bval, bvec=scheme.bvec)
    mask = np.ones(shape[1:], bool)
    callosum = np.zeros_like(mask)
    callosum[0, :5] = True
    found = repeatability(scan, fit_tensor(scan, mask), callosum, mask)
    voxels = mask.sum()
    assert found.noise is not None
    freedom = voxels * (directions + b0 - 7) * directions / (directions + b0)
    assert abs(found.noise / SIGMA - 1) < 4 / (2 * freedom) ** 0.5 + 0.02  # the fit is not linear
    signal = data[scheme.bval > 0][:, callosum].mean()
    assert found.snr == pytest.approx(signal / found.noise)
    if b0 == 1:
        assert found.snr_b0 is None
        return
    assert found.noise_b0 is not None
    assert abs(found.noise_b0 / SIGMA - 1) < 4 / (2 * (b0 - 1) * voxels) ** 0.5


def test_a_fit_that_explains_all_tells_no_noise(
    phantom: kd.sim.DiffusionPhantom, noisy: Images
) -> None:
    chosen = spread_directions(noisy)
    assert noisy.bval is not None
    assert noisy.bvec is not None
    six = Images(data=noisy.data[chosen], bval=noisy.bval[chosen], bvec=noisy.bvec[chosen])
    nothing = np.zeros_like(phantom.mask)
    found = repeatability(six, fit_tensor(six, phantom.mask), nothing, phantom.mask)
    assert (found.snr, found.cnr, found.noise, found.snr_b0) == (None, None, None, None)
    assert found.noise_b0 is not None


def test_snr_and_cnr_by_the_rule_of_the_paper() -> None:
    """Signal 5 and background 1 ± 0.5 far away; what is near the brain does not count."""
    rng = np.random.default_rng(0)
    mask, callosum = np.zeros((2, 60, 61), bool), np.zeros((2, 60, 61), bool)
    mask[:, 25:36, 25:36], callosum[0, 29:32, 29:32] = True, True
    volumes = 1 + 0.5 * rng.standard_normal((3, *mask.shape))
    volumes[:, distance_transform_cdt(~mask[0], "taxicab")[None].repeat(2, 0) <= 10] = 7
    volumes[:, callosum] = 5
    found = over_background(volumes, callosum, mask)
    within = 4 * 10 / np.sqrt(2 * 3 * 2500)  # of the standard deviation, of that many pixels
    assert found.snr == pytest.approx(10, abs=within)
    assert found.cnr == pytest.approx(8, abs=within)
    with pytest.raises(ValueError, match="callosum is empty"):
        over_background(volumes, np.zeros_like(mask), mask)
    with pytest.raises(ValueError, match="slice 0 has no pixel 10 pixels away"):
        over_background(volumes, callosum, np.ones_like(mask))


def test_structure_in_residuals_is_found(scan: Images, noisy: Images) -> None:
    assert scan.bval is not None
    mask = np.abs(scan.data[0]) > 0.3
    weighted = scan.bval > 0
    clean, given = np.abs(scan.data[weighted]), noisy.data[weighted]
    volumes, voxels = len(clean), mask.sum()
    alone = residual_structure(given, clean, mask)
    assert abs(alone.shared - 1) < 4 * (2 / voxels) ** 0.5
    assert abs(alone.smooth - 1) < 4 * (2 * 25 / (volumes * voxels)) ** 0.5
    phase = np.exp(1j * np.random.default_rng(1).uniform(0, 6, (len(clean), 1, 1, 1)))
    assert residual_structure(given * phase, clean * phase, mask) == pytest.approx(alone)
    darker = residual_structure(given, 0.97 * clean, mask)
    assert min(darker) > 1.3
    contrast = clean - clean.mean(axis=0)  # what regressions take: of each volume its own
    apart = residual_structure(given, clean - 0.3 * contrast, mask)
    assert apart.smooth > 1.5
    assert residual_structure(given, given, mask) == (0, 0)


def test_the_error_of_fa_is_bias_and_spread() -> None:
    truth, mask = np.zeros((1, 4, 4)), np.ones((1, 4, 4), bool)
    fa = 0.1 + 0.05 * np.random.default_rng(0).standard_normal(truth.shape)
    found = fa_error(fa, truth, mask)
    assert found.rms**2 == pytest.approx(found.bias**2 + found.spread**2)
    assert found.bias == pytest.approx(fa.mean())


def test_colour_is_direction_times_anisotropy() -> None:
    zeros = np.zeros((1, 1, 1))
    direction = np.array([0.6, 0, -0.8]).reshape(1, 1, 1, 3)
    maps = TensorMaps(zeros + 0.5, zeros, zeros, zeros, direction, zeros[None], zeros[0, 0])
    np.testing.assert_allclose(maps.colour.ravel(), [0.3, 0, 0.4])
