"""Noise replayed from recordings: spectra, covariances and powers against held-out readouts."""

import h5py
import numpy as np
import pytest
from scipy.stats import chi2

from kspace_denoise.arrays import to_numpy
from kspace_denoise.sim import noise_cross_spectra, replay_noise
from tests.helpers import assert_same_kind, complex_array, random_covariance

MODES = ["readouts", "spectrum"]


def coloured(rng, coils, repeats, samples, pole=0.5 + 0.3j):
    """First-order autoregressive noise with a covariance, (coils, repeats, samples)."""
    mixing = np.linalg.cholesky(random_covariance(rng, coils).astype(complex) / 2)
    white = np.einsum("ij,jrs->irs", mixing, complex_array(rng, (coils, repeats, samples + 60)))
    noise = np.zeros_like(white)
    for t in range(1, samples + 60):
        noise[..., t] = pole * noise[..., t - 1] + white[..., t]
    covariance = 2 * mixing @ mixing.conj().T / (1 - abs(pole) ** 2)
    return noise[..., 60:].astype(np.complex64), covariance


def lagged(noise, lag):
    """E[n_i(t + lag) conj n_j(t)] along the last axis, (coils, coils)."""
    late, early = noise[..., lag:], noise[..., : noise.shape[-1] - lag]
    return np.einsum("irs,jrs->ij", late, early.conj()) / late[0].size


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("coils", [1, 3])
@pytest.mark.parametrize("samples", [64, 41])
def test_replayed_noise_has_covariance_and_correlation(rng, mode, coils, samples):
    recording, covariance = coloured(rng, coils, 400, 64)
    kspace = np.zeros((5, coils, 80, samples), np.complex64)
    noise = replay_noise(recording, kspace, 0, readout_axis=-1, mode=mode)
    noise = np.moveaxis(noise, -3, 0).reshape(coils, -1, samples)
    level = np.sqrt(np.outer(*2 * [np.diag(covariance).real]))
    # Correlated samples count 1/2.1, (1 - |pole|^2)/(1 + |pole|^2), and so do those of the scan.
    error = 5 * np.sqrt(2.1 * (1 / (400 * samples) + 1 / (400 * 64)))
    for lag in (0, 1, 3):
        stated = covariance * (0.5 + 0.3j) ** lag
        assert np.all(np.abs(lagged(noise, lag) - stated) < error * level)


def test_a_spectrum_makes_readouts_longer_than_the_recorded_ones(rng):
    recording, covariance = coloured(rng, 2, 500, 64)
    kspace = np.zeros((2, 500, 200), np.complex64)
    noise = replay_noise(recording, kspace, 0, readout_axis=-1, mode="spectrum")
    level = np.sqrt(np.outer(*2 * [np.diag(covariance).real]))
    for lag in (0, 1, 3):
        # A recording of 64 samples holds 64 - lag pairs at a distance.
        stated = covariance * (0.5 + 0.3j) ** lag * (1 - lag / 64)
        error = 5 * np.sqrt(2.1 * (1 / (500 * 200) + 1 / (500 * 64)))
        assert np.all(np.abs(lagged(noise, lag) - stated) < error * level)


def test_a_long_stretch_is_cut_into_segments(rng):
    recording, covariance = coloured(rng, 2, 1, 20000)
    cross = noise_cross_spectra(recording[:, 0], 50)
    assert cross.shape == (50, 2, 2)
    np.testing.assert_allclose(cross, np.conj(np.swapaxes(cross, 1, 2)), atol=1e-4)
    mean = lagged(recording, 0)
    np.testing.assert_allclose(cross.mean(axis=0), mean, rtol=1e-4)
    frequency = (np.arange(50) - 25) / 50
    response = 1 / np.abs(1 - (0.5 + 0.3j) * np.exp(-2j * np.pi * frequency)) ** 2
    stated = covariance[0, 0].real * (1 - 0.34) * response
    # 400 segments; the ends of 50 samples leak less than 10 % of the power.
    assert np.all(np.abs(cross[:, 0, 0].real / stated - 1) < 5 / np.sqrt(400) + 0.1)
    for mode in MODES:
        noise = replay_noise(
            recording[:, 0], np.zeros((2, 50, 300), np.complex64), 0, readout_axis=-2, mode=mode
        )
        along, across = (lagged(np.moveaxis(noise, axis, -1), 1)[0, 0] for axis in (-2, -1))
        assert abs(along / covariance[0, 0] - (0.5 + 0.3j)) < 0.08
        assert abs(across / covariance[0, 0]) < 0.08


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("scan", ["1", "4"])
def test_spectrum_is_that_of_held_out_readouts(real_data, mode, scan):
    with h5py.File(real_data / f"lumc46mT_noise_060224_V2_{scan}.h5") as file:
        noise = file["noise"][:, :512]  # after 512 readouts the file repeats itself
    recording, held_out = noise[:, 0:512:2], noise[:, 1:512:2]
    drawn = replay_noise(
        recording, np.zeros((4, 1, 128, 256), np.complex64), 0, readout_axis=-1, mode=mode
    )
    truth = np.einsum("fii->f", noise_cross_spectra(held_out, 256)).real
    found = np.einsum("fii->f", noise_cross_spectra(drawn.reshape(1, 512, 256), 256)).real
    # Means of 256 recorded, 256 held-out and 512 drawn periodograms; their amplitudes fluctuate
    # more than those of Gaussian noise: E|N|^4 / (E|N|^2)^2 - 1 is up to 1.4.
    freedom = 2 / (1.4 * (1 / 256 + 1 / 256 + 1 / 512))
    low, high = chi2.ppf([1e-6, 1 - 1e-6], freedom) / freedom
    ratio = found / truth
    assert np.all((ratio > low) & (ratio < high))
    assert found.mean() == pytest.approx(truth.mean(), rel=0.1)
    assert truth.max() > 3 * np.median(truth)  # there are lines to reproduce


