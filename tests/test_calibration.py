"""How much of the centre is fully sampled, from the data and the mask."""

import numpy as np
import pytest

from kspace_denoise import sim
from kspace_denoise.calibration import calibration_size
from tests.helpers import complex_array

SHAPE = (40, 48)


@pytest.mark.parametrize(("lines", "expected"), [(5, 5), (12, 12), (13, 13), (30, 24)])
@pytest.mark.parametrize("axis", [-1, -2])
def test_lines_of_a_mask(kind, rng, lines: int, expected: int, axis: int) -> None:
    mask = np.zeros(SHAPE, bool)
    start = SHAPE[axis] // 2 - lines // 2
    np.moveaxis(mask, axis, 0)[start : start + lines] = True
    data = complex_array(rng, (3, *SHAPE))
    wanted = (24, expected) if axis == -1 else (expected, 24)
    assert calibration_size(kind(data), mask) == wanted
    assert calibration_size(kind((data * mask).astype(np.complex64))) == wanted  # zeros tell


def test_the_number_that_the_mask_generator_was_given(rng) -> None:
    data = complex_array(rng, (3, *SHAPE))
    for lines in (8, 12, 20):
        mask = sim.mask("equispaced", SHAPE, 2, lines, seed=1)
        assert calibration_size(data, mask)[1] >= lines


def test_small_matrices_and_one_coil(rng) -> None:
    assert calibration_size(complex_array(rng, (2, 20, 18))) == (20, 18)
    assert calibration_size(complex_array(rng, (2, 4, 4))) == (4, 4)  # for espirit to refuse
    nothing = np.zeros(SHAPE, bool)
    nothing[20, 24] = True
    assert calibration_size(complex_array(rng, (1, *SHAPE)), nothing) == (1, 1)


def test_too_little_for_coil_maps(rng) -> None:
    mask = np.abs(np.arange(48) - 24) < 2
    with pytest.raises(ValueError, match=r"has 3 x 3 samples, too few for coil maps.* need 5 x 5"):
        calibration_size(complex_array(rng, (2, *SHAPE)), mask)
