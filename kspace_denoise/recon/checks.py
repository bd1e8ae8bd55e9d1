"""Checks at the door that the reconstruction functions share."""

from kspace_denoise.arrays import Array, is_complex, namespace


def check_kspace(kspace: Array, name: str = "kspace") -> None:
    """Check for a finite complex array `(..., coils, y, x)`.

    Raises:
        TypeError: if the array is not complex.
        ValueError: if it has fewer than three axes, an axis without entries, or NaN or infinity.
    """
    if not is_complex(kspace):
        raise TypeError(f"{name} is {kspace.dtype}, expected complex64 or complex128 data")
    if kspace.ndim < 3 or 0 in kspace.shape:
        raise ValueError(
            f"{name} has shape {tuple(kspace.shape)}, expected (..., coils, y, x) without empty "
            "axes; a single coil needs its own axis of length 1"
        )
    check_finite(kspace, name)


def check_finite(x: Array, name: str) -> None:
    """Raise ValueError if the array holds NaN or infinity."""
    xp = namespace(x)
    finite = xp.isfinite(x)
    if not bool(xp.all(finite)):
        bad = int(xp.sum(xp.astype(~finite, xp.int64)))
        raise ValueError(f"{name} holds {bad} values that are NaN or infinite; remove them first")


def check_iterative(replicas: int, regularisation: float, tolerance: float) -> None:
    """Check the ranges of what iterative reconstructions are given.

    Raises:
        ValueError: if one is out of its range.
    """
    sensible = 0 <= regularisation < float("inf") and 0 < tolerance < 1
    if replicas < 0 or replicas == 1 or not sensible:
        raise ValueError(
            f"replicas={replicas}, regularisation={regularisation}, tolerance={tolerance}: expected"
            " 0 or at least 2 replicas, a regularisation of at least 0, and a tolerance between 0 "
            "and 1"
        )