def test_readouts_are_copies_and_keep_what_is_not_gaussian(rng):
    recording = complex_array(rng, (2, 30, 20)) * rng.exponential(size=(1, 30, 1))
    recording = recording.astype(np.complex64)
    noise = replay_noise(recording, np.zeros((2, 40, 12), np.complex64), 0, readout_axis=-1)
    windows = np.lib.stride_tricks.sliding_window_view(recording, 12, axis=-1)
    for line in np.swapaxes(noise, 0, 1):
        same = np.all(windows == line[:, None, None, :], axis=(0, 3))
        assert same.sum() == 1


@pytest.mark.parametrize("mode", MODES)
def test_kinds_axes_seeds_and_purity(kind, rng, mode):
    recording, empty = complex_array(rng, (2, 20, 12)), np.zeros((2, 3, 2, 9, 8), np.complex128)
    given, kspace = kind(recording), kind(empty)
    noise = replay_noise(given, kspace, 0, readout_axis=-2, mode=mode)
    assert_same_kind(noise, kspace)
    assert to_numpy(noise).dtype == np.complex128
    assert tuple(noise.shape) == empty.shape
    np.testing.assert_array_equal(to_numpy(given), recording)
    np.testing.assert_array_equal(to_numpy(kspace), empty)
    turned = kind(np.zeros((2, 3, 2, 8, 9), np.complex128))
    other = to_numpy(replay_noise(given, turned, 0, readout_axis=-1, mode=mode))
    np.testing.assert_array_equal(to_numpy(noise), np.swapaxes(other, -1, -2))
    different = to_numpy(replay_noise(given, kspace, 1, readout_axis=-2, mode=mode))
    assert not np.array_equal(to_numpy(noise), different)


def test_bad_recordings_are_refused(rng):
    recording, kspace = complex_array(rng, (2, 20, 16)), np.zeros((2, 8, 16), np.complex64)

    def replay(recording=recording, kspace=kspace, **keywords):
        return replay_noise(recording, kspace, 0, **{"readout_axis": -1, **keywords})

    with pytest.raises(ValueError, match=r"have 16 samples, fewer than the 17 .* mode 'spectrum'"):
        replay(kspace=np.zeros((2, 8, 17), np.complex64))
    with pytest.raises(ValueError, match="holds 7 segments of 16 samples, expected at least 8"):
        replay(recording[:, :7], mode="spectrum")
    for samples in (0, -1, 2.5):
        with pytest.raises(ValueError, match=f"samples is {samples}, expected a whole number"):
            noise_cross_spectra(recording, samples)
    with pytest.raises(ValueError, match="recording holds values that are NaN"):
        replay(recording * np.nan)
    with pytest.raises(ValueError, match="the recording has 2 coils, the k-space 3"):
        replay(kspace=np.zeros((3, 8, 16), np.complex64))
    with pytest.raises(ValueError, match=r"recording has shape \(16,\), expected \(coils, repeats"):
        replay(recording[0, 0])
    with pytest.raises(TypeError, match="recording has dtype float32, expected complex64"):
        replay(recording.real)
    with pytest.raises(ValueError, match="mode is 'loud', expected 'readouts' or 'spectrum'"):
        replay(mode="loud")
    with pytest.raises(ValueError, match="readout_axis is 0, expected -1 or -2"):
        replay(readout_axis=0)
    with pytest.raises(TypeError, match="k-space is float64"):
        replay(kspace=np.zeros((2, 8, 16)))
