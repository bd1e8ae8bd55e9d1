import dataclasses

import numpy as np
import pytest
import torch

from kspace_denoise import sim
from kspace_denoise.arrays import to_numpy
from kspace_denoise.classical import BM3D, CLASSICAL, NonLocalMeans
from kspace_denoise.classical.bm3d import Profile
from kspace_denoise.classical.bm3d.hard import hard_threshold
from kspace_denoise.fourier import fft2c, ifft2c
from kspace_denoise.random import complex_normal, standard_normal
from tests.classical.bm3d.test_noise import spectrum
from tests.helpers import assert_same_kind

SIGMA = 0.1


@pytest.fixture(scope="module")
def truth() -> np.ndarray:
    """Return a complex phantom with phase; its head has mean magnitude 1."""
    return np.asarray(sim.phantom((64, 56), seed=3).image)


def _noisy(truth: np.ndarray, seed: int = 0, power: np.ndarray | None = None) -> np.ndarray:
    """Add noise of this spectrum; real to a real image."""
    noise = complex_normal(truth.shape, truth, seed)
    if power is not None:
        noise = ifft2c(np.sqrt(power) * fft2c(noise))
    return (truth + SIGMA * (noise if np.iscomplexobj(truth) else noise.real)).astype(truth.dtype)


def _error(image: np.ndarray, truth: np.ndarray) -> float:
    return float(np.mean(np.abs(image - truth) ** 2))


def _db(first: float, second: float) -> float:
    return 10 * float(np.log10(first / second))


def test_registered():
    assert CLASSICAL["bm3d"] is BM3D
    assert BM3D().method == "bm3d"
    assert BM3D().stage is None


@pytest.mark.parametrize("part", [np.asarray, np.abs])
@pytest.mark.parametrize("times", [1, 2])
def test_better_than_non_local_means_on_a_phantom(part, times):
    clean = part(np.asarray(sim.phantom((128, 112), seed=1).image))
    noisy, sigma = times * _noisy(clean / times), times * SIGMA
    ours, other = BM3D()(noisy, sigma), NonLocalMeans()(noisy, sigma)
    assert _error(ours, clean) < _error(other, clean)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, np.complex128])
def test_keeps_dtype_shape_and_input(truth, dtype):
    real = np.dtype(dtype).kind == "f"
    noisy = (np.abs(_noisy(truth)) if real else _noisy(truth))[None, :33, :19].astype(dtype)
    before = noisy.copy()
    level = np.full((33, 19), SIGMA)
    result = BM3D()(noisy, level)
    assert result.dtype == dtype
    assert result.shape == (1, 33, 19)
    np.testing.assert_array_equal(noisy, before)
    np.testing.assert_array_equal(level, SIGMA)


def test_every_kind_of_array(truth, kind):
    noisy = _noisy(truth)[:24, :25]
    given = kind(noisy)
    result = BM3D()(given, kind(np.full((24, 25), SIGMA, np.float32)))
    assert_same_kind(result, given)
    np.testing.assert_allclose(to_numpy(result), BM3D()(noisy, SIGMA), atol=1e-5)


@pytest.mark.parametrize("real", [True, False])
def test_a_small_strength_changes_nothing(truth, real):
    noisy = np.abs(_noisy(truth)) if real else _noisy(truth)
    np.testing.assert_allclose(BM3D(strength=1e-4)(noisy, SIGMA), noisy, atol=0.02 * SIGMA)


def test_strength_multiplies_sigma(truth):
    noisy = _noisy(truth)[:32, :32].astype(np.complex128)
    np.testing.assert_allclose(BM3D(1.5)(noisy, SIGMA), BM3D()(noisy, 1.5 * SIGMA), atol=1e-10)


def test_scales_with_the_image(truth):
    noisy = _noisy(truth)[:32, :32].astype(np.complex128)
    scaled = BM3D()(1e-6 * noisy, 1e-6 * SIGMA)
    np.testing.assert_allclose(scaled * 1e6, BM3D()(noisy, SIGMA), atol=1e-8)


def test_noise_alone_nearly_vanishes():
    noise = complex_normal((64, 64), np.zeros(1, np.complex64), 0)
    assert np.mean(np.abs(BM3D()(noise, 1.0)) ** 2) < 0.02 * 2


