"""The noise level of images without k-space: right where it answers, and no answer where unsafe."""

import math

import numpy as np
import pytest
from scipy import ndimage
from skimage.restoration import estimate_sigma as wavelet_rule

from kspace_denoise import read, recon
from kspace_denoise.fourier import fft2c, ifft2c
from kspace_denoise.recon import NoiseNotFound, estimate_sigma
from kspace_denoise.recon.noise_level_boxes import agreeing
from kspace_denoise.recon.noise_level_drift import AGREES, BOXES, find_drift
from tests.helpers import complex_array

SIGMA = 0.05


def disc(fraction: float = 0.3, side: int = 256, value: float = 0.5) -> np.ndarray:
    """Return a disc that fills so much of the image, with a soft ramp inside."""
    y, x = np.mgrid[:side, :side] - side / 2
    inside = np.hypot(y, x) < side * math.sqrt(fraction / math.pi)
    return inside * value * (1 + 0.3 * x / side) * np.exp(1j * y / side)


def magnitude(rng, truth: np.ndarray, coils: int = 1, sigma: float = SIGMA) -> np.ndarray:
    """Return the root sum of squares of equal coils, of level sigma."""
    parts = truth / math.sqrt(coils) + sigma * complex_array(rng, (coils, *truth.shape))
    return np.sqrt(np.sum(np.abs(parts) ** 2, axis=0))


@pytest.mark.parametrize(
    ("fraction", "biased"),
    [(0.69, 0.0445), (0.48, 0.0394), (0.31, 0.0367), (0.17, 0.0351), (0.08, 0.0336)],
)
def test_the_wavelet_rule_alone_is_wrong_for_magnitudes_and_this_is_not(rng, fraction, biased):
    image = magnitude(rng, disc(fraction))
    assert wavelet_rule(image) == pytest.approx(biased, rel=0.04)
    found = estimate_sigma(image)
    assert found.sigma == pytest.approx(SIGMA, rel=0.02)
    assert found.rule.startswith("air")


@pytest.mark.parametrize(
    ("coils", "mean", "std"),
    [(1, 1.2533, 0.6551), (4, 2.7416, 0.6953), (8, 3.9380, 0.7014), (16, 5.6128, 0.7043)],
)
def test_air_of_a_root_sum_of_squares_follows_the_chi_law(rng, coils, mean, std):
    noise = recon.MagnitudeNoise(1.0, coils)
    assert float(noise.mean(0.0)) == pytest.approx(mean, abs=6e-5)
    assert math.sqrt(float(noise.variance(0.0))) == pytest.approx(std, abs=6e-5)
    image = magnitude(rng, disc(), coils)
    assert estimate_sigma(image, coils).sigma == pytest.approx(SIGMA, rel=0.01)
    if coils > 1:
        with pytest.raises(NoiseNotFound, match=r"not the law of noise.*number of coils"):
            estimate_sigma(image)


def test_the_interval_holds_the_truth_and_follows_from_the_pixels(rng):
    found = [estimate_sigma(magnitude(rng, disc(side=96))) for _ in range(100)]
    hits = sum(f.interval[0] < SIGMA / f.sigma < f.interval[1] for f in found)
    assert hits >= 87  # 95 of 100 expected; fewer than 87 once in 1000 such tests
    typical = np.median([f.pixels_used for f in found])
    assert 0.4 * 96**2 < typical < 0.7 * 96**2
    spread = np.std([f.sigma for f in found]) / SIGMA
    assert spread == pytest.approx(0.5227 / typical**0.5, rel=5 / 200**0.5)


def test_complex_and_real_images_of_both_signs(rng, kind):
    truth = disc()
    noisy = (truth + SIGMA * complex_array(rng, truth.shape)).astype(np.complex64)
    before = noisy.copy()
    found = estimate_sigma(kind(noisy))
    assert np.array_equal(noisy, before)
    assert found.sigma == pytest.approx(SIGMA, rel=0.02)
    assert isinstance(found.sigma, float)
    real = (np.abs(truth) + SIGMA * rng.standard_normal(truth.shape)).astype(np.float32)
    assert estimate_sigma(kind(real)).sigma == pytest.approx(SIGMA, rel=0.02)


