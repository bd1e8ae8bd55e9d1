import numpy as np
import pytest

from kspace_denoise import recon, sim
from kspace_denoise.arrays import to_numpy
from kspace_denoise.fourier import fft2c
from tests.helpers import assert_same_kind, complex_array
from tests.recon.test_cg_sense import coil_maps, head


@pytest.fixture
def scan():
    """Return maps, trajectory and noisy samples of spokes of half the number that Nyquist asks."""
    shape = (64, 60)
    maps = sim.coil_maps(shape, 6, seed=0)
    positions = sim.trajectory("golden-angle", shape, 50, seed=0)
    samples = recon.NufftOperator(maps, positions).forward(head(shape))
    return maps, positions, sim.add_noise(samples, 2 * np.eye(6), seed=1)


def test_espirit_makes_maps_of_it(scan):
    maps, positions, samples = scan
    images = recon.gridding(samples, positions, (64, 60))
    found = recon.espirit(fft2c(images))
    cosine = abs(np.sum(found.conj() * maps, axis=0)) / np.linalg.norm(maps, axis=0)
    assert np.percentile(cosine[abs(head((64, 60))) > 3], 1) > 0.99


def test_full_sampling_gives_the_coil_images(rng):
    shape = (48, 48)
    maps, positions = coil_maps(rng, 3, shape), sim.trajectory("radial", shape)
    samples = recon.NufftOperator(maps, positions).forward(head(shape))
    images = recon.gridding(samples, positions, shape)
    expected = maps * head(shape)
    assert np.linalg.norm(images - expected) < 0.05 * np.linalg.norm(expected)
    inside = abs(head(shape)) > 3
    assert np.mean((images / expected).real[:, inside]) == pytest.approx(1, abs=0.01)


def test_kinds_slices_and_weights(scan, kind):
    _, positions, samples = scan
    weights = sim.density_compensation(positions, (64, 60))
    given = kind(np.stack([samples, 2 * samples]))
    images = recon.gridding(given, kind(positions), (64, 60), kind(weights))
    assert_same_kind(images, given)
    assert images.shape == (2, 6, 64, 60)
    expected = recon.gridding(samples, positions, (64, 60))
    np.testing.assert_allclose(to_numpy(images)[1], 2 * expected, atol=0.01)


def test_bad_input_is_refused(rng):
    positions = sim.trajectory("radial", (16, 16), 8)
    samples = complex_array(rng, (3, 8, 32))
    with pytest.raises(ValueError, match=r"weights of shape \(8,\) do not fit"):
        recon.gridding(samples, positions, (16, 16), np.ones(8))
    with pytest.raises(TypeError, match="weights is list, expected an array"):
        recon.gridding(samples, positions, (16, 16), [1.0])
    with pytest.raises(TypeError, match="trajectory is list, expected an array"):
        recon.gridding(samples, positions.tolist(), (16, 16))
    with pytest.raises(ValueError, match="does not fit the trajectory"):
        recon.gridding(samples[..., :30], positions, (16, 16))
    with pytest.raises(ValueError, match="beyond n / 2"):
        recon.gridding(samples, positions, (12, 12))
    with pytest.raises(TypeError, match="expected complex64"):
        recon.gridding(samples.real, positions, (16, 16))