def test_a_constant_is_found_again():
    # A group of one coefficient that is signal keeps its noise, at most 1/64 of the power, and
    # that of pure noise above 2.7 sigma: 2 (2.7 phi(2.7) + Q(2.7)) = 0.0632. Averages have less.
    noisy = 50 + standard_normal((64, 64), np.zeros(1), 0)
    parts = torch.from_numpy(noisy)[None, None]
    first = hard_threshold(parts, None, Profile())[0, 0].numpy()
    assert np.mean((first - 50) ** 2) < 0.0632 + 1 / 64
    assert np.mean((BM3D()(noisy, 1.0) - 50) ** 2) < np.mean((first - 50) ** 2)


def test_turns_with_the_phase_of_the_image(truth):
    noisy = _noisy(truth)[:40, :40].astype(np.complex128)
    turned = BM3D()(noisy * np.exp(0.7j), SIGMA)
    np.testing.assert_allclose(turned, BM3D()(noisy, SIGMA) * np.exp(0.7j), atol=1e-9)


def test_real_noise_is_told_from_the_phase(truth):
    # With the phase taken off the image lies in one part, and the other is noise.
    of_real = _error(BM3D()(_noisy(np.abs(truth)), SIGMA), np.abs(truth))
    assert _error(BM3D()(_noisy(truth), SIGMA), truth) < 1.3 * of_real


def test_a_sigma_map_is_a_number_where_it_is_constant(truth):
    noisy = np.stack([_noisy(truth, seed) for seed in range(2)])[:, :32, :32]
    level = np.array([SIGMA, 2 * SIGMA])[:, None, None]
    both = BM3D()(noisy, level)
    np.testing.assert_allclose(both[0], BM3D()(noisy[0], SIGMA), atol=1e-5)
    np.testing.assert_allclose(both[1], BM3D()(noisy[1], np.full((32, 32), 2 * SIGMA)), atol=1e-5)


def test_zero_where_the_noise_map_is_zero(truth):
    noisy = _noisy(truth)[:32, :32]
    level = np.full((32, 32), SIGMA)
    level[:, :10] = 0
    clean = BM3D()(noisy, level)
    assert (clean[:, :10] == 0).all()
    assert np.isfinite(clean).all()
    assert clean[:, 10:].any()


def test_a_batch_is_its_images_one_by_one(truth, monkeypatch):
    noisy = np.stack([_noisy(truth, seed) for seed in range(4)]).reshape(2, 2, *truth.shape)
    noisy = noisy[..., :30, :27].astype(np.complex128)
    together = BM3D()(noisy, SIGMA)
    alone = np.stack([[BM3D()(one, SIGMA) for one in row] for row in noisy])
    np.testing.assert_allclose(together, alone, atol=1e-9)
    monkeypatch.setattr("kspace_denoise.classical.bm3d.denoiser._AT_ONCE", {"cpu": 1})
    np.testing.assert_allclose(BM3D()(noisy, SIGMA), together, atol=1e-9)


def test_chunks_change_nothing(truth, monkeypatch):
    noisy = _noisy(truth)[:30, :27].astype(np.complex128)
    power = spectrum(noisy.shape).numpy()
    whole = BM3D(spectrum=power)(noisy, SIGMA)
    monkeypatch.setattr("kspace_denoise.classical.bm3d.groups._CHUNK", {"cpu": 5000})
    np.testing.assert_allclose(BM3D(spectrum=power)(noisy, SIGMA), whole, atol=1e-9)


@pytest.mark.parametrize("shape", [(8, 8), (8, 19), (9, 11), (31, 8)])
def test_small_and_odd_sizes(shape):
    noise = complex_normal(shape, np.zeros(1, np.complex64), 0)
    clean = BM3D()(10 + noise, 1.0)
    assert clean.shape == shape
    assert np.mean(np.abs(clean - 10) ** 2) < np.mean(np.abs(noise) ** 2)


def test_a_flat_spectrum_is_white_noise(truth):
    noisy = np.abs(_noisy(truth))
    flat = BM3D(spectrum=np.ones((1, 1)))(noisy, SIGMA)
    np.testing.assert_array_equal(flat, BM3D()(noisy, SIGMA))


