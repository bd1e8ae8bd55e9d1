"""Numbers and arrays of any kind through double precision and back, for the noise distributions."""

from typing import Any

import array_api_compat
import numpy as np

from kspace_denoise.arrays import Array, like, real_dtype, to_numpy

Values = np.ndarray[Any, Any]


def double(x: float | Array) -> Values:
    """Return a number or an array of any kind as numpy in double precision.

    Raises:
        TypeError: if it is complex.
    """
    values = np.asarray(to_numpy(x) if array_api_compat.is_array_api_obj(x) else x)
    if values.dtype.kind == "c":
        raise TypeError(f"got {values.dtype} values, expected real ones; take the magnitude first")
    return values.astype(np.float64)


def as_given(values: Array, reference: float | Array) -> float | Array:
    """Return values of the kind and precision of the reference, or as numpy for a number."""
    if not array_api_compat.is_array_api_obj(reference):
        return float(values) if values.ndim == 0 else values
    return like(values, reference, real_dtype(reference))


def not_negative(x: float | Array, name: str) -> Values:
    """Return the values in double precision.

    Raises:
        ValueError: if one of them is negative, NaN or infinite.
    """
    values = double(x)
    if not (np.all(values >= 0) and np.all(np.isfinite(values))):
        raise ValueError(f"{name} is {span(values)}, expected finite values of at least 0")
    return values


def positive(x: float | Array, name: str) -> Values:
    """Return the values in double precision.

    Raises:
        ValueError: if one of them is not above 0, NaN or infinite.
    """
    values = double(x)
    if not (np.all(values > 0) and np.all(np.isfinite(values))):
        raise ValueError(f"{name} is {span(values)}, expected finite numbers above 0")
    return values


def span(x: Values) -> str:
    """Return the smallest and the largest value, for an error message."""
    return f"{x.min():.3g} to {x.max():.3g}"
