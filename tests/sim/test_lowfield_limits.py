"""What can be simulated is an interval of fields: `low_field` keeps to it, and names it."""

import re

import numpy as np
import pytest

from kspace_denoise.sim import SpinEcho, Tissue, highest_field, low_field
from tests.helpers import complex_array

T2W, NEAR_NULL = SpinEcho(5.0, 0.09), SpinEcho(2.5, 0.01, 0.6)
OWN = Tissue(t1=1.0, t2={0.1: 0.5, 2.0: 0.5, 2.5: 0.05, 3.0: 0.05})  # it gains much below 2.5 T


def accepts(field, source, settings):
    kspace = np.zeros((2, 2, 2), np.complex64)
    try:
        low_field(kspace, np.eye(2), field, source, 0, **settings)
    except ValueError as error:
        if "cannot be simulated from" not in str(error):
            raise
        return False
    return True


@pytest.mark.parametrize("law", ["body", "mixed"])
@pytest.mark.parametrize(
    ("source", "settings", "expected"),
    [
        (7.0, {"sequence": T2W}, 3.0),
        (7.0, {"sequence": T2W, "bandwidth_ratio": 1.3}, 7.0),
        (3.0, {"sequence": NEAR_NULL, "crossover_field": 0.05}, 0.21),
        (3.0, {"sequence": T2W}, 3.0),
        (3.0, {"averages": 4.0}, 1.5),
        (1.5, {"relaxation_factor": 1.25}, 1.2),
    ],
    ids=str,
)
def test_below_the_highest_field_is_an_interval_and_above_it_nothing(
    law, source, settings, expected
):
    settings = settings | {"noise_law": law}
    highest = highest_field(np.eye(2), source, **settings)
    assert highest == pytest.approx(expected, rel=0.2)
    assert all(accepts(highest * part, source, settings) for part in (1.0, 0.999, 0.97))
    gap = np.geomspace(highest * 1.001, source * 0.9999, 12) if highest < source else []
    assert not any(accepts(field, source, settings) for field in gap)


def test_the_message_names_gap_and_interval(rng):
    message = (
        r"fields between (\S+) and 7 T cannot be reached: the highest field that can be simulated "
        r"is (\S+) T, and all below it can; at 5 T the narrowest bandwidth_ratio is (\S+)$"
    )
    with pytest.raises(ValueError, match=message) as caught:
        low_field(complex_array(rng, (2, 8, 8)), np.eye(2), 5.0, 7.0, 0, sequence=T2W)
    gap, highest, bandwidth = map(float, re.search(message, str(caught.value)).groups())
    assert gap == highest
    assert highest == pytest.approx(highest_field(np.eye(2), 7.0, sequence=T2W), rel=1e-3)
    assert accepts(highest, 7.0, {"sequence": T2W})
    assert accepts(5.0, 7.0, {"sequence": T2W, "bandwidth_ratio": bandwidth})
    assert not accepts(5.0, 7.0, {"sequence": T2W, "bandwidth_ratio": bandwidth * 0.998})


def test_an_interval_may_end_below():
    settings = {"sequence": T2W, "tissue": OWN}
    settings["averages"] = 1.2
    highest = highest_field(np.eye(2), 3.0, **settings)
    message = (
        r"between \S+ and 3 T .* is (\S+) T, and all down to (\S+) T can; at 2 T the narrowest"
    )
    with pytest.raises(ValueError, match=message) as caught:
        low_field(np.zeros((2, 2, 2), np.complex64), np.eye(2), 2.0, 3.0, 0, **settings)
    top, bottom = map(float, re.search(message, str(caught.value)).groups())
    assert top == pytest.approx(highest, rel=1e-3)
    assert all(accepts(field, 3.0, settings) for field in np.geomspace(bottom, top, 12))
    assert not accepts(bottom * 0.998, 3.0, settings)


def test_the_source_itself_may_be_the_end():
    settings = {"sequence": T2W, "tissue": OWN}
    assert highest_field(np.eye(2), 3.0, **settings) == 3.0
    message = r"taken away; the highest field that can be simulated is 3 T, and all down to "
    with pytest.raises(ValueError, match=message):
        low_field(np.zeros((2, 2, 2), np.complex64), np.eye(2), 2.0, 3.0, 0, **settings)


def test_a_source_that_stands_alone_is_no_field_that_can_be_reached():
    own = Tissue(t1=1.0, t2={0.5: 1.0, 3.0: 0.03})
    message = r"no field below 3 T can be simulated, down to 0\.5 T: .*wider bandwidth"
    with pytest.raises(ValueError, match=message):
        highest_field(np.eye(2), 3.0, sequence=T2W, tissue=own)
    with pytest.raises(ValueError, match=message):
        low_field(
            np.zeros((2, 2, 2), np.complex64), np.eye(2), 1.0, 3.0, 0, sequence=T2W, tissue=own
        )
    assert accepts(3.0, 3.0, {"sequence": T2W, "tissue": own})
