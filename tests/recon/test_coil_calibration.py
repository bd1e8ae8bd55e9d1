"""ESPIRiT against true maps, against sigpy, and its conventions."""

import math
import warnings

import h5py
import numpy as np
import pytest

from kspace_denoise.arrays import to_numpy
from kspace_denoise.fourier import fft2c, ifft2c
from kspace_denoise.recon import espirit, estimate_noise, rss, whiten
from kspace_denoise.recon.coil_calibration import noise_edge
from tests.helpers import assert_same_kind, complex_array
from tests.recon.cases import disc, smooth_maps


def likeness(a, b):
    """|cosine| between two sets of maps at every pixel."""
    product = np.abs(np.sum(a.conj() * b, axis=-3))
    return product / (np.linalg.norm(a, axis=-3) * np.linalg.norm(b, axis=-3))


def scan(rng, size=(64, 54), coils=6, snr=np.inf):
    """k-space with sigma = 1 (0 without noise), its true maps and the object's mask."""
    maps, image = smooth_maps(coils, size), disc(size)
    inside = np.abs(image) > 0.4
    if math.isinf(snr):
        return fft2c(maps * image).astype(np.complex64), maps, inside
    image = image * (snr / np.abs(image[inside]).mean())
    kspace = fft2c(maps * image) + complex_array(rng, maps.shape)
    return kspace.astype(np.complex64), maps, inside


@pytest.mark.parametrize("size", [(64, 54), (63, 55)])
def test_maps_of_a_clean_scan_are_the_true_ones(rng, kind, size):
    kspace, truth, inside = scan(rng, size)
    given = kind(kspace)
    maps = espirit(given)
    assert_same_kind(maps, given)
    np.testing.assert_array_equal(to_numpy(given), kspace)
    maps = to_numpy(maps)
    assert maps.dtype == np.complex64
    assert maps.shape == kspace.shape
    np.testing.assert_allclose(np.linalg.norm(maps, axis=0), 1, rtol=1e-5)
    assert np.median(likeness(maps, truth)[inside]) > 0.9999
    assert np.percentile(likeness(maps, truth)[inside], 1) > 0.999


def test_noisy_scans_gain_from_a_known_sigma(rng):
    loss = {}
    for sigma in (None, 1.0):
        values = []
        for _ in range(4):
            kspace, truth, inside = scan(rng, snr=5)
            values.append(np.mean(1 - likeness(espirit(kspace, sigma=sigma), truth)[inside]))
        loss[sigma] = np.mean(values)
    assert loss[1.0] < loss[None]
    assert loss[1.0] < 3e-3


def test_the_noise_edge_is_that_of_calibration_matrices(rng):
    edge = noise_edge(2.0, 400, 8 * 25)
    noise = 2 * complex_array(rng, (8, 24, 24)).astype(np.complex128)
    windows = np.lib.stride_tricks.sliding_window_view(noise, (5, 5), axis=(1, 2))
    largest = np.linalg.norm(windows.transpose(1, 2, 0, 3, 4).reshape(400, -1), ord=2)
    assert largest == pytest.approx(edge, rel=0.04)


def test_a_batch_gives_what_its_slices_give(rng):
    kspace = np.stack([scan(rng, (32, 30), snr=20)[0] for _ in range(3)])[None]
    maps = espirit(kspace)
    assert maps.shape == kspace.shape
    np.testing.assert_array_equal(maps[0, 2], espirit(kspace[0, 2]))


def test_maps_are_smooth_with_the_phase_of_the_principal_coil(rng):
    kspace, _, inside = scan(rng)
    maps = espirit(kspace)
    centre = kspace[:, 20:44, 15:39].reshape(6, -1).astype(np.complex128)
    principal = np.linalg.svd(centre)[0][:, 0]
    virtual = np.einsum("c,cyx->yx", principal.conj(), maps)
    virtual = virtual * np.conj(virtual[32, 27]) / abs(virtual[32, 27])
    assert np.abs(np.angle(virtual)).max() < 1e-4
    steps = np.linalg.norm(np.diff(maps, axis=-1), axis=0)
    assert steps[inside[:, 1:] & inside[:, :-1]].max() < 0.1


def test_scaling_and_coil_phase_do_what_they_must(rng):
    kspace, _, _ = scan(rng, (32, 30))
    maps = espirit(kspace)
    np.testing.assert_allclose(espirit(1e-6 * kspace), maps, atol=1e-4)
    turned = espirit(kspace * np.exp(2j))  # a common phase belongs to the image
    np.testing.assert_allclose(turned, maps, atol=1e-4)


