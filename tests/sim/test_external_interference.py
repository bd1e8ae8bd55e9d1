"""Interference of a room: powers, lines, incoherence, and what its detectors can remove."""

import json
import math

import h5py
import numpy as np
import pytest

from kspace_denoise.arrays import to_numpy
from kspace_denoise.fourier import fft2c, ifft2c
from kspace_denoise.sim import Room, interference
from kspace_denoise.sim.external_interference import draw_couplings
from tests.helpers import assert_same_kind, complex_array

TONE = Room(lines=(0.125,), line_share=1.0, drift=0.0, modulation=0.0, broadband=0, wander=0.0)
HISS = Room(lines=(), line_share=0.0, broadband=1, ringing=0.0, detector_ringing=0.0, wander=0.0)


def silent(coils=2, encodings=64, samples=128, slices=1):
    return np.zeros((slices, coils, encodings, samples), np.complex64)


def changed(room, **settings):
    return Room(**{**room.record(), "lines": room.lines, **settings})


def power(x):
    return float(np.mean(np.abs(x.astype(np.complex128)) ** 2))


@pytest.mark.parametrize("slices", [1, 12])
@pytest.mark.parametrize("room", [Room(), TONE, HISS, Room(line_share=0.9, modulation=1.0)])
def test_power_is_the_power_asked_for(room, slices):
    kspace = silent(4, 101, 128, slices)
    noisy, detectors, record = interference(kspace, 0.7, 3, readout_axis=-1, room=room)
    detector_power = 2 * 0.7**2 * (1 + room.detector_noise**2)
    # A source's power in the coils averages 101 readouts for each slice (a modulated line) or
    # more (hiss); with modulation the gain of a readout has this standard deviation.
    error = 5 * (room.modulation * room.line_share + 0.2) / math.sqrt(101 * slices)
    assert power(noisy) == pytest.approx(2 * 0.7**2, rel=error)
    assert power(detectors) == pytest.approx(detector_power, rel=error)
    for name, channels in (("coil_power", noisy), ("detector_power", detectors)):
        stated = np.sum([source[name] for source in record["sources"]], axis=0)
        assert stated.mean() == pytest.approx(2 * 0.7**2)
        thermal = 0 if name == "coil_power" else 2 * record["detector_sigma"] ** 2
        for index, expected in enumerate(stated + thermal):
            assert power(channels[:, index]) == pytest.approx(expected, rel=2 * error)


@pytest.mark.parametrize("axis", [-1, -2])
@pytest.mark.parametrize("samples", [128, 101])
def test_lines_lie_at_the_recorded_frequencies(axis, samples):
    room = changed(TONE, lines=(12 / samples, -31 / samples), ringing=1.5)
    shape = (3, 40, samples) if axis == -1 else (3, samples, 40)
    noisy, detectors, record = interference(
        np.zeros(shape, np.complex64), 1.0, 0, readout_axis=axis, room=room
    )
    for name, received in (("coil_power", noisy), ("detector_power", detectors)):
        image = ifft2c(received, axes=(axis,))
        found = np.mean(np.abs(image) ** 2, axis=-3 - axis)  # (channels, pixels)
        for source in record["sources"]:
            pixel = samples // 2 - round(source["frequency"] * samples)
            stated = samples * np.array(source[name])
            thermal = 2 * record["detector_sigma"] ** 2 if name == "detector_power" else 0
            # Detector noise adds its own power and interferes: 40 readouts.
            error = 6 * np.sqrt(2 * stated * thermal / 40) + 6 * thermal + 1e-3 * stated
            assert np.all(np.abs(found[:, pixel] - stated) < error)
            found[:, pixel] = 0
        assert np.all(found.max(axis=1) < 30 * thermal + 1e-4 * stated)


