import numpy as np
import pytest
import torch

from kspace_denoise.arrays import like, namespace, to_numpy, to_torch
from tests.helpers import assert_same_kind, complex_array


def test_a_numpy_array_and_its_tensor_share_memory(rng):
    values = complex_array(rng, (3, 4))
    tensor = to_torch(values)
    assert tensor.data_ptr() == values.ctypes.data
    assert like(tensor, values).ctypes.data == values.ctypes.data


@pytest.mark.parametrize("spoil", ["read-only", "reversed"])
def test_memory_that_torch_cannot_share_is_copied(rng, spoil):
    values = complex_array(rng, (3, 4))
    if spoil == "read-only":
        values.flags.writeable = False
    else:
        values = values[::-1]
    np.testing.assert_array_equal(to_torch(values).numpy(), values)


def test_every_kind_goes_to_torch_and_back(kind, rng):
    values = complex_array(rng, (3, 4))
    given = kind(values)
    tensor = to_torch(given)
    assert isinstance(tensor, torch.Tensor)
    back = like(tensor, given)
    assert_same_kind(back, given)
    np.testing.assert_array_equal(to_numpy(back), values)


def test_a_tensor_stays_what_it_is():
    tensor = torch.ones(3)
    assert to_torch(tensor) is tensor


def test_kinds_that_differ_are_named():
    with pytest.raises(
        TypeError, match=r"got numpy\.ndarray, torch\.Tensor, expected arrays of one"
    ):
        namespace(np.ones(2), torch.ones(2))
