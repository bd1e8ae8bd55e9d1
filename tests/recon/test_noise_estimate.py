"""The noise of a scan without a noise scan: right within its interval, or refused."""

import h5py
import numpy as np
import pytest

from kspace_denoise import sim
from kspace_denoise.arrays import to_numpy
from kspace_denoise.fourier import fft2c, ifft2c
from kspace_denoise.recon import NoiseNotFound, estimate_noise
from tests.helpers import assert_same_kind, random_covariance
from tests.recon.cases import disc, smooth_maps

SIZE = (96, 90)
PROFILE = 1 - 0.6 * np.abs(np.linspace(-1, 1, SIZE[1])) ** 6  # a receiver filter along x
PROFILE /= np.sqrt(np.mean(PROFILE**2))
TAPER = np.cos(np.linspace(-1.2, 1.2, SIZE[0])) ** 2  # along ky
TAPER = (TAPER / TAPER.mean())[:, None]


def signal(coils, snr=15.0, size=SIZE):
    """k-space of a disc that leaves a third of the image to the air; edges a few pixels soft."""
    y, x = (np.linspace(-1, 1, n) for n in size)
    window = np.exp(-2 * (y[:, None] ** 2 + x**2))
    return (snr * window * fft2c(smooth_maps(coils, size) * disc(size))).astype(np.complex64)


def scan(psi, slices=1, seed=0, snr=15.0, size=SIZE, **shape):
    kspace = np.broadcast_to(signal(len(psi), snr, size), (slices, len(psi), *size))
    return sim.add_noise(kspace, psi, seed, **shape)


def sigma_of(psi):
    return np.sqrt(np.trace(psi).real / len(psi) / 2)


def test_covariance_and_what_comes_with_it(rng, kind):
    psi = random_covariance(rng, 3)
    kspace = scan(psi, slices=2)
    given = kind(kspace)
    estimate = estimate_noise(given, readout_axis=-1)
    assert_same_kind(estimate.covariance, given)
    np.testing.assert_array_equal(to_numpy(given), kspace)
    found = to_numpy(estimate.covariance)
    assert found.dtype == np.complex128
    error = np.sqrt(np.outer(np.diag(psi).real, np.diag(psi).real) / estimate.samples_used)
    assert (np.abs(found - psi) < 5 * error + 0.01 * np.abs(psi)).all()
    assert estimate.sigma == pytest.approx(sigma_of(psi), rel=0.02)
    assert estimate.profile is None
    assert estimate.spectrum is None
    assert estimate.used == f"{estimate.samples_used} pixels of air around the object"
    assert estimate.samples_used > 0.1 * 2 * np.prod(SIZE)