def test_phase_is_random_from_readout_to_readout():
    noisy = interference(silent(1, 3000, 40), 1.0, 0, readout_axis=-1, room=TONE).kspace[0, 0]
    turn = np.exp(2j * np.pi * 0.125)
    np.testing.assert_allclose(noisy[:, 1:], turn * noisy[:, :-1], atol=1e-5)
    unit = noisy[:, 0] / np.abs(noisy[:, 0])
    for harmonic in (1, 2):  # uniform phases, and no memory of the readout before
        assert np.abs(np.mean(unit**harmonic)) < 4.5 / math.sqrt(3000)
        step = (unit[1:] / unit[:-1]) ** harmonic
        assert np.abs(np.mean(step)) < 4.5 / math.sqrt(3000)
    image = ifft2c(noisy)
    column = np.abs(image[:, 20 - 5]) ** 2  # white along phase encoding
    assert np.mean(column**2) / np.mean(column) ** 2 == pytest.approx(2, abs=0.4)


@pytest.mark.parametrize("count", [300, 3000])
def test_drift_and_modulation_are_those_asked_for(count):
    room = changed(TONE, drift=0.004, modulation=0.6, ringing=0.0)
    noisy = interference(silent(1, count, 50), 1.0, 1, readout_axis=-1, room=room).kspace[0, 0]
    frequency = np.angle(np.mean(noisy[:, 1:] * noisy[:, :-1].conj(), axis=1)) / (2 * np.pi)
    assert frequency.mean() == pytest.approx(0.125, abs=5 * 0.004 / math.sqrt(count))
    assert frequency.std() == pytest.approx(0.004, rel=5 / math.sqrt(2 * count))
    gain = np.mean(np.abs(noisy.astype(complex)) ** 2, axis=1) / 2
    assert gain.mean() == pytest.approx(1, abs=5 * 0.6 / math.sqrt(count))
    assert gain.min() >= 0.4 - 1e-5
    # The exponential part has a variance of 1 and a fourth central moment of 9.
    assert gain.var() == pytest.approx(0.36, rel=5 * math.sqrt(8 / count))


@pytest.mark.parametrize("room", [HISS, changed(TONE, ringing=0.0, detector_ringing=0.0)])
def test_one_source_is_removed_down_to_the_detector_noise(room):
    noisy, detectors, record = interference(silent(3, 200, 128), 1.0, 5, readout_axis=-1, room=room)
    x, d = (to_numpy(part)[0].reshape(part.shape[1], -1).T for part in (noisy, detectors))
    train, test = slice(None, None, 2), slice(1, None, 2)
    weights = np.linalg.lstsq(d[train], x[train], rcond=None)[0]
    residual = np.mean(np.abs(x[test] - d[test] @ weights) ** 2, axis=0)
    source = record["sources"][0]
    snr = np.sum(source["detector_power"]) / (2 * record["detector_sigma"] ** 2)
    closed_form = np.array(source["coil_power"]) / (1 + snr)
    # Half of the samples is held out; five weights were learned from the others.
    error = 5 / math.sqrt(len(x) / 2) + 5 / (len(x) / 2)
    np.testing.assert_allclose(residual, closed_form, rtol=error + 0.01)
    assert np.all(residual < 0.05 * np.array(source["coil_power"]))


def wiener_residual(room, coils, detectors, sigma, frequencies):
    """The power that no regression of any length gets below, from the couplings themselves."""
    tones = np.exp(-2j * np.pi * np.outer(np.arange(99), frequencies))
    z, g = coils.weights[0, 0], detectors.weights[0, 0]
    h = coils.responses @ tones[: coils.responses.shape[1]]
    k = detectors.responses @ tones[: detectors.responses.shape[1]]
    noise = room.detector_noise**2
    left = np.zeros(len(z))
    for index in range(len(frequencies)):
        gain = k[:, index, None] * g
        posterior = np.linalg.inv(np.eye(g.shape[1]) + gain.conj().T @ gain / noise)
        share = np.einsum("cs,st,ct->c", z, posterior, z.conj()).real
        left += np.abs(h[:, index]) ** 2 * share / len(frequencies)
    return 2 * sigma**2 * left


