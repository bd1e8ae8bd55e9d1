import numpy as np
import pytest

from kspace_denoise.nufft import check_trajectory


def positions(rng: np.random.Generator, *limits: float) -> np.ndarray:
    """Return positions (5, 16, 2) that reach the limits."""
    found = rng.uniform(-1, 1, (5, 16, 2))
    return (found / abs(found).max(axis=(0, 1)) * limits).astype(np.float32)


def test_positions_up_to_half_the_matrix_pass(rng, kind):
    check_trajectory(kind(positions(rng, 32, 24)), (64, 48))
    check_trajectory(positions(rng, 32.5, 24.5).astype(np.float64), (65, 49))


def test_a_small_matrix_may_have_small_positions(rng):
    check_trajectory(positions(rng, 3, 3), (6, 8))


@pytest.mark.parametrize(
    ("scale", "match"),
    [
        (0.5, r"cycles per pixel \(-0.5 to 0.5\).*multiply it by \(ny, nx\)"),
        (np.pi, r"radians per pixel.*multiply it by \(ny, nx\) / \(2 \* numpy.pi\)"),
    ],
)
def test_other_units_are_named(rng, scale, match):
    with pytest.raises(ValueError, match=match):
        check_trajectory(positions(rng, scale, scale), (64, 48))


@pytest.mark.parametrize("unit", [1, 2 * np.pi])
def test_the_conversion_that_the_error_names_is_right(rng, unit):
    wanted = positions(rng, 32, 24)
    given = wanted / np.array([64, 48]) * unit
    np.testing.assert_allclose(given * np.array([64, 48]) / unit, wanted, rtol=1e-6)


def test_swapped_axes_are_named(rng):
    with pytest.raises(ValueError, match=r"seems to be \(kx, ky\)"):
        check_trajectory(positions(rng, 32, 24), (48, 64))


def test_positions_outside_are_refused(rng):
    with pytest.raises(ValueError, match=r"beyond n / 2 of the image \(64, 64\)"):
        check_trajectory(positions(rng, 40, 32), (64, 64))


@pytest.mark.parametrize("shape", [(80, 2), (5, 16, 3), (2, 5, 16, 2), (0, 16, 2)])
def test_wrong_shapes_are_refused(shape):
    with pytest.raises(ValueError, match=r"expected \(readouts, samples, 2\)"):
        check_trajectory(np.ones(shape, np.float32), (4, 4))


@pytest.mark.parametrize("dtype", [np.complex64, np.int32])
def test_wrong_types_are_refused(dtype):
    with pytest.raises(TypeError, match="expected real positions"):
        check_trajectory(np.ones((5, 16, 2), dtype), (4, 4))


def test_a_list_is_refused(rng):
    with pytest.raises(TypeError, match=r"trajectory is list, expected an array \(readouts"):
        check_trajectory(positions(rng, 32, 32).tolist(), (64, 64))


@pytest.mark.parametrize("shape", [(64, 64), (4, 4), (1, 64)])
def test_the_centre_alone_is_refused(shape):
    with pytest.raises(ValueError, match="every position of the trajectory is 0, the centre"):
        check_trajectory(np.zeros((3, 1, 2), np.float32), shape)
    check_trajectory(np.zeros((3, 1, 2), np.float32), (1, 1))


def test_nan_is_refused(rng):
    bad = positions(rng, 32, 32)
    bad[1, 2, 0] = np.nan
    with pytest.raises(ValueError, match="NaN or infinite"):
        check_trajectory(bad, (64, 64))


@pytest.mark.parametrize("shape", [(64,), (64, 0), (64, 64.5), (64, 64, 64)])
def test_a_wrong_image_shape_is_refused(rng, shape):
    with pytest.raises(ValueError, match="expected two positive integers"):
        check_trajectory(positions(rng, 32, 32), shape)
