"""Checks at the door that the reconstruction functions share."""

from kspace_denoise.arrays import Array
from kspace_denoise.sim.coil_data import check_coil_data, check_finite

__all__ = ["check_finite", "check_iterative", "check_kspace"]


def check_kspace(kspace: Array, name: str = "kspace") -> None:
    """Check for a finite complex array `(..., coils, y, x)`, as `check_coil_data`."""
    check_coil_data(kspace, name)


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