def test_a_regression_reaches_the_wiener_limit_of_ringing_receivers():
    room = changed(Room(), lines=(), line_share=0.0, broadband=2, wander=0.0)
    samples, reach = 256, 8
    noisy, detectors, _ = interference(silent(2, 120, samples), 1.0, 7, readout_axis=-1, room=room)
    generator = np.random.default_rng(7)
    groups = [
        draw_couplings(room, count, ringing, (1, 120), generator)
        for count, ringing in ((2, room.ringing), (5, room.detector_ringing))
    ]
    limit = wiener_residual(room, *groups, 1.0, (np.arange(256) - 128) / 256)
    windows = np.lib.stride_tricks.sliding_window_view(detectors[0], 2 * reach + 1, axis=-1)
    d = np.moveaxis(windows, 0, -2).reshape(120, samples - 2 * reach, -1)
    x = np.moveaxis(noisy[0], 0, -1)[:, reach : samples - reach]
    flat = d[:60].reshape(-1, d.shape[-1])
    weights = np.linalg.lstsq(flat, x[:60].reshape(-1, 2), rcond=None)[0]
    residual = np.mean(np.abs(x[60:] - d[60:] @ weights) ** 2, axis=(0, 1))
    # 85 weights from 14400 samples, and a correlated residual: 2 % and 5 %.
    np.testing.assert_allclose(residual, limit, rtol=0.06)
    assert np.all(limit < 0.2)


def test_couplings_wander_slowly_over_the_scan():
    for wander in (0.0, 0.5):
        room = changed(TONE, wander=wander)
        noisy = interference(silent(6, 51, 16), 1.0, 0, readout_axis=-1, room=room).kspace[0]
        unit = noisy[..., 0] / np.linalg.norm(noisy[..., 0], axis=0)
        neighbours = np.abs(np.sum(unit[:, 1:] * unit[:, :-1].conj(), axis=0))
        ends = abs(np.vdot(unit[:, 0], unit[:, -1]))
        assert neighbours.min() > 0.99
        assert ends < 0.97 if wander else ends == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("readouts", [(1, 51), (7, 9)])
