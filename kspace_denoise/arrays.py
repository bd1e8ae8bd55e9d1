"""Array kinds: one function serves numpy, torch and cupy arrays, and returns what it was given."""

from typing import Any, TypeAlias

import array_api_compat
import numpy as np

Array: TypeAlias = Any
"""A numpy, torch or cupy array; a function returns the kind, and the device, that it was given."""

DType: TypeAlias = Any
Namespace: TypeAlias = Any


def namespace(*arrays: Array) -> Namespace:
    """Return the array-API namespace that all the arrays share.

    Raises:
        TypeError: if the arrays are of different kinds, or no arrays at all.
    """
    try:
        namespace_of: Namespace = array_api_compat.array_namespace(*arrays)
    except TypeError as error:
        kinds = ", ".join(f"{type(x).__module__}.{type(x).__name__}" for x in arrays)
        raise TypeError(
            f"got {kinds}, expected arrays of one kind: all of numpy, of torch or of cupy"
        ) from error
    return namespace_of


def is_complex(x: Array) -> bool:
    """Tell whether the array is complex."""
    return bool(namespace(x).isdtype(x.dtype, "complex floating"))


def real_dtype(x: Array) -> DType:
    """Return the real floating dtype of the array's precision (complex64 -> float32)."""
    xp = namespace(x)
    return xp.float64 if x.dtype in (xp.complex128, xp.float64) else xp.float32


def complex_dtype(x: Array) -> DType:
    """Return the complex dtype of the array's precision (float32 -> complex64)."""
    xp = namespace(x)
    return xp.complex128 if x.dtype in (xp.complex128, xp.float64) else xp.complex64


def like(values: Array, reference: Array, dtype: DType = None) -> Array:
    """Return `values` as an array of the kind and on the device of `reference`.

    `dtype` defaults to the dtype that `values` has. Numpy arrays, torch tensors and anything that
    numpy understands are accepted beside arrays of the reference's own kind.
    """
    xp = namespace(reference)
    if array_api_compat.is_torch_array(values) and not array_api_compat.is_torch_array(reference):
        values = _from_torch(values, reference)
    if not array_api_compat.is_array_api_obj(values):
        values = np.asarray(values)
    if array_api_compat.is_numpy_array(values) and not array_api_compat.is_numpy_array(reference):
        # A copy: torch shares memory with numpy and warns on read-only buffers.
        values = xp.asarray(np.array(values), device=array_api_compat.device(reference))
    elif not array_api_compat.is_numpy_array(values):
        values = array_api_compat.to_device(values, array_api_compat.device(reference))
    return values if dtype is None else xp.astype(values, dtype, copy=False)


def to_torch(x: Array) -> Array:
    """Return the array as a torch tensor where it lives: the same memory wherever that is safe.

    Numpy arrays on read-only memory or with negative strides are copied. The tensor must be read
    only: it may share the caller's memory.
    """
    if array_api_compat.is_torch_array(x):
        return x
    import torch

    if array_api_compat.is_cupy_array(x):
        return torch.utils.dlpack.from_dlpack(x)
    values = to_numpy(x)
    usable = values.flags.writeable and all(stride >= 0 for stride in values.strides)
    return torch.from_numpy(values if usable else values.copy())


def _from_torch(values: Array, reference: Array) -> Array:
    if array_api_compat.is_cupy_array(reference) and values.is_cuda:
        return namespace(reference).from_dlpack(values)
    return to_numpy(values)


def to_numpy(x: Array) -> np.ndarray[Any, Any]:
    """Return the array as numpy on the host (no copy where it already is)."""
    if array_api_compat.is_torch_array(x):
        return np.asarray(x.detach().cpu().numpy())
    if array_api_compat.is_cupy_array(x):
        return np.asarray(x.get())
    return np.asarray(x)
