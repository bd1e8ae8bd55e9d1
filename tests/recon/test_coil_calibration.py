"""ESPIRiT against true maps, against sigpy, and its conventions."""

import math
import shutil
import subprocess
import warnings

import h5py
import numpy as np
import pytest
import torch
from scipy import ndimage

from kspace_denoise import sim
from kspace_denoise.arrays import to_numpy
from kspace_denoise.fourier import fft2c, ifft2c
from kspace_denoise.recon import espirit, estimate_noise, rss, sense, walsh_maps, whiten
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


def test_maps_are_smooth(rng):
    kspace, _, inside = scan(rng)
    steps = np.linalg.norm(np.diff(espirit(kspace), axis=-1), axis=0)
    assert steps[inside[:, 1:] & inside[:, :-1]].max() < 0.1


def vortices(phase):
    """Return around which pixels a phase winds, bool (y - 1, x - 1)."""
    corners = [phase[:-1, :-1], phase[:-1, 1:], phase[1:, 1:], phase[1:, :-1]]
    steps = zip(corners, corners[1:] + corners[:1], strict=True)
    winding = sum(np.angle(np.exp(1j * (b - a))) for a, b in steps)
    return np.abs(winding) > np.pi


@pytest.mark.parametrize("coils", [4, 8, 16])
@pytest.mark.parametrize("estimate", [espirit, lambda k: walsh_maps(ifft2c(k))])
def test_the_phase_winds_around_no_spot_of_the_object(coils, estimate):
    head = sim.phantom((96, 96), seed=coils)
    true = sim.coil_maps((96, 96), coils, seed=coils)
    phase = np.angle(np.sum(true.conj() * estimate(fft2c(true * head.image)), axis=0))
    inside = ndimage.binary_erosion(head.mask, iterations=3)[:-1, :-1]
    assert not vortices(phase)[inside].any()


def test_brain8ch_has_no_vortex(real_data):
    with h5py.File(real_data / "brain8ch_full.h5") as file:
        kspace = file["kspace"][0]
    coil_images = ifft2c(kspace)
    image = np.sum(espirit(kspace).conj() * coil_images, axis=0)
    inside = np.zeros(image.shape, bool)
    inside[60:190, 50:135] = True  # within the brain
    assert not vortices(np.angle(image))[inside[:-1, :-1]].any()


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


@pytest.mark.parametrize("snr", [0, 2, 10])
def test_maps_collect_no_noise_from_their_own_data(rng, snr):
    images = smooth_maps(8, (96, 90)) * snr * disc((96, 90))
    noise = complex_array(rng, images.shape)
    maps = espirit(fft2c(images + noise).astype(np.complex64), sigma=1.0)
    power = np.mean(np.abs(np.sum(maps.conj() * noise, axis=0)) ** 2) / 2
    chance = 1 / np.sqrt(noise[0].size)
    assert np.sqrt(power) == pytest.approx(1, abs=0.02 + 4 * chance / 2)


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


@pytest.mark.parametrize(
    ("name", "readout_axis"), [("brain8ch_full", None), ("pulseq3T_phantom_4ch_sol13", -1)]
)
def test_agrees_with_sigpy_on_real_data(real_data, name, readout_axis):
    with h5py.File(real_data / f"{name}.h5") as file:
        kspace = file["kspace"][0]
    kspace = whiten(kspace, estimate_noise(kspace, readout_axis=readout_axis).covariance)
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


