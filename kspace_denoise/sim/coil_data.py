"""Checks at the door for k-space and coil images, which simulation and reconstruction share."""

from kspace_denoise.arrays import Array, is_complex, namespace


def check_coil_data(x: Array, name: str) -> None:
    """Check for a finite complex array `(..., coils, y, x)`.

    Raises:
        TypeError: if the array is not complex.
        ValueError: if it has fewer than three axes, an axis without entries, or NaN or infinity.
    """
    if not is_complex(x):
        raise TypeError(f"{name} is {x.dtype}, expected complex64 or complex128 data")
    if x.ndim < 3 or 0 in x.shape:
        raise ValueError(
            f"{name} has shape {tuple(x.shape)}, expected (..., coils, y, x) without empty "
            "axes; a single coil needs its own axis of length 1"
        )
    check_finite(x, name)


def check_finite(x: Array, name: str) -> None:
    """Raise ValueError if the array holds NaN or infinity."""
    xp = namespace(x)
    finite = xp.isfinite(x)
    if not bool(xp.all(finite)):
        bad = int(xp.sum(xp.astype(~finite, xp.int64)))
        raise ValueError(f"{name} holds {bad} values that are NaN or infinite; remove them first")
