"""What every kind of mask is drawn from: checked numbers, and the block in the centre."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np

Mask: TypeAlias = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Plan:
    """The numbers of one mask: `size` is `(lines,)` for kinds of lines, `(ky, kx)` for points."""

    size: tuple[int, ...]
    acceleration: float
    calibration: int

    @property
    def samples(self) -> int:
        """Number of lines or points at full sampling."""
        return math.prod(self.size)

    @property
    def total(self) -> int:
        """Number of lines or points to keep in all: samples / acceleration to the nearest."""
        return round(self.samples / self.acceleration)

    @property
    def in_block(self) -> int:
        """Number of lines or points of the calibration block."""
        return math.prod(self.calibration for _ in self.size)

    @property
    def noun(self) -> str:
        """What is counted."""
        return "lines" if len(self.size) == 1 else "samples"

    @property
    def block(self) -> tuple[slice, ...]:
        """The fully sampled centre; DC stands at `n // 2`."""
        starts = (n // 2 - self.calibration // 2 for n in self.size)
        return tuple(slice(start, start + self.calibration) for start in starts)

    def outer(self) -> Mask:
        """Return the flat indices outside the calibration block, in order."""
        outside = np.ones(self.size, dtype=bool)
        outside[self.block] = False
        return np.flatnonzero(outside)

    def left(self, total: float) -> int | float:
        """Return how many of `total` are left for the outside of the block, or refuse.

        Raises:
            ValueError: if nothing is kept at all, or the block alone is more than that.
        """
        if total < 1:
            raise ValueError(self._nothing())
        if self.in_block > total:
            block = "" if len(self.size) == 1 else f" is a block of {self.in_block} samples and"
            raise ValueError(
                f"calibration={self.calibration}{block} exceeds the {total:g} {self.noun} in all "
                f"that acceleration={self.acceleration:g} leaves of {self.samples}; lower one of "
                "the two"
            )
        return total - self.in_block

    def integer_acceleration(self) -> int:
        """Return the acceleration of a kind that needs an integer.

        Raises:
            ValueError: if it is none, or leaves nothing.
        """
        if self.acceleration != round(self.acceleration):
            raise ValueError(
                f"acceleration={self.acceleration:g} is not an integer, as equal spacing needs; "
                f"try {round(self.acceleration)}"
            )
        if self.acceleration > self.samples:
            raise ValueError(self._nothing())
        return round(self.acceleration)

    def _nothing(self) -> str:
        return f"acceleration={self.acceleration:g} leaves none of the {self.samples} {self.noun}"


class Family(NamedTuple):
    """One kind of mask: bool or E[P] of `plan.size`; the block is filled in by the caller.

    `calibration(shape, acceleration)` is the block that `None` stands for. `probability` is None
    where E[P] has no closed form.
    """

    help: str
    dimensions: int
    calibration: Callable[[tuple[int, ...], float], int]
    draw: Callable[[Plan, np.random.Generator], Mask]
    probability: Callable[[Plan], Mask] | None


def usual_calibration(size: tuple[int, ...], acceleration: float) -> int:
    """Return 8 % of the lines up to R = 6 and 4 % above, at most half of all that is kept.

    8 % at R = 4 and 4 % at R = 8 are the settings of the fastMRI challenge.
    """
    share = round((0.08 if acceleration <= 6 else 0.04) * min(size))
    half = math.prod(size) / acceleration / 2
    return min(share, math.floor(math.pow(half, 1 / len(size))))


def no_calibration(size: tuple[int, ...], acceleration: float) -> int:
    """Return 0: what is kept holds the centre by itself."""
    del size, acceleration
    return 0
