import numpy as np
import pytest

from kspace_denoise.dmri.shells import neighbours, neighbours_in_order, shells


def test_volumes_are_grouped_as_a_scanner_measures_them():
    bval = np.array([0, 5, 995, 1005, 2000, 990, 2010, 0, 250])
    found = shells(bval)
    assert [shell.bval for shell in found] == [0, 250, 995, 2005]
    assert [shell.volumes.tolist() for shell in found] == [[0, 1, 7], [8], [2, 3, 5], [4, 6]]


def test_a_scan_without_b0_has_no_such_shell():
    assert [shell.bval for shell in shells(np.array([1000.0, 1000.0]))] == [1000]


@pytest.mark.parametrize("bval", [[-1.0, 0], [np.nan, 0], [[0.0, 1000.0]]])
def test_what_are_no_b_values_is_refused(bval):
    with pytest.raises(ValueError, match="one number of at least 0 for each volume"):
        shells(np.array(bval))


def test_the_nearest_directions_are_taken_whichever_way_they_point():
    bvec = np.array([[1.0, 0, 0], [0, 1, 0], [-0.995, 0.0999, 0], [0, 0, 1], [0.1, 0.995, 0]])
    assert neighbours(bvec, 1)[:, 0].tolist() == [2, 4, 0, 2, 1]
    for row, own in zip(neighbours(bvec, 4), range(5), strict=True):
        assert own not in row
        assert len(set(row.tolist())) == 4


def test_at_b0_the_nearest_in_time_are_taken():
    assert neighbours(np.zeros((5, 3)), 2).tolist() == [[1, 2], [0, 2], [1, 3], [2, 4], [3, 2]]


def test_in_order_as_ddm2_does():
    assert neighbours_in_order(5, 2).tolist() == [[4, 1], [0, 2], [1, 3], [2, 4], [3, 0]]
    assert neighbours_in_order(4, 1)[:, 0].tolist() == [3, 0, 1, 2]
    for row, own in zip(neighbours_in_order(5, 4), range(5), strict=True):
        assert sorted(row.tolist()) == [v for v in range(5) if v != own]


@pytest.mark.parametrize("count", [0, 5])
def test_too_few_volumes_are_refused(count):
    with pytest.raises(ValueError, match=r"which has 5: expected 1 to 4"):
        neighbours(np.zeros((5, 3)), count)
    with pytest.raises(ValueError, match=r"which has 5: expected 1 to 4"):
        neighbours_in_order(5, count)