def test_the_interval_covers_the_truth_on_phantoms():
    covered, trials = 0, 40
    for seed in range(5000, 5000 + trials):
        coils, snr = (1, 4, 8)[seed % 3], (6, 15, 40)[seed // 3 % 3]
        psi = sim.array_covariance(coils, seed=seed) / snr**2
        kspace = sim.phantom((96, 101), seed=seed, coils=coils).kspace
        estimate = estimate_noise(sim.add_noise(kspace, psi, seed), readout_axis=(-1, -2)[seed % 2])
        low, high = estimate.interval
        assert high - low < 0.2
        covered += low < sigma_of(psi) / estimate.sigma < high
    # A true rate of 80 % gives as many as 36 of 40 once in 13 such tests.
    assert covered >= 36


def test_a_receiver_filter_is_a_profile(rng, kind):
    psi = random_covariance(rng, 4)
    estimate = estimate_noise(kind(scan(psi, 4, noise_profile=PROFILE)), readout_axis=-1)
    assert estimate.spectrum is None
    assert estimate.profile.shape == (1, SIZE[1])
    found = to_numpy(estimate.profile)
    assert found.dtype == np.float32
    # Columns through the object have 40 air pixels in four slices: 2 % each after smoothing.
    np.testing.assert_allclose(found[0], PROFILE, rtol=0.1)
    assert np.sqrt(np.mean((found[0] / PROFILE - 1) ** 2)) < 0.03
    assert np.mean(found**2) == pytest.approx(1, abs=1e-5)
    assert estimate.sigma == pytest.approx(sigma_of(psi), rel=0.03)


def test_a_profile_follows_the_readout_axis(rng):
    psi = random_covariance(rng, 4)
    kspace = scan(psi, 4, noise_profile=PROFILE)
    turned = estimate_noise(np.swapaxes(kspace, -1, -2), readout_axis=-2)
    np.testing.assert_allclose(
        turned.profile.T, estimate_noise(kspace, readout_axis=-1).profile, rtol=1e-5
    )
    for wrong in (None, -2):
        with pytest.raises(NoiseNotFound, match="give readout_axis=-1 if that is the readout"):
            estimate_noise(kspace, readout_axis=wrong)


def test_a_taper_is_a_spectrum(rng, kind):
    psi = random_covariance(rng, 2)
    estimate = estimate_noise(kind(scan(psi, 6, noise_spectrum=TAPER)), readout_axis=-1)
    assert estimate.profile is None
    found = to_numpy(estimate.spectrum)
    assert found.shape == SIZE
    assert found.dtype == np.float32
    inside = slice(6, -6)  # the ends, by the resolution of the spectrum, hold their neighbours too
    np.testing.assert_allclose(found[inside, 0], TAPER[inside, 0], atol=0.2)
    assert np.ptp(found, axis=1).max() == 0
    assert found.mean() == pytest.approx(1, abs=1e-5)
    assert estimate.sigma == pytest.approx(sigma_of(psi), rel=0.03)


def test_noise_that_differs_between_the_halves_of_kspace_is_a_spectrum(rng):
    psi = random_covariance(rng, 2)
    halves = np.where(np.arange(SIZE[1]) < 45, 1.6, 0.4)
    estimate = estimate_noise(scan(psi, 6, noise_spectrum=halves), readout_axis=-2)
    place = np.arange(SIZE[1])
    away = np.abs(place % 45 - 22) < 14  # from both steps, by the resolution of the spectrum
    np.testing.assert_allclose(estimate.spectrum[0, away], halves[away], atol=0.25)
    assert estimate.sigma == pytest.approx(sigma_of(psi), rel=0.03)


def test_filter_and_taper_are_told_apart(rng):
    psi = random_covariance(rng, 2)
    kspace = scan(psi, 6, noise_profile=PROFILE, noise_spectrum=TAPER)
    estimate = estimate_noise(kspace, readout_axis=-1)
    np.testing.assert_allclose(estimate.profile[0], PROFILE, rtol=0.1)
    np.testing.assert_allclose(estimate.spectrum[6:-6, 0], TAPER[6:-6, 0], atol=0.2)
    assert estimate.sigma == pytest.approx(sigma_of(psi), rel=0.04)
    low, high = estimate.interval
    assert low < sigma_of(psi) / estimate.sigma < high


@pytest.mark.parametrize("lines", [slice(0, 20), slice(80, None), [0, 1, 2, 85, 86, 87, 88, 89]])
def test_zero_filled_lines_hold_no_noise(rng, lines):
    psi = random_covariance(rng, 2)
    kspace = scan(psi, 4)
    kspace[..., lines] = 0
    estimate = estimate_noise(kspace)
    acquired = np.ones(SIZE[1], bool)
    acquired[lines] = False
    np.testing.assert_array_equal(
        estimate.spectrum, np.broadcast_to(acquired, SIZE).astype(np.float32)
    )
    assert estimate.sigma == pytest.approx(sigma_of(psi), rel=0.03)
    masked = estimate_noise(kspace, mask=acquired)
    np.testing.assert_allclose(masked.covariance, estimate.covariance)


@pytest.mark.parametrize("acquired", [slice(12, 86), slice(36, 101)], ids=["M4Raw", "partial"])
def test_the_interval_holds_where_a_sharp_object_was_cut_in_kspace(acquired):
    """The object rings from where the data end, not from where the matrix does."""
    covered, trials = 0, 20
    for seed in range(6000, 6000 + trials):
        psi = sim.array_covariance(4, seed=seed) / 30**2
        kspace = sim.add_noise(sim.phantom((96, 101), seed=seed, coils=4).kspace, psi, seed)
        cut = np.zeros_like(kspace)
        cut[..., acquired] = kspace[..., acquired]
        estimate = estimate_noise(cut)
        low, high = estimate.interval
        covered += low < sigma_of(psi) / estimate.sigma < high
    # Of 20 intervals of 95 %, 17 or more hold with a probability of 98.4 %.
    assert covered >= 17


def test_lines_of_next_to_no_power_were_not_acquired():
    kspace = scan(2 * np.eye(1), 4)
    kspace[..., -6:] *= 1e-4
    estimate = estimate_noise(kspace)
    assert not estimate.spectrum[:, -6:].any()
    assert estimate.sigma == pytest.approx(1, rel=0.03)


def test_an_elliptical_scan_has_its_corners_empty():
    y, x = (np.linspace(-1, 1, n) for n in SIZE)
    inside = np.hypot(y[:, None], x) < 1
    estimate = estimate_noise(scan(2 * np.eye(2), 4) * inside)
    assert estimate.sigma == pytest.approx(1, rel=0.03)
    assert not estimate.spectrum[~inside].any()


def test_blank_slices_and_single_slices():
    kspace = scan(2 * np.eye(2), 3)
    kspace[1] = 0
    assert estimate_noise(kspace).sigma == pytest.approx(1, rel=0.03)
    assert estimate_noise(kspace[0]).sigma == pytest.approx(1, rel=0.03)
    odd = scan(2 * np.eye(1), 1, size=(97, 95))
    assert estimate_noise(odd[0]).sigma == pytest.approx(1, rel=0.04)


def unequal_slices(kspace):
    return kspace * np.array([1, 1, 1.5, 1.5])[:, None, None, None]


def magnitude_made(kspace):
    return fft2c(np.abs(ifft2c(kspace)) + 0j)


def moving_level(kspace):
    return fft2c(ifft2c(kspace) * (1 + 0.4 * np.linspace(-1, 1, SIZE[0]))[:, None])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (unequal_slices, "slice 2 has next to none at the level of the other slices"),
        (magnitude_made, "made from images"),
        (moving_level, "it varies along axis -2 of the image"),
    ],
)
def test_what_is_not_thermal_noise_is_refused(spoil, message):
    kspace = scan(2 * np.eye(2), 4)
    estimate_noise(kspace, readout_axis=-1)
    with pytest.raises(NoiseNotFound, match=message):
        estimate_noise(spoil(kspace), readout_axis=-1)


