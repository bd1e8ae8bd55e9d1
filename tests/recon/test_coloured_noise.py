import numpy as np
import pytest

from kspace_denoise import sim
from kspace_denoise.fourier import ifft2c
from kspace_denoise.recon.coloured_noise import (
    is_constant,
    noise_power,
    zero_filled,
)
from kspace_denoise.sim.noise import relative_noise
from tests.helpers import complex_array

GRID = (10, 9)


@pytest.mark.parametrize("axes", [(-2, -1), (-1,), (-2,)])
@pytest.mark.parametrize("given", ["profile", "spectrum", "both"])
def test_power_is_that_of_drawn_noise(rng, axes, given):
    """Against noise of `sim.noise_like`, whose white part is independent of this code."""
    profile = rng.uniform(0.3, 2, GRID if axes == (-2, -1) else GRID[1:])
    if axes == (-2,):
        profile = rng.uniform(0.3, 2, (GRID[0], 1))
    spectrum = rng.uniform(0, 2, GRID)
    spectrum[2:4] = 0
    profile = None if given == "spectrum" else profile
    spectrum = None if given == "profile" else spectrum
    count = 3000
    noise = sim.noise_like(
        np.empty((count, 1, *GRID), np.complex128),
        2 * np.eye(1),
        seed=3,
        noise_profile=profile,
        noise_spectrum=spectrum,
    )
    measured = np.mean(np.abs(ifft2c(noise, axes=axes)[:, 0]) ** 2, axis=0) / 2
    two = [None if x is None else np.atleast_2d(x) for x in (profile, spectrum)]
    power = np.broadcast_to(noise_power(*two, axes, GRID), GRID)
    np.testing.assert_allclose(measured, power, rtol=5 / np.sqrt(count), atol=1e-9)


def test_flat_noise_has_no_power_map():
    assert noise_power(None, None, (-2, -1), GRID) is None


def test_special_cases_of_the_power(rng):
    profile, spectrum = rng.uniform(0.3, 2, (1, 9)), rng.uniform(0, 2, (10, 1))
    np.testing.assert_allclose(noise_power(profile, None, (-1,), GRID), profile**2)
    mean = noise_power(None, spectrum, (-2, -1), GRID)
    np.testing.assert_allclose(mean, np.full((1, 1), spectrum.mean()))
    lines = noise_power(profile, spectrum, (-1,), GRID)
    np.testing.assert_allclose(lines, spectrum * profile**2, rtol=1e-12)


def test_zero_filled_positions_are_zero_in_every_coil(rng):
    kspace = complex_array(rng, (2, 3, 6, 8))
    assert zero_filled(kspace) is None
    kspace[..., 0, :, :2] = 0
    assert zero_filled(kspace) is None
    kspace[..., :2] = 0
    found = zero_filled(kspace)
    assert found.shape == (6, 8)
    assert found[:, :2].all()
    assert not found[:, 2:].any()
    kspace[1, ..., 5, 5] = 0
    found = zero_filled(kspace)
    assert found.shape == (2, 6, 8)
    assert found.sum() == 25
    unsampled = np.ones(8)
    unsampled[:2] = 0
    assert zero_filled(kspace, unsampled).sum() == 1
    assert zero_filled(kspace[0], unsampled) is None


def test_constant_axes():
    assert is_constant(np.ones((3, 1)), -1)
    assert is_constant(np.arange(3)[None] * np.ones((4, 1)), -2)
    assert not is_constant(np.arange(3)[None] * np.ones((4, 1)), -1)


def test_profiles_and_spectra_get_two_axes(kind, rng):
    kspace = kind(complex_array(rng, (3, 6, 8)))
    assert relative_noise(None, "noise_profile", kspace) is None
    for shape in ((8,), (1, 8), (6, 1), (6, 8), ()):
        found = relative_noise(kind(np.ones(shape, np.float32)), "noise_profile", kspace)
        assert found.ndim == 2
        assert type(found) is type(kspace)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.ones(6), r"noise_profile of shape \(6,\) does not broadcast to \(6, 8\)"),
        (np.ones((1, 6, 8)), "does not broadcast"),
        (-np.ones(8), "negative, NaN or infinite"),
        (np.full(8, np.nan), "negative, NaN or infinite"),
        (np.full(8, np.inf), "negative, NaN or infinite"),
    ],
)
def test_bad_profiles_are_refused(rng, values, message):
    with pytest.raises(ValueError, match=message):
        relative_noise(values, "noise_profile", complex_array(rng, (3, 6, 8)))
