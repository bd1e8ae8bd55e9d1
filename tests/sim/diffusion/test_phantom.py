import numpy as np
import pytest

from kspace_denoise.fourier import ifft2c
from kspace_denoise.sim.coils import grid
from kspace_denoise.sim.diffusion import GradientScheme, diffusion_phantom, gradient_scheme
from kspace_denoise.sim.diffusion.brain import BUNDLES, Place, draw_brain

SCHEME = gradient_scheme(12, b0=2)


@pytest.fixture(scope="module")
def scan():
    return diffusion_phantom((3, 65, 54), SCHEME, seed=1, coils=3)


def fitted(signal, scheme):
    """The tensor of noise-free signals (volumes, ...), by least squares in the logarithm."""
    x, y, z = scheme.bvec.T
    products = np.stack([x * x, y * y, z * z, 2 * x * y, 2 * x * z, 2 * y * z])
    design = np.concatenate([np.ones((1, len(scheme.bval))), -scheme.bval * products]).T
    found = np.linalg.lstsq(design, np.log(signal.reshape(len(signal), -1)), rcond=None)[0]
    return found[1:].T.reshape(*signal.shape[1:], 6)


def as_six(tensor):
    i, j = (0, 1, 2, 0, 0, 1), (0, 1, 2, 1, 2, 2)
    return tensor[..., i, j]


def test_shapes_kinds_and_level(scan):
    assert scan.image.shape == (14, 3, 65, 54)
    assert scan.kspace.shape == (14, 3, 3, 65, 54)
    assert scan.image.dtype == scan.kspace.dtype == np.complex64
    assert scan.tensor.shape == (3, 65, 54, 3, 3)
    assert scan.mask.dtype == bool
    assert all(region.shape == scan.mask.shape for region in scan.regions.values())
    unweighted = np.abs(scan.image[SCHEME.bval == 0][:, scan.mask])
    assert abs(unweighted.mean() - 1) < 0.02


def test_every_region_is_there_and_inside_the_brain(scan):
    assert set(scan.regions) == {"white", "grey", "deep_grey", "csf", "callosum", "crossing"}
    for name in ("white", "grey", "csf", "callosum", "crossing"):
        assert scan.regions[name].sum() > 5, name
        assert not (scan.regions[name] & ~scan.mask).any()
    assert not (scan.regions["callosum"] & ~scan.regions["white"]).any()
    assert not (scan.regions["callosum"] & scan.regions["crossing"]).any()


def test_signals_decay_as_the_tensors_say(scan):
    """Where one bundle fills the voxel; to first order in b also where fibres cross."""
    tensor, truth = fitted(np.abs(scan.image), SCHEME), as_six(scan.tensor)
    error = np.abs(tensor - truth)[scan.regions["callosum"]]
    assert np.median(error) < 2e-5  # a tensor with y turned round is 3e-5 away
    weak = GradientScheme(SCHEME.bval / 4, SCHEME.bvec)
    error = np.abs(fitted(np.abs(diffusion_phantom((3, 65, 54), weak, seed=1).image), weak) - truth)
    assert np.median(error[scan.regions["crossing"]]) < 5e-5


def test_the_callosum_runs_from_left_to_right_and_csf_is_isotropic(scan):
    values, vectors = np.linalg.eigh(scan.tensor)
    first = np.abs(vectors[..., 2])
    assert np.median(first[scan.regions["callosum"]][:, 0]) > 0.9
    spread = values[..., 2] - values[..., 0]
    assert spread[scan.regions["csf"]].max() < 3e-4
    assert np.median(spread[scan.regions["callosum"]]) > 1e-3
    mean = values.mean(axis=-1)
    assert abs(np.median(mean[scan.regions["csf"]]) - 3e-3) < 1e-4
    assert abs(np.median(mean[scan.regions["white"]]) - 0.8e-3) < 5e-5


def test_crossing_fibres_are_less_anisotropic_than_single_ones(scan):
    values = np.linalg.eigvalsh(scan.tensor)
    spread = values[..., 2] - values[..., 0]
    single = scan.regions["white"] & ~scan.regions["crossing"]
    assert np.median(spread[scan.regions["crossing"]]) < 0.8 * np.median(spread[single])


def test_it_is_not_piecewise_constant(scan):
    """Within pure white matter of one bundle signals vary, and so do their ratios."""
    signal = np.abs(scan.image)[:, scan.regions["callosum"]]
    assert 0.02 < signal[0].std() / signal[0].mean() < 0.3
    ratio = signal[5] / signal[0]
    assert ratio.std() / ratio.mean() > 0.02


def test_every_volume_has_a_phase_of_its_own(scan):
    turn = np.angle(scan.image[2] * scan.image[3].conj())[scan.mask]
    assert turn.std() > 0.3


def test_coils_see_the_image(scan):
    coils = ifft2c(scan.kspace)
    again = diffusion_phantom((3, 65, 54), SCHEME, seed=1)
    assert again.kspace is None
    np.testing.assert_array_equal(again.image, scan.image)
    energy = np.sqrt((np.abs(coils) ** 2).sum(axis=2))[:, scan.mask]
    smooth = energy / np.abs(scan.image)[:, scan.mask]
    # Sensitivities are the same in all volumes.
    assert np.quantile(np.abs(smooth[5] / smooth[0] - 1), 0.9) < 0.05


def test_the_seed_draws_the_brain():
    shape = (1, 32, 32)
    first, second = (diffusion_phantom(shape, SCHEME, seed=s).image for s in (0, 1))
    np.testing.assert_array_equal(first, diffusion_phantom(shape, SCHEME, seed=0).image)
    assert np.abs(np.abs(first) - np.abs(second)).mean() > 0.02


@pytest.mark.parametrize(
    ("shape", "more", "words"),
    [
        ((64, 64), {}, r"shape is \(64, 64\), expected \(slices, y, x\)"),
        ((1, 8, 64), {}, r"of at least \(1, 16, 16\)"),
        ((1, 32, 32), {"coils": -1}, "coils is -1"),
        ((1, 32, 32), {"oversampling": 1}, "oversampling is 1"),
    ],
)
def test_bad_arguments(shape, more, words):
    with pytest.raises(ValueError, match=words):
        diffusion_phantom(shape, SCHEME, **more)


def test_a_scheme_that_does_not_fit_is_refused():
    for bval, bvec in ((np.zeros(3), np.zeros((2, 3))), (np.zeros(0), np.zeros((0, 3)))):
        with pytest.raises(ValueError, match=r"expected \(volumes,\) and \(volumes, 3\)"):
            diffusion_phantom((1, 32, 32), GradientScheme(bval, bvec))


def test_directions_are_along_the_axes_of_the_image():
    """Fibres of the outer white matter run outwards: down and to the right in that quarter."""
    y, x, _ = grid((64, 64))
    place = Place(*(p.astype(np.float32) for p in np.broadcast_arrays(x[None], -y[None], 18.0)))
    brain = draw_brain(place, 3.5, np.random.default_rng(0))
    outwards = brain.directions[BUNDLES.index("association"), 0]
    assert (outwards[45, 45, :2] > 0.3).all()
    assert (outwards[20, 20, :2] < -0.3).all()
