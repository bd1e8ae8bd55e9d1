"""What a room may be told."""

import json
import math

import numpy as np
import pytest

from kspace_denoise.sim import Room


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"lines": (0.5,)}, "a line lies at 0.5 cycles per sample"),
        ({"line_share": 1.5}, "line_share is 1.5, expected at least 0 and at most 1"),
        ({"drift": -1.0}, "drift is -1.0, expected at least 0 and finite"),
        ({"wander": math.nan}, "wander is nan"),
        ({"ringing": 1e9}, r"ringing is 1000000000\.0, expected at least 0 and at most 100"),
        ({"detector_ringing": 101}, "detector_ringing is 101, expected at least 0 and at most 100"),
        ({"lines": np.array([0.1, 0.7])}, "a line lies at .*0.7.* cycles per sample"),
        ({"detectors": 0}, "detectors is 0, expected at least 1"),
        ({"broadband": 1.5}, "broadband is 1.5, expected a whole number"),
        ({"lines": ()}, "but there are no lines; pass line_share=0"),
        ({"broadband": 0}, "no broadband source to carry the rest; pass line_share=1"),
    ],
)
def test_impossible_rooms_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Room(**settings)


def test_lines_may_be_an_array():
    room = Room(lines=np.array([0.1, -0.2]), line_share=0.5)
    assert room == Room(lines=(0.1, -0.2), line_share=0.5)
    assert json.loads(json.dumps(room.record()))["lines"] == [0.1, -0.2]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"lines": 0.1}, r"lines is 0\.1, expected frequencies such as \(0\.1,\)"),
        ({"lines": ("a",)}, r"lines is \('a',\), expected frequencies"),
        ({"line_share": "x"}, "line_share is 'x', expected a number"),
    ],
)
def test_rooms_of_no_numbers_are_refused(settings, message):
    with pytest.raises(TypeError, match=message):
        Room(**settings)