def test_scaling_the_image_scales_sigma_and_slices_count_as_one(rng):
    stack = np.stack([magnitude(rng, disc()) for _ in range(4)])
    one, four = estimate_sigma(stack[0]), estimate_sigma(stack.reshape(2, 2, 256, 256))
    assert four.pixels_used > 3.5 * one.pixels_used
    assert four.sigma == pytest.approx(SIGMA, rel=0.01)
    assert estimate_sigma(1e-6 * stack[0]).sigma == pytest.approx(1e-6 * one.sigma)


def test_interpolated_noise_keeps_its_level_in_air(rng):
    truth = disc(side=128)
    wide = np.pad(fft2c(truth + SIGMA * complex_array(rng, truth.shape)), 64)
    found = estimate_sigma(2 * np.abs(ifft2c(wide)))
    assert found.sigma == pytest.approx(SIGMA, rel=0.03)
    assert found.pixels_used < 0.5 * 256**2 * 0.7  # neighbours are alike, and count for less


@pytest.mark.parametrize("coils", [1, 4])
def test_a_blanked_background_leaves_the_object(rng, coils):
    truth = disc(0.5)
    image = magnitude(rng, truth, coils) * (truth != 0)
    found = estimate_sigma(image, coils)
    assert found.rule.startswith("object")
    assert found.sigma == pytest.approx(SIGMA, rel=0.05)
    assert found.interval[0] < SIGMA / found.sigma < found.interval[1]


def test_inside_the_object_the_missing_spread_of_a_magnitude_is_put_back(rng):
    """Eight coils at an amplitude of 5 sigma: the magnitude scatters by 0.86 sigma only."""
    truth = 5 * SIGMA * (disc(0.5) != 0)
    expected = math.sqrt(float(recon.MagnitudeNoise(1.0, 8).variance(5.0)))
    assert expected < 0.9
    found = estimate_sigma(magnitude(rng, truth, 8) * (truth != 0), 8)
    assert found.rule.startswith("object")
    assert found.sigma == pytest.approx(SIGMA, rel=0.03)


def test_a_complex_image_without_air(rng):
    truth = disc(0.5)
    masked = (truth + SIGMA * complex_array(rng, truth.shape)) * (truth != 0)
    found = estimate_sigma(masked)
    assert found.rule.startswith("object")
    assert found.sigma == pytest.approx(SIGMA, rel=0.05)


def interpolated(image: np.ndarray) -> np.ndarray:
    return np.abs(ndimage.zoom(image, 2, order=3))