def test_bursts_in_kspace_are_no_noise(rng):
    """They fill the air with stripes; the edge of k-space still tells the thermal noise."""
    kspace = scan(random_covariance(rng, 2), 4)
    spoiled = kspace.copy()
    spoiled[:, :, 30, 20] += 400
    spoiled[:, :, 60, 71] += 400j
    with_bursts, without = estimate_noise(spoiled), estimate_noise(kspace)
    assert "outermost" in with_bursts.used
    assert with_bursts.sigma == pytest.approx(without.sigma, rel=0.03)


def test_an_object_that_leaves_no_air_is_refused():
    kspace = sim.phantom((128, 128), seed=0, coils=4).kspace
    middle = ifft2c(kspace)[:, 44:84, 44:84]  # nothing but brain
    with pytest.raises(NoiseNotFound, match="no part of the scan is noise alone"):
        estimate_noise(sim.add_noise(fft2c(middle), np.eye(4) / 800, 0))


def test_rounding_errors_are_no_noise():
    y, x = (np.linspace(-1, 1, n) for n in SIZE)
    smooth = np.exp(-60 * (y[:, None] ** 2 + x**2)) * np.exp(1j * x)
    with pytest.raises(NoiseNotFound, match="rounding errors"):
        estimate_noise(fft2c(smooth[None].astype(np.complex64)))


def test_dead_coils_are_refused():
    kspace = scan(2 * np.eye(3), 2)
    kspace[:, 1] = 0
    with pytest.raises(NoiseNotFound, match=r"not the noise of 3 coils: .* not positive definite"):
        estimate_noise(kspace)