def test_agrees_with_bart_on_simulated_data(rng, tmp_path):
    if shutil.which("bart") is None:
        pytest.skip("no BART")
    kspace, _, inside = scan(rng, snr=50)
    coils, y, x = kspace.shape
    (tmp_path / "kspace.hdr").write_text(f"# Dimensions\n{y} {x} 1 {coils}\n")
    np.moveaxis(kspace, 0, -1).ravel(order="F").tofile(tmp_path / "kspace.cfl")
    command = ["bart", "ecalib", "-m1", "-r24", "-c0", "kspace", "maps"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    reference = np.fromfile(tmp_path / "maps.cfl", np.complex64).reshape((y, x, coils), order="F")
    maps = espirit(kspace, sigma=1.0)
    assert np.median(likeness(maps, np.moveaxis(reference, -1, 0))[inside]) >= 0.999


def folded_scan(rng, field_of_view, coils=8, snr=30.0):
    """A head of about 77 of 96 rows in a smaller field of view, and how often it covers a pixel."""
    size, rows = field_of_view, 96
    head = sim.phantom((rows, rows), seed=0, coils=coils)
    target = (np.arange(rows) - (rows - size) // 2) % size
    folded, layers = np.zeros((size, coils, rows), np.complex64), np.zeros((size, rows))
    np.add.at(folded, target, snr * ifft2c(head.kspace).swapaxes(0, 1))
    np.add.at(layers, target, head.mask)
    folded = np.ascontiguousarray(folded.swapaxes(0, 1))
    return fft2c(folded) + complex_array(rng, folded.shape), layers


def leftover(kspace, maps):
    """Coil images (coils, y, x) without what the sets of maps (sets, coils, y, x) explain."""
    images = ifft2c(kspace)
    for one in maps:
        images = images - one * np.sum(one.conj() * images, axis=0)
    return images


def test_two_sets_explain_what_is_folded(rng, kind):
    kspace, layers = folded_scan(rng, 60)
    given = kind(kspace)
    maps = espirit(given, sets=2, sigma=1.0)
    assert_same_kind(maps, given)
    np.testing.assert_array_equal(to_numpy(given), kspace)
    maps = to_numpy(maps)
    assert maps.shape == (2, *kspace.shape)
    norms = np.linalg.norm(maps, axis=1)
    np.testing.assert_allclose(norms[0], 1, rtol=1e-5)
    np.testing.assert_allclose(norms[1][norms[1] > 0], 1, rtol=1e-5)
    assert np.abs(np.sum(maps[0].conj() * maps[1], axis=0)).max() < 1e-5
    assert np.mean(norms[1][layers == 2] > 0) > 0.95
    # Noise leaves 2 sigma^2 for each of the 8 - 2 coil combinations that no map explains.
    overlap = layers == 2
    floor = 2 * (8 - 2)
    power = np.mean(np.sum(np.abs(leftover(kspace, maps)) ** 2, axis=0)[overlap])
    assert floor * 0.9 < power < 1.2 * floor
    power = np.mean(np.sum(np.abs(leftover(kspace, maps[:1])) ** 2, axis=0)[overlap])
    assert power > 10 * floor


def test_soft_sense_with_two_sets_gives_both_layers(rng):
    kspace, _ = folded_scan(rng, 64)
    maps = espirit(kspace, sets=2, sigma=1.0)
    image, sigma = sense(kspace, maps, sets=2)
    explained = np.sum(maps * image[:, None], axis=0)
    np.testing.assert_allclose(
        ifft2c(kspace) - explained, leftover(kspace, maps), atol=1e-3 * np.abs(image).max()
    )
    empty = ~np.any(maps[1], axis=0)
    assert not image[1][empty].any()
    np.testing.assert_allclose(sigma[0], 1, rtol=1e-4)
    np.testing.assert_allclose(sigma[1], ~empty, rtol=1e-4)


def test_the_second_set_is_empty_where_nothing_is_folded(rng):
    kspace, layers = folded_scan(rng, 72)
    second = np.linalg.norm(espirit(kspace, sets=2, sigma=1.0)[1], axis=0) > 0
    assert second[layers == 2].mean() > 0.95
    assert not second[20:52][layers[20:52] == 1].any()
    kspace, _, inside = scan(rng, snr=30)
    alone = espirit(kspace, sigma=1.0)
    maps = espirit(kspace, sets=2, sigma=1.0)
    assert not maps[1][:, inside].any()
    np.testing.assert_allclose(likeness(maps[0], alone), 1, atol=1e-4)
    everywhere = espirit(kspace, sets=2, sigma=1.0, second_crop=0.0)
    np.testing.assert_allclose(np.linalg.norm(everywhere[1], axis=0), 1, rtol=1e-5)


@pytest.mark.parametrize("coils", [2, 4, 16])
def test_one_set_warns_where_two_are_needed(rng, coils):
    kspace, _ = folded_scan(rng, 64, coils)
    fits = scan(rng, (64, 96), coils, snr=30)[0]
    # One folded slice of several is enough.
    message = r"two coil maps are needed where \d+% of .* use espirit\(..., sets=2\)"
    with pytest.warns(UserWarning, match=message) as caught:
        espirit(np.stack([fits, kspace]), sigma=1.0)
    assert len(caught) == 1
    if coils > 2:  # noise of unknown level may fill the few windows of two coils
        with pytest.warns(UserWarning, match=message):
            espirit(kspace)


def warnings_of(kspace, sigma=None):
    """Return what `espirit` warns of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        espirit(kspace, sigma=sigma)
    return [str(one.message) for one in caught]


@pytest.mark.parametrize("snr", [1, 3, 5, 10, 20, 40, 100, 1000])
@pytest.mark.parametrize("sigma", [None, 1.0])
def test_no_false_alarm_at_any_noise_level(rng, snr, sigma):
    for coils in (2, 8):
        phantom = sim.phantom((64, 60), seed=snr, coils=coils)
        kspace = snr * phantom.kspace + complex_array(rng, (coils, 64, 60))
        assert warnings_of(kspace.astype(np.complex64), sigma) == []


def test_no_false_alarm_on_real_data(real_data):
    for path in sorted(real_data.glob("*.h5")):
        with h5py.File(path) as file:
            multi = "kspace" in file and file["kspace"].shape[1] > 1
            kspace = file["kspace"][:1] if multi and "R8" not in path.name else None
        if kspace is not None:
            assert warnings_of(kspace) == [], path.name


@pytest.mark.parametrize("sets", [1, 2])
def test_sets_of_one_coil_and_of_a_batch(rng, sets, kind):
    one = kind(complex_array(rng, (3, 1, 16, 17)))
    maps = espirit(one, sets=sets)
    assert_same_kind(maps, one)
    maps = to_numpy(maps).reshape(3, sets, 1, 16, 17)
    np.testing.assert_array_equal(maps[:, 0], 1)
    np.testing.assert_array_equal(maps[:, 1:], 0)
    batch = complex_array(rng, (2, 3, 2, 30, 31))
    maps = espirit(batch, sets=sets, sigma=1.0)
    assert maps.shape == ((2, 3, 2, 30, 31) if sets == 1 else (2, 3, 2, 2, 30, 31))
    np.testing.assert_array_equal(maps[1, 2], espirit(batch[1, 2], sets=sets, sigma=1.0))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sets": 3}, "sets is 3, expected 1 set of coil maps or 2"),
        ({"second_crop": 1.5}, "second_crop=1.5"),
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


@pytest.mark.cuda
def test_two_sets_on_the_gpu(rng):
    kspace, _ = folded_scan(rng, 60)
    maps = espirit(torch.from_numpy(kspace).cuda(), sets=2, sigma=1.0)
    assert maps.is_cuda
    expected = espirit(kspace, sets=2, sigma=1.0)
    captured = np.abs(np.einsum("scyx,tcyx->styx", expected.conj(), to_numpy(maps))) ** 2
    both = np.linalg.norm(expected[1], axis=0) > 0
    np.testing.assert_allclose(np.sum(captured, axis=0)[0][both], 1, atol=1e-2)
