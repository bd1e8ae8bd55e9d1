"""The check at the door for k-space and coil images."""

from kspace_denoise.arrays import Array, is_complex, namespace


def check_coil_data(x: Array, name: str) -> None:
    """Check for a finite complex array `(..., coils, y, x)` without empty axes.

    Raises:
        TypeError: if it is not complex.
        ValueError: if it has fewer than three axes, an empty axis, or NaN or infinity.
    """
    if not is_complex(x):
        raise TypeError(f"{name} has dtype {x.dtype}, expected complex64 or complex128")
    if x.ndim < 3 or 0 in x.shape:
        raise ValueError(
            f"{name} has shape {tuple(x.shape)}, expected (..., coils, y, x) without empty axes; "
            "give one coil an axis of length 1"
        )
    xp = namespace(x)
    if not bool(xp.all(xp.isfinite(x))):
        raise ValueError(f"{name} holds values that are NaN or infinite; remove them first")