REFUSED = {
    "a filtered image": (lambda m, _t: ndimage.gaussian_filter(m, 1), "not the law of noise"),
    "a median filter": (lambda m, _t: ndimage.median_filter(m, 3), "not the law of noise"),
    "negative values cut off": (
        lambda _m, t: np.clip(
            t.real + SIGMA * np.random.default_rng(0).standard_normal(t.shape), 0, None
        ),
        "not the law of noise",
    ),
    "uneven noise": (lambda m, _t: m * np.linspace(0.5, 1.5, m.shape[1]), "not of one level|even"),
    "blank around, interpolated": (
        lambda m, t: interpolated(m * (t != 0)) * (ndimage.zoom(np.abs(t), 2, order=0) > 0),
        "no region without detail|times as strong",
    ),
    "no noise": (lambda _m, t: np.abs(t), "cannot be told"),
    "a constant": (lambda m, _t: np.ones_like(m), "cannot be told"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_no_number_where_it_would_be_a_guess(rng, what):
    make, message = REFUSED[what]
    truth = disc(0.5)
    with pytest.raises(NoiseNotFound, match=message) as caught:
        estimate_sigma(make(magnitude(rng, truth), truth))
    assert "Give sigma, the standard deviation" in str(caught.value)


def test_bad_input_says_what_is_expected(rng):
    image = magnitude(rng, disc(side=64))
    with pytest.raises(TypeError, match="expected floating numbers"):
        estimate_sigma(image.astype(np.int16))
    with pytest.raises(ValueError, match="16 x 16 pixels at least"):
        estimate_sigma(image[:8])
    with pytest.raises(ValueError, match="16 x 16 pixels at least"):
        estimate_sigma(image[0])
    for bad in (np.zeros((64, 64)), np.full((64, 64), np.nan)):
        with pytest.raises(ValueError, match="NaN or infinity, or zeros only"):
            estimate_sigma(bad)
    with pytest.raises(ValueError, match="that is for magnitudes"):
        estimate_sigma(image.astype(complex), coils=4)
    with pytest.raises(ValueError, match="from 1 to 128"):
        estimate_sigma(image, coils=0)


DRIFTS = {
    "along y": lambda y, _x: 1 + 0.15 * y,
    "along x": lambda _y, x: 1 - 0.15 * x,
    "a receiver filter along x": lambda _y, x: 1 - 0.6 * x**2,
    "brighter rows at one end": lambda y, _x: np.where(y < -0.5, 0.78, 1.08),
}


@pytest.mark.parametrize("form", ["magnitude", "complex", "real"])
@pytest.mark.parametrize("what", DRIFTS)
def test_noise_that_drifts_is_refused_although_its_darkest_air_is_even(rng, what, form):
    """The brighter end, left out as object, must not leave the darker one for the whole."""
    truth = disc(side=128)
    y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in truth.shape), indexing="ij")
    noise = SIGMA * DRIFTS[what](y, x) * complex_array(rng, truth.shape)
    image = {
        "magnitude": np.abs(truth + noise),
        "complex": truth + noise,
        "real": np.abs(truth) + noise.real,
    }[form]
    with pytest.raises(NoiseNotFound, match=r"noise is not even|not of one level|not the law"):
        estimate_sigma(image)


@pytest.mark.parametrize("axis", [0, 1])
def test_a_drift_that_is_not_refused_widens_the_interval(rng, axis):
    """Over 5 % to each side the level differs by 3 % root mean square, all that error knows."""
    truth = disc(side=256)
    drift = np.expand_dims(np.linspace(0.95, 1.05, 256), 1 - axis)
    noise = complex_array(rng, truth.shape)
    even, drifting = (estimate_sigma(np.abs(truth + SIGMA * d * noise)) for d in (1, drift))
    shown = 0.05 / math.sqrt(3)
    assert drifting.interval[1] - 1 == pytest.approx(1.96 * shown, rel=0.4)
    assert even.interval[1] - 1 < 0.6 * (drifting.interval[1] - 1)


def test_the_drift_is_found_to_its_end(rng):
    """The fit follows what the selection of pixels that agree would have left out."""
    truth = np.broadcast_to(disc(side=128), (2, 128, 128))
    profile = np.linspace(0.8, 1.2, 128)
    noisy = np.abs(truth + profile[:, None] * complex_array(rng, truth.shape) * SIGMA)
    power, valid = (noisy / SIGMA) ** 2 / 2, np.ones(noisy.shape, bool)
    air, excess = agreeing(power, valid, 2.0, BOXES, AGREES)
    assert np.mean(air[:, 96:]) < 0.5 * np.mean(air[:, :32])
    start = float(np.sqrt(np.mean(power[air])))
    along_y = find_drift(noisy / SIGMA / start, air, valid, 2.0, excess, 1)
    assert along_y.level * start == pytest.approx(profile, rel=0.06)


def test_real_repetitions_that_differ_by_uneven_noise_are_refused(real_data):
    """Two repetitions differ by 1.60 at the top and 2.03 at the bottom of the image."""
    for repetition in (1, 2):
        scan = read(real_data / f"ulf55mT_FLAIR_cage_EMIremoved_s01_rep{repetition}.h5")
        with pytest.raises(NoiseNotFound, match="not even: along y"):
            estimate_sigma(np.abs(ifft2c(scan.kspace[:])[:, 0]))
