import numpy as np
import pytest

from kspace_denoise import sim
from kspace_denoise.fourier import fft2c, ifft2c
from kspace_denoise.nufft import Nufft
from tests.helpers import assert_same_kind


def smooth_object(shape: tuple[int, int]) -> np.ndarray:
    """Return a complex blob (y, x) that stays away from the edges."""
    y, x = (2 * (np.arange(n) - n // 2) / n for n in shape)
    distance = np.hypot(y[:, None] / 0.7, x / 0.8)
    blob = 1 / (1 + np.exp((distance - 0.8) * 25)) + 0.5 * (distance < 0.4)
    return (blob * np.exp(1j * (y[:, None] + x))).astype(np.complex64)


def covered(image: np.ndarray) -> np.ndarray:
    """Return what of an image lies in the ellipse of k-space that trajectories cover."""
    ky, kx = (2 * (np.arange(n) - n // 2) / n for n in image.shape)
    return ifft2c(fft2c(image) * (np.hypot(ky[:, None], kx) < 1))


@pytest.mark.parametrize(
    ("kind", "options", "tolerance"),
    [
        ("radial", {}, 0.01),
        ("golden-angle", {}, 0.02),
        ("spiral", {}, 0.02),
        ("spiral", {"turns": 3.2, "readouts": 12, "density": 1.0}, 0.01),
        ("spiral", {"density": 2.0}, 0.01),
        ("rosette", {}, 0.01),
    ],
)
@pytest.mark.parametrize("shape", [(64, 64), (63, 48)])
def test_the_weighted_adjoint_is_the_image(kind, options, tolerance, shape):
    positions = sim.trajectory(kind, shape, **options)
    weights = sim.density_compensation(positions, shape)
    transform = Nufft(positions, shape)
    image = smooth_object(shape)
    found = transform.adjoint((weights * transform.forward(image)).astype(np.complex64))
    expected = covered(image)
    assert np.linalg.norm(found - expected) < tolerance * np.linalg.norm(expected)
    assert weights.dtype == np.float32
    assert weights.min() > 0


def test_a_cartesian_sample_stands_for_one():
    grid = np.meshgrid(np.arange(7) - 3, np.arange(10) - 5, indexing="ij")
    positions = np.stack(grid, -1).astype(np.float32)
    np.testing.assert_allclose(sim.density_compensation(positions, (7, 10)), 1, atol=1e-3)


def test_repeated_samples_share_their_weight():
    grid = np.meshgrid(np.arange(8) - 4, np.arange(8) - 4, indexing="ij")
    positions = np.repeat(np.stack(grid, -1), 3, axis=0).astype(np.float32)
    np.testing.assert_allclose(sim.density_compensation(positions, (8, 8)), 1 / 3, atol=1e-3)


def test_the_weights_are_areas():
    positions = sim.trajectory("radial", (64, 64), seed=0)
    weights = sim.density_compensation(positions, (64, 64))
    assert weights.sum() == pytest.approx(np.pi / 4 * 64**2, rel=0.02)
    ramp = np.abs(np.arange(128) - 64) / 2 * np.pi / len(positions) / 2
    inside = slice(70, 120)
    np.testing.assert_allclose(weights.mean(axis=0)[inside], ramp[inside], rtol=0.05)


def test_it_returns_the_kind_it_was_given_and_changes_nothing(kind):
    positions = sim.trajectory("radial", (16, 16))
    given = kind(positions)
    weights = sim.density_compensation(given, (16, 16))
    assert_same_kind(weights, given)
    expected = sim.density_compensation(positions, (16, 16))
    np.testing.assert_allclose(np.asarray(weights), expected, rtol=1e-6)
    np.testing.assert_array_equal(np.asarray(given), sim.trajectory("radial", (16, 16)))


def test_bad_input_is_refused():
    positions = sim.trajectory("radial", (16, 16))
    with pytest.raises(ValueError, match="iterations is 0, expected at least 1"):
        sim.density_compensation(positions, (16, 16), 0)
    with pytest.raises(ValueError, match="every position of the trajectory is 0"):
        sim.density_compensation(0 * positions, (16, 16))
    with pytest.raises(ValueError, match="cycles per pixel"):
        sim.density_compensation(positions / 16, (16, 16))
