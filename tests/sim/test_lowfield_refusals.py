"""What `low_field` refuses, and what it says."""

import numpy as np
import pytest

from kspace_denoise.sim import SpinEcho, low_field
from tests.helpers import complex_array

T2W = SpinEcho(5.0, 0.09)


def test_rejects_fields_that_cannot_be(rng):
    kspace = complex_array(rng, (1, 8, 8))
    with pytest.raises(ValueError, match=r"field=7\.0 T is above source_field=3\.0 T"):
        low_field(kspace, np.eye(1), 7.0, 3.0, seed=0)
    with pytest.raises(ValueError, match="field is 0, expected a positive number of tesla"):
        low_field(kspace, np.eye(1), 0, 3.0, seed=0)
    with pytest.raises(ValueError, match="source_field is nan, expected"):
        low_field(kspace, np.eye(1), 0.3, np.nan, seed=0)
    for wrong in ("0.3", None, [0.3]):
        with pytest.raises(TypeError, match=r"field is .*, expected a number of tesla"):
            low_field(kspace, np.eye(1), wrong, 3.0, seed=0)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"target_sequence": T2W}, "target_sequence was given without sequence"),
        ({"sequence": T2W, "relaxation_factor": 1.0}, "both sequence and relaxation_factor were"),
        ({"relaxation_factor": np.nan}, "relaxation_factor holds values that are not finite real"),
        ({"relaxation_factor": 1j}, "relaxation_factor holds values that are not finite real"),
        ({"relaxation_factor": np.ones((0, 8))}, r"has shape \(0, 8\): there is nothing in it"),
        ({"sequence": T2W, "tissue": "bone"}, "'bone' keeps 0"),
        ({"sequence": T2W, "tissue": "cartilage"}, r"known from 1\.5 to 3 T, not at 0\.3 T"),
        ({"sequence": T2W, "tissue": "grey"}, "unknown tissue 'grey'"),
    ],
    ids=str,
)
def test_rejects_relaxation_that_cannot_be(rng, given, message):
    with pytest.raises(ValueError, match=message):
        low_field(complex_array(rng, (1, 8, 8)), np.eye(1), 0.3, 3.0, 0, **given)


def test_a_sequence_is_not_its_name(rng):
    with pytest.raises(
        TypeError, match=r"sequence is 'spin-echo', expected what sim\.sequence ret"
    ):
        low_field(complex_array(rng, (1, 8, 8)), np.eye(1), 0.3, 3.0, 0, sequence="spin-echo")


def test_rejects_data_that_do_not_fit(rng):
    with pytest.raises(ValueError, match=r"shape \(2, 2\), expected \(3, 3\) for 3 coils"):
        low_field(complex_array(rng, (3, 8, 8)), np.eye(2), 0.3, 3.0, 0)
    with pytest.raises(TypeError, match="expected complex64 or complex128"):
        low_field(np.ones((3, 8, 8)), np.eye(3), 0.3, 3.0, 0)
    with pytest.raises(ValueError, match=r"shape \(3, 0, 8\): there is nothing in it"):
        low_field(np.ones((3, 0, 8), np.complex64), np.eye(3), 0.3, 3.0, 0)
    for bad in (np.nan, 1j * np.inf):
        kspace = complex_array(rng, (3, 8, 8))
        kspace[1, 2, 3] = bad
        with pytest.raises(ValueError, match="holds NaN or infinite samples; set samples that"):
            low_field(kspace, np.eye(3), 0.3, 3.0, 0)
    with pytest.raises(ValueError, match=r"expected \(..., coils, ky, kx\)"):
        low_field(complex_array(rng, (8, 8)), np.eye(3), 0.3, 3.0, 0)