def test_crop_drops_the_background_only(rng):
    kspace, _, inside = scan(rng, snr=100)
    maps = espirit(kspace, crop=0.9)
    kept = np.linalg.norm(maps, axis=0) > 0
    assert kept[inside].all()
    assert not kept[:4, :4].any()
    np.testing.assert_allclose(maps[:, kept], espirit(kspace)[:, kept], atol=1e-6)


def test_one_coil_has_the_map_one(rng, kind):
    kspace = kind(complex_array(rng, (3, 1, 16, 17)))  # no calibration region is needed
    maps = espirit(kspace)
    assert_same_kind(maps, kspace)
    np.testing.assert_array_equal(to_numpy(maps), np.ones((3, 1, 16, 17)))


def test_one_coil_can_be_cropped(rng):
    kspace, _, inside = scan(rng, coils=1, snr=100)
    maps = espirit(kspace, crop=0.9)
    np.testing.assert_allclose(maps[0][inside], 1, rtol=1e-5)
    assert not maps[0, :4, :4].any()


def test_pure_noise_still_gives_unit_maps(rng):
    maps = espirit(complex_array(rng, (4, 32, 32)), sigma=1.0)
    np.testing.assert_allclose(np.linalg.norm(maps, axis=0), 1, rtol=1e-5)


def test_double_precision_stays(rng):
    kspace = scan(rng, (32, 30))[0].astype(np.complex128)
    maps = espirit(kspace)
    assert maps.dtype == np.complex128
    np.testing.assert_allclose(maps, espirit(kspace.astype(np.complex64)), atol=1e-3)


def test_a_small_and_oblong_calibration_region(rng):
    kspace, truth, inside = scan(rng)
    kspace[:, :12] = 0
    kspace[:, -12:] = 0
    maps = espirit(kspace, calibration=(40, 16))
    assert np.median(likeness(maps, truth)[inside]) > 0.999


@pytest.mark.parametrize("name", ["brain8ch_full", "pulseq3T_phantom_4ch_sol13"])
def test_agrees_with_sigpy_on_real_data(real_data, name):
    with h5py.File(real_data / f"{name}.h5") as file:
        kspace = file["kspace"][0]
    kspace = whiten(kspace, estimate_noise(kspace).covariance)
    y, x = (n // 2 for n in kspace.shape[1:])
    kspace = kspace[:, y - 64 : y + 64, x - 64 : x + 64]  # sigpy is slow at full size
    maps = espirit(kspace, sigma=1.0)
    assert np.median(_likeness_with_sigpy(kspace, maps)) >= 0.999


def test_agrees_with_sigpy_on_simulated_data(rng):
    kspace, _, _ = scan(rng, snr=50)
    assert np.median(_likeness_with_sigpy(kspace, espirit(kspace))) >= 0.999


def _likeness_with_sigpy(kspace, maps):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from sigpy.mri.app import EspiritCalib

        reference = EspiritCalib(kspace, calib_width=24, crop=0, max_iter=30, show_pbar=False).run()
    magnitude = rss(ifft2c(kspace))
    return likeness(maps, reference)[magnitude > 0.2 * np.percentile(magnitude, 99)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sets": 2}, "sets is 2, but this version estimates one set"),
        ({"calibration": 33}, r"calibration region \(33, 33\) .* does not fit k-space of 32 x 40"),
        ({"calibration": (24, 41)}, "does not fit"),
        ({"calibration": 4}, "kernel 5 does not fit"),
        ({"calibration": (24, 24, 24)}, "expected one number or"),
        ({"crop": 1.0}, "crop=1.0"),
        ({"threshold": -0.1}, "threshold=-0.1"),
        ({"kernel": 1}, "kernel 1 does not fit"),
        ({"calibration": 30}, "60 samples of the central 30 x 30 calibration region are zero"),
    ],
)
def test_bad_options_are_refused(rng, options, message):
    kspace = complex_array(rng, (2, 2, 32, 40))
    kspace[..., 6] = 0  # not sampled; within 30 of the centre, not within 24
    with pytest.raises(ValueError, match=message):
        espirit(kspace, **options)


def test_zero_and_broken_data_are_refused(rng):
    with pytest.raises(ValueError, match=r"576 samples .* are zero in all coils"):
        espirit(np.zeros((2, 32, 32), np.complex64))
    kspace = complex_array(rng, (2, 32, 32))
    kspace[0, 0, 0] = np.nan
    with pytest.raises(ValueError, match="1 values that are NaN"):
        espirit(kspace)
    with pytest.raises(TypeError, match="kspace is float32"):
        espirit(kspace.real)