@pytest.mark.parametrize("real", [True, False])
def test_coloured_noise_is_removed_better_when_its_spectrum_is_told(truth, real):
    power = spectrum(truth.shape).numpy()
    clean = np.abs(truth) if real else truth
    noisy = _noisy(clean, power=power)
    told, untold = BM3D(spectrum=power)(noisy, SIGMA), BM3D()(noisy, SIGMA)
    assert _db(_error(untold, clean), _error(told, clean)) > 1


def test_of_a_complex_image_the_symmetric_part_of_the_spectrum_counts(truth):
    noisy = _noisy(truth)[:32, :32].astype(np.complex128)
    ramp = np.ones((32, 32))
    ramp[1:] += np.linspace(-0.5, 0.5, 31)[:, None]  # antisymmetric about DC at index 16
    np.testing.assert_allclose(BM3D(spectrum=ramp)(noisy, SIGMA), BM3D()(noisy, SIGMA), atol=1e-9)


def test_zero_filled_lines_are_no_noise(truth):
    # Of a quarter of k-space neither signal nor noise was acquired.
    power = np.ones(truth.shape)
    power[:8] = power[-8:] = 0
    power[24:] = power[1:41][::-1]  # symmetric about DC at index 32
    power /= power.mean()
    clean = BM3D(spectrum=power)(_noisy(truth, power=power), SIGMA)
    assert np.isfinite(clean).all()
    assert _error(clean, truth) < 0.5 * _error(_noisy(truth, power=power), truth)


@pytest.mark.cuda
def test_on_the_gpu_as_on_the_cpu(truth):
    noisy = torch.from_numpy(_noisy(truth).astype(np.complex128))
    for power in (None, spectrum(truth.shape)):
        there = BM3D(spectrum=power)(noisy.cuda(), SIGMA)
        assert there.is_cuda
        torch.testing.assert_close(
            there.cpu(), BM3D(spectrum=power)(noisy, SIGMA), atol=1e-8, rtol=0
        )


def test_refuses_bad_images():
    with pytest.raises(ValueError, match=r"\(7, 20\), expected .* at least 8, the side of a block"):
        BM3D()(np.zeros((7, 20)), 1.0)


def test_refuses_bad_spectra():
    image = np.zeros((16, 16))
    lopsided = np.ones((16, 16))
    lopsided[3, 4] = 2
    with pytest.raises(ValueError, match=r"spectrum has shape \(9, 16\), expected \(ky, kx\)"):
        BM3D(spectrum=np.ones((9, 16)))(image, 1.0)
    with pytest.raises(ValueError, match="spectrum has a mean of 2 over k-space, expected 1"):
        BM3D(spectrum=2 * np.ones((16, 16)))(image, 1.0)
    with pytest.raises(ValueError, match="spectrum is not symmetric about DC"):
        BM3D(spectrum=lopsided / lopsided.mean())(image, 1.0)
    with pytest.raises(ValueError, match="spectrum holds values that are negative, NaN"):
        BM3D(spectrum=-np.ones((16, 16)))(image, 1.0)


def test_refuses_bad_parameters():
    with pytest.raises(ValueError, match="strength is 0, expected a number above 0"):
        BM3D(strength=0)
    for name, value, message in (
        ("block", 1, "block is 1, expected at least 2"),
        ("step", 0, "step is 0, expected at least 1"),
        ("step", 9, "step is 9, more than a block of 8"),
        ("radius", 0, "radius is 0, expected at least 1"),
        ("hard_group", 12, "hard_group is 12, expected a power of two"),
        ("wiener_match", 0, "wiener_match is 0, expected more than 0"),
        ("threshold", 40, "threshold is 40, expected at most 30"),
        ("kaiser", -1, "kaiser is -1, expected at least 0"),
        ("transform", "haar", "transform is 'haar', expected 'dct' or 'bior1.5'"),
    ):
        with pytest.raises(ValueError, match=message):
            dataclasses.replace(Profile(), **{name: value})
    with pytest.raises(ValueError, match=r"bior1.5 needs blocks of 2, 4, 8"):
        Profile(block=7)