def test_undersampled_scans_are_measured_at_the_edge_of_kspace():
    mask = np.ones(SIZE[1], bool)
    mask[1:40:2] = False
    estimate = estimate_noise(scan(2 * np.eye(2), 8, snr=5), mask=mask)
    assert "outermost" in estimate.used
    assert estimate.sigma == pytest.approx(1, rel=0.05)


def read(folder, name):
    with h5py.File(folder / f"{name}.h5") as file:
        axis = {"-1": -1, "-2": -2}.get(str(file.attrs["readout_axis"]))
        return file["kspace"][:], axis


def test_brain8ch_agrees_with_its_corners(real_data):
    kspace, axis = read(real_data, "brain8ch_full")
    image = ifft2c(kspace[0])
    corners = [
        image[:, ys, xs] for ys in (np.s_[:16], np.s_[-16:]) for xs in (np.s_[:16], np.s_[-16:])
    ]
    truth = np.sqrt(np.mean(np.abs(corners) ** 2) / 2)
    assert estimate_noise(kspace, readout_axis=axis).sigma == pytest.approx(truth, rel=0.05)


def test_siemens_profile_agrees_with_the_difference_of_two_scans(real_data):
    one, two = (read(real_data, f"pulseq3T_phantom_4ch_sol{i}")[0] for i in (13, 15))
    scale = np.vdot(two, one) / np.vdot(two, two)
    difference = ifft2c((one - scale * two) / np.sqrt(1 + abs(scale) ** 2))
    rows = np.r_[0:80, 225:256]  # beyond the phantom, which the scale fits to a few per cent only
    truth = np.mean(np.abs(difference[:, :, rows]) ** 2, axis=(0, 1, 2)) / 2
    estimate = estimate_noise(one, readout_axis=-1)
    # Means of seven columns: a single one tells the truth to 2.4 % only.
    found, truth = (
        np.sqrt(np.convolve(square, np.ones(7) / 7, "valid"))
        for square in ((estimate.sigma * estimate.profile[0]) ** 2, truth)
    )
    np.testing.assert_allclose(found, truth, rtol=0.05)


@pytest.mark.parametrize("shield", ["cage", "nocage"])
def test_55_mt_repetitions_agree_with_their_difference(real_data, shield):
    scans = [read(real_data, f"ulf55mT_FLAIR_{shield}_EMIremoved_s01_rep{i}")[0] for i in (1, 2)]
    truth = np.sqrt(np.mean(np.abs(scans[0] - scans[1]) ** 2) / 4)
    for kspace in scans:
        assert estimate_noise(kspace, readout_axis=-2).sigma == pytest.approx(truth, rel=0.05)


@pytest.mark.parametrize("name", ["caseA_AXT2", "caseC_AXT2"])
def test_tapered_55_mt_scans_have_the_spectrum_of_their_empty_rows(real_data, name):
    kspace, axis = read(real_data, f"ulf55mT_{name}")
    empty = ifft2c(kspace, axes=(-2,))[..., np.r_[:14, 118:128], :]  # rows beyond the head
    truth = np.mean(np.abs(empty) ** 2, axis=(0, 1, 2))
    truth = np.convolve(truth / truth.mean(), np.ones(9) / 9, "same")
    found = estimate_noise(kspace, readout_axis=axis).spectrum.mean(axis=0)
    assert found[0] == 0
    away = np.r_[8:54, 72:116]  # from the centre, which signal may reach, and the smoothed ends
    np.testing.assert_allclose(found[away], truth[away], atol=0.25)


@pytest.mark.parametrize(
    "name",
    [
        "brain16ch_lowres",
        "brain8ch_poisson_R8",
        "editer80mT_slice_1",
        "ulf55mT_FLAIR_nocage_EMIraw_s01_rep1",
    ],
)
def test_real_scans_without_plain_noise_are_refused(real_data, name):
    kspace, axis = read(real_data, name)
    with pytest.raises(NoiseNotFound, match="noise scan"):
        estimate_noise(kspace, readout_axis=axis)
