"""Noise at the edge of k-space: right within its interval, and silent on the rest."""

import numpy as np
import pytest

from kspace_denoise.arrays import to_numpy
from kspace_denoise.fourier import fft2c, ifft2c
from kspace_denoise.recon import NoiseNotFound, estimate_noise, noise_estimate
from kspace_denoise.recon.noise import combine_coils
from tests.helpers import assert_same_kind, complex_array, random_covariance
from tests.recon.cases import disc, smooth_maps

SIZE = (64, 60)


@pytest.fixture(autouse=True)
def _no_air(monkeypatch):
    """Leave the edge of k-space as the only place to look."""
    monkeypatch.setattr(noise_estimate, "air_noise", lambda *_: "not looked at")


def signal(coils=2, size=SIZE, snr=20.0):
    """k-space of a disc whose edges are soft enough to leave the corners empty."""
    y, x = (np.linspace(-1, 1, n) for n in size)
    window = np.exp(-8 * (y[:, None] ** 2 + x**2))
    return snr * window * fft2c(smooth_maps(coils, size) * disc(size))


def noisy(rng, coils=2, slices=3, psi=None, size=SIZE):
    noise = complex_array(rng, (slices, coils, *size))
    if psi is not None:
        noise = combine_coils(np.linalg.cholesky(psi) / np.sqrt(2), noise)
    return (signal(coils, size) + noise).astype(np.complex64)


def test_covariance_and_interval_of_a_noisy_scan(rng, kind):
    psi = random_covariance(rng, 3)
    kspace = noisy(rng, 3, 4, psi)
    given = kind(kspace)
    estimate = estimate_noise(given)
    assert_same_kind(estimate.covariance, given)
    np.testing.assert_array_equal(to_numpy(given), kspace)
    found = to_numpy(estimate.covariance)
    assert found.dtype == np.complex128
    assert estimate.samples_used == pytest.approx(0.2 * 4 * 64 * 60, rel=0.05)
    error = np.sqrt(np.outer(np.diag(psi).real, np.diag(psi).real) / estimate.samples_used)
    assert (np.abs(found - psi) < 5 * error).all()
    sigma = np.sqrt(np.trace(psi).real / 6)
    assert estimate.sigma == pytest.approx(sigma, rel=0.03)
    low, high = estimate.interval
    assert 0.97 < low < 1 < high < 1.03


@pytest.mark.parametrize("filtered", [False, True])
def test_the_interval_covers_the_truth_at_its_rate(rng, filtered):
    trials, covered, width = 120, 0, []
    psi = random_covariance(rng, 2)
    truth = np.sqrt(np.trace(psi).real / 4)
    # A receiver filter that rolls off to 0.4 at the edges of the readout.
    profile = 1 - 0.6 * np.abs(np.linspace(-1, 1, SIZE[1])) ** 8
    profile /= np.sqrt(np.mean(profile**2))
    for _ in range(trials):
        kspace = noisy(rng, 2, 1, psi) - signal()
        if filtered:
            kspace = fft2c(profile * ifft2c(kspace, axes=(-1,)), axes=(-1,))
        try:
            estimate = estimate_noise(kspace + signal(), readout_axis=-1)
        except NoiseNotFound:
            continue
        width.append(np.diff(estimate.interval)[0])
        covered += estimate.interval[0] < truth / estimate.sigma < estimate.interval[1]
    # Refusals of good data are rare, and the rate is 95 % within three standard errors of 2 %.
    assert len(width) > 0.95 * trials
    assert 0.89 < covered / len(width) < 1
    assert np.mean(width) < 0.08


def test_one_coil_one_slice_and_odd_sizes(rng):
    estimate = estimate_noise(noisy(rng, 1, 1, size=(97, 95))[0])
    assert estimate.sigma == pytest.approx(1, abs=0.05)


def test_undersampled_and_zero_filled_samples_are_left_out(rng):
    kspace = noisy(rng, 2, 4)
    mask = np.ones(60, bool)
    mask[1:20:2] = False
    kspace[..., :6, :] = 0  # a corner-cutting scan pads with zeros
    kspace[..., 58:] *= 1e-4  # lines of next to no power, as some files hold
    kspace[..., ~mask] = 1e3
    estimate = estimate_noise(kspace, mask=mask)
    assert estimate.sigma == pytest.approx(1, abs=0.05)
    assert estimate.profile is None
    assert estimate.spectrum is None
    assert "outermost" in estimate.used
    kspace[..., ~mask] = 0
    assert estimate_noise(kspace).sigma == estimate.sigma


def test_an_elliptical_scan_uses_its_own_rim(rng):
    kspace = noisy(rng, 2, 6)
    y, x = (np.linspace(-1, 1, n) for n in SIZE)
    inside = np.hypot(y[:, None], x) < 1
    assert estimate_noise(kspace * inside).sigma == pytest.approx(1, abs=0.05)


def taper(kspace):
    return kspace * np.linspace(0.5, 1, SIZE[0])[:, None]


def window(kspace):
    hamming = np.outer(np.hamming(SIZE[0]), np.hamming(SIZE[1]))
    return kspace * hamming