def test_couplings_wander_by_the_share_asked_for(readouts):
    """From the middle of the scan to either end, over all slices, at a steady rate."""
    room = Room(broadband=60, wander=0.3)
    draw = draw_couplings(room, 40, 0.0, readouts, np.random.default_rng(0))
    weights = draw.weights.reshape(-1, 40, 63)
    middle = weights[len(weights) // 2]
    np.testing.assert_allclose(np.diff(weights, n=2, axis=0), 0, atol=1e-12)
    for end in (weights[0], weights[-1]):
        change = np.abs(end / middle - 1)
        # 0.3 times the ratio of two complex normals: its median is 1, uncertain by 1 / sqrt(n).
        assert np.median(change) == pytest.approx(0.3, rel=5 / math.sqrt(change.size))


def test_slices_simulated_one_at_a_time_can_share_their_couplings():
    room = changed(TONE, detector_noise=0.0)
    draws = [
        interference(silent(3), 1.0, seed, readout_axis=-1, room=room, couplings_seed=couplings)
        for seed, couplings in ((0, 7), (1, 7), (1, 8))
    ]
    ratios = [draw.kspace[0, 1, 0, 0] / draw.detectors[0, 2, 0, 0] for draw in draws]
    assert ratios[0] == pytest.approx(ratios[1], rel=1e-4)
    assert abs(ratios[2] / ratios[1] - 1) > 0.01
    assert draws[0].record == draws[1].record
    assert not np.allclose(draws[0].kspace, draws[1].kspace)


def test_clean_kspace_plus_interference_and_purity(kind, rng):
    clean = complex_array(rng, (2, 3, 1, 5, 9))
    given = kind(clean)
    noisy, detectors, record = interference(given, 0.5, 0, readout_axis=-1)
    assert_same_kind(noisy, given)
    assert_same_kind(detectors, given)
    assert tuple(noisy.shape) == clean.shape
    assert tuple(detectors.shape) == (2, 3, 5, 5, 9)
    np.testing.assert_array_equal(to_numpy(given), clean)
    alone = interference(np.zeros_like(clean), 0.5, 0, readout_axis=-1)
    np.testing.assert_allclose(to_numpy(noisy) - clean, alone.kspace, atol=1e-6)
    np.testing.assert_array_equal(to_numpy(detectors), alone.detectors)
    assert json.loads(json.dumps(record)) == record
    turned = interference(np.swapaxes(clean, -1, -2), 0.5, 0, readout_axis=-2)
    np.testing.assert_array_equal(np.swapaxes(turned.detectors, -1, -2), alone.detectors)
    other = interference(clean, 0.5, 1, readout_axis=-1)
    assert not np.array_equal(other.detectors, alone.detectors)
    double = interference(clean.astype(np.complex128), 0.5, 0, readout_axis=-1)
    assert double.kspace.dtype == double.detectors.dtype == np.complex128


def coherence(coil, detectors):
    """Share of the coil's power that detectors explain at one frequency, (samples,)."""
    window = np.hanning(coil.shape[-1])
    x, d = (fft2c(part * window, axes=(-1,)) for part in (coil, detectors))
    cross = np.einsum("dlf,lf->fd", d, x.conj()) / len(x)
    own = np.einsum("dlf,elf->fde", d, d.conj()) / len(x)
    explained = np.einsum("fd,fd->f", cross.conj(), np.linalg.solve(own, cross[..., None])[..., 0])
    share = explained.real / np.mean(np.abs(x) ** 2, axis=0)
    return 1 - (1 - share) * len(x) / (len(x) - len(d))  # unbiased where nothing is shared


def test_the_default_room_resembles_the_80_mt_scan(real_data):
    with h5py.File(real_data / "editer80mT_slice_1.h5") as file:
        coil, detectors = file["kspace"][0], file["emi_kspace"][0]
    outer = np.r_[:20, 81:101]  # lines with little signal
    coil, detectors = (np.moveaxis(part[..., outer], -2, -1) for part in (coil, detectors))
    real = [np.median(coherence(coil[0], detectors))]
    lag = [np.abs(np.vdot(coil[0, :, 1:], coil[0, :, :-1])) / np.sum(np.abs(coil) ** 2)]
    for seed in range(8):
        noisy, heard, _ = interference(silent(1, 40, 512), 1.0, seed, readout_axis=-1)
        real.append(np.median(coherence(noisy[0, 0], heard[0])))
        lag.append(np.abs(np.vdot(noisy[..., 1:], noisy[..., :-1])) / np.sum(np.abs(noisy) ** 2))
    assert min(real[1:]) < real[0] < max(real[1:])
    np.testing.assert_allclose(lag[1:], lag[0], atol=0.1)


def test_bad_input_is_refused():
    kspace = silent()
    for sigma in (0.0, -1.0, math.nan):
        with pytest.raises(ValueError, match=r"sigma is .* expected finite numbers above 0"):
            interference(kspace, sigma, 0, readout_axis=-1)
    with pytest.raises(TypeError, match=r"sigma is an array of shape \(2,\), expected one number"):
        interference(kspace, np.ones(2), 0, readout_axis=-1)
    with pytest.raises(ValueError, match="readout_axis is 1, expected -1 or -2"):
        interference(kspace, 1.0, 0, readout_axis=1)
    with pytest.raises(TypeError, match="k-space is float32"):
        interference(kspace.real, 1.0, 0, readout_axis=-1)
    with pytest.raises(ValueError, match="k-space holds 16384 values that are NaN"):
        interference(kspace + np.nan, 1.0, 0, readout_axis=-1)
    with pytest.raises(TypeError, match="seed is 'x'"):
        interference(kspace, 1.0, "x", readout_axis=-1)
