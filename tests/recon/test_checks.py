import numpy as np
import pytest

from kspace_denoise.recon.checks import check_finite, check_kspace
from tests.helpers import complex_array


def test_good_kspace_passes(rng, kind):
    check_kspace(kind(complex_array(rng, (2, 3, 4))))
    check_kspace(kind(complex_array(rng, (5, 2, 3, 4)).astype(np.complex128)))


def test_the_name_and_the_number_of_bad_values_are_told(kind):
    values = np.ones((2, 3, 4), np.complex64)
    values[0, 0, :2] = np.nan, np.inf
    with pytest.raises(ValueError, match="maps holds 2 values that are NaN or infinite"):
        check_finite(kind(values), "maps")
