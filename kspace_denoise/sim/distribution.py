"""Numbers and arrays of any kind through double precision and back, for the noise distributions."""

from numbers import Real
from typing import Any

import array_api_compat
import numpy as np

from kspace_denoise.arrays import Array, like, real_dtype, to_numpy

Values = np.ndarray[Any, Any]


def double(x: float | Array) -> Values:
    """Return a number or an array of any kind as numpy in double precision.

    Raises:
        TypeError: if it is complex, or no number at all.
    """
    values = np.asarray(to_numpy(x) if array_api_compat.is_array_api_obj(x) else x)
    if values.dtype.kind == "c":
        raise TypeError(f"got {values.dtype} values, expected real ones; take the magnitude first")
    if values.dtype.kind not in "fiub":
        raise TypeError(f"got {x!r}, expected a real number or an array of them")
    return values.astype(np.float64)


def as_given(values: Array, *references: float | Array) -> float | Array:
    """Return values of the kind and precision of the first reference that is an array.

    Integers get single precision. Where no reference is an array, the result is numpy, or a number.
    """
    for reference in references:
        if array_api_compat.is_array_api_obj(reference):
            return like(values, reference, real_dtype(reference))
    return float(values) if values.ndim == 0 else values


def not_nan(x: float | Array, name: str) -> Values:
    """Return the values in double precision.

    Raises:
        ValueError: if one of them is NaN.
    """
    values = double(x)
    if np.any(np.isnan(values)):
        raise ValueError(f"{name} holds NaN, expected numbers; remove it first")
    return values


def finite(x: float | Array, name: str) -> Values:
    """Return the values in double precision.

    Raises:
        ValueError: if one of them is NaN or infinite.
    """
    values = double(x)
    if not np.all(np.isfinite(values)):
        raise ValueError(f"{name} holds values that are NaN or infinite; remove them first")
    return values


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


def positive_number(x: object, name: str) -> None:
    """Check for one number, where a map has no meaning.

    Raises:
        TypeError: if it is an array or no number.
        ValueError: if it is not above 0, NaN or infinite.
    """
    if not isinstance(x, Real):
        what = f"an array of shape {np.shape(x)}" if hasattr(x, "shape") else repr(x)
        raise TypeError(f"{name} is {what}, expected one number for the whole image")
    positive(float(x), name)


def span(x: Values) -> str:
    """Return the smallest and the largest value, or the only one, for an error message."""
    return f"{x.min():.3g}" if x.size == 1 else f"{x.min():.3g} to {x.max():.3g}"