def unequal_averaging(kspace):
    return kspace * np.where(np.arange(SIZE[1]) < 30, 1.5, 1)


def unequal_slices(kspace):
    return kspace * np.array([1, 1, 1.5, 1.5])[:, None, None, None]


def magnitude_made(kspace):
    return fft2c(np.abs(ifft2c(kspace)) + 0j)


def interference(kspace):
    lines = np.exp(0.8j * np.arange(SIZE[0]))[:, None]
    return kspace + 2 * lines


def spikes(kspace):
    generator = np.random.default_rng(0)
    hit = generator.random(kspace.shape) < 0.01
    return kspace + 10 * hit * np.exp(2j * np.pi * generator.random(kspace.shape))


def smoothed(kspace):
    noise = ifft2c(kspace - signal()) * (np.abs(np.linspace(-1, 1, SIZE[0])) < 0.6)[:, None]
    return fft2c(noise) + signal()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (taper, "between negative and positive ky"),
        (window, r"between the inner and outer k|towards the centre"),
        (unequal_averaging, r"between negative and positive kx"),
        (unequal_slices, "first and the second half of the slices"),
        (magnitude_made, "k and -k are conjugates"),
        (interference, "along axis -2 are correlated"),
        (spikes, "kurtosis is"),
        (smoothed, "along axis -2 are correlated"),
    ],
)
def test_what_is_not_plain_noise_is_refused(rng, spoil, message):
    kspace = noisy(rng, 2, 4)
    estimate_noise(kspace)
    with pytest.raises(NoiseNotFound, match=message):
        estimate_noise(spoil(kspace))


def test_a_receiver_filter_is_seen_along_a_known_readout_only(rng):
    profile = 1 - 0.6 * np.abs(np.linspace(-1, 1, SIZE[1])) ** 2
    profile /= np.sqrt(np.mean(profile**2))
    noise = fft2c(profile * ifft2c(complex_array(rng, (8, 2, *SIZE))))
    kspace = (signal() + noise).astype(np.complex64)
    estimate = estimate_noise(kspace, readout_axis=-1)
    assert estimate.sigma == pytest.approx(1, rel=0.03)
    # 13 lines of 8 slices and 2 coils: 2 % for every column after smoothing.
    np.testing.assert_allclose(estimate.profile, profile[None], rtol=0.12)
    assert np.sqrt(np.mean((estimate.profile / profile - 1) ** 2)) < 0.04
    for wrong in (None, -2):
        with pytest.raises(NoiseNotFound, match=r"along axis -1 are correlated .*\(readout_axis\)"):
            estimate_noise(kspace, readout_axis=wrong)


def test_real_noise_is_refused(rng):
    kspace = rng.standard_normal((3, 2, *SIZE)) + 0j
    with pytest.raises(NoiseNotFound, match="real and imaginary parts are correlated"):
        estimate_noise(kspace)


def test_pure_signal_is_refused():
    edges = fft2c(smooth_maps(4, SIZE) * (np.abs(disc(SIZE)) > 0.5))
    with pytest.raises(NoiseNotFound, match=r"level differs|correlated|kurtosis"):
        estimate_noise(edges)
    y, x = (np.linspace(-1, 1, n) for n in SIZE)
    smooth = np.exp(-20 * (y[:, None] ** 2 + x**2)) * smooth_maps(4, SIZE)
    with pytest.raises(NoiseNotFound, match=r"rounding errors|not noise of 4 coils"):
        estimate_noise(fft2c(smooth.astype(np.complex64)))


def test_zeros_and_too_few_samples_are_refused(rng):
    with pytest.raises(NoiseNotFound, match="it is zero everywhere"):
        estimate_noise(np.zeros((2, *SIZE), np.complex64))
    with pytest.raises(NoiseNotFound, match="outer samples are too few for 16 coils"):
        estimate_noise(complex_array(rng, (16, 16, 16)))
    with pytest.raises(NoiseNotFound, match="too few samples"):
        estimate_noise(complex_array(rng, (1, 20, 20)))
    kspace = complex_array(rng, (3, *SIZE))
    kspace[1] = 0
    with pytest.raises(NoiseNotFound, match=r"not noise of 3 coils: .* not positive definite"):
        estimate_noise(kspace)


def test_a_thin_ring_of_samples_is_refused(rng):
    y, x = (np.arange(n) - n // 2 for n in (128, 128))
    ring = (y[:, None] ** 2 + x**2) == 50**2  # one radius only
    kspace = complex_array(rng, (1, 64, 1, 128, 128)) * ring
    with pytest.raises(NoiseNotFound, match="too few samples surround"):
        estimate_noise(kspace)


def test_malformed_input_is_refused(rng):
    kspace = complex_array(rng, (2, *SIZE))
    with pytest.raises(ValueError, match="readout_axis is 1"):
        estimate_noise(kspace, readout_axis=1)
    with pytest.raises(ValueError, match=r"mask of shape \(64,\)"):
        estimate_noise(kspace, mask=np.ones(64))
    with pytest.raises(TypeError, match="kspace is float32"):
        estimate_noise(kspace.real)
    assert issubclass(NoiseNotFound, ValueError)
