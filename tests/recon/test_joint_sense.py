"""JSENSE maps against true ones, and the wrapping of sigpy."""

import numpy as np
import pytest

from kspace_denoise import sim
from kspace_denoise.arrays import to_numpy
from kspace_denoise.fourier import fft2c, ifft2c
from kspace_denoise.recon import espirit, jsense
from tests.helpers import assert_same_kind, complex_array


def scan(rng, size=(48, 45), coils=3, snr=50.0):
    """Noisy k-space of a phantom with sigma = 1, its true maps, and its mask."""
    head = sim.phantom(size, seed=0)
    maps = sim.coil_maps(size, coils=coils, seed=0)
    kspace = fft2c(snr * maps * head.image) + complex_array(rng, maps.shape)
    return kspace.astype(np.complex64), maps, head.mask


def likeness(a, b):
    return np.abs(np.sum(a.conj() * b, axis=-3)) / (
        np.linalg.norm(a, axis=-3) * np.linalg.norm(b, axis=-3)
    )


def test_maps_are_the_true_ones_in_any_array_kind(rng, kind):
    kspace, truth, inside = scan(rng)
    given = kind(kspace)
    maps = jsense(given, calibration=32)
    assert_same_kind(maps, given)
    np.testing.assert_array_equal(to_numpy(given), kspace)
    maps = to_numpy(maps)
    assert maps.dtype == np.complex64
    np.testing.assert_allclose(np.linalg.norm(maps, axis=0), 1, rtol=1e-5)
    assert np.median(likeness(maps, truth)[inside]) > 0.998
    reference = espirit(kspace, sigma=1.0)
    assert np.median(likeness(maps, reference)[inside]) > 0.998
    # Norm and phase are those of ESPIRiT, so the images are alike, not only the directions.
    images = ifft2c(kspace)
    one, other = (np.sum(m.conj() * images, axis=0)[inside] for m in (maps, reference))
    assert abs(np.vdot(one, other)) > 0.995 * np.linalg.norm(one) * np.linalg.norm(other)


@pytest.mark.parametrize("with_mask", [True, False])
def test_undersampled_lines_help_where_full_ones_are_few(rng, with_mask):
    kspace, truth, inside = scan(rng)
    alone = espirit(kspace, (6, 24), sigma=1.0)
    mask = np.ones((48, 45), np.float32)
    mask[1::2, :] = 0
    mask[21:27, :] = 1
    if with_mask:  # values where nothing was sampled must not count
        kspace = np.where(mask > 0, kspace, 1e3)
    else:
        kspace, mask = kspace * mask, None
    maps = jsense(kspace, mask)
    found, without = (1 - likeness(m, truth)[inside] for m in (maps, alone))
    assert np.median(found) < 1e-3
    assert np.mean(found) < 0.7 * np.mean(without)


def test_one_coil_and_a_batch(rng):
    np.testing.assert_array_equal(jsense(complex_array(rng, (2, 1, 16, 17))), 1)
    kspace = np.stack([scan(rng)[0] for _ in range(2)])[None]
    mask = np.ones((1, 2, 48, 45))
    mask[0, 1, 2:9, 3] = 0
    few = {"iterations": 2, "inner_iterations": 3}
    maps = jsense(kspace, mask, **few)
    assert maps.shape == kspace.shape
    np.testing.assert_allclose(maps[0, 1], jsense(kspace[0, 1], mask[0, 1], **few), atol=1e-5)


def test_more_iterations_explain_the_data_better(rng):
    kspace, truth, inside = scan(rng)
    loss = [
        np.mean(1 - likeness(jsense(kspace, iterations=count), truth)[inside]) for count in (1, 10)
    ]
    assert loss[1] < 0.5 * loss[0]


def test_nothing_is_printed(rng, capsys):
    jsense(scan(rng)[0], iterations=1)
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"calibration": 46},
            "calibration region of 46, which must fit into .* shorter side of 45",
        ),
        ({"kernel": 25}, "kernel 25 must be at least 1 and fit"),
        ({"kernel": 0}, "kernel 0 must"),
        ({"iterations": 0}, "iterations=0, inner_iterations=10: expected .* 1 iteration or more"),
        ({"inner_iterations": 0}, "inner_iterations=0"),
        ({"regularisation": 0.0}, "regularisation=0.0, .* expected a regularisation above 0"),
        ({"mask": np.ones((3, 45))}, r"mask of shape \(3, 45\) does not broadcast"),
    ],
)
def test_bad_options_are_refused(rng, options, message):
    with pytest.raises(ValueError, match=message):
        jsense(complex_array(rng, (2, 48, 45)), **options)


def test_an_empty_centre_is_refused():
    kspace = np.zeros((2, 48, 45), np.complex64)
    kspace[:, 0, 0] = 1
    with pytest.raises(ValueError, match="no sample of the central 24 x 24 is nonzero"):
        jsense(kspace)
    with pytest.raises(TypeError, match="kspace is float32"):
        jsense(kspace.real)
