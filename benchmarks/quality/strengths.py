"""Comparators without training, each at the strength that scores best, in its favour."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from benchmarks.quality.registry import Row
from kspace_denoise.classical import CLASSICAL, Stabilised

AnyDenoiser: TypeAlias = Callable[..., Any]

LADDERS = {
    "nlm": np.geomspace(0.3, 2.0, 14),
    "wavelet": np.geomspace(0.3, 3.0, 13),
    "bm3d": np.geomspace(0.5, 2.0, 13),
}
"""Strengths that are tried, in units of the method's own; others are taken at their default."""
_MOST = 3  # ladders long: then the search ends, the best at an end or not


class Choice(NamedTuple):
    """A strength, its badness, and those of all that were tried."""

    strength: float
    badness: float
    tried: dict[float, float]

    @property
    def at_end(self) -> bool:
        """Whether no stronger, or no weaker, one was tried."""
        return self.strength in (min(self.tried), max(self.tried))


def classical(row: Row, strength: float | None = None) -> AnyDenoiser:
    """Return the denoiser of a row that needs no training, of some strength or its default.

    Raises:
        ValueError: listing what there is.
    """
    if row.method not in CLASSICAL:
        raise ValueError(
            f"there is no method {row.method!r} yet; there are: {', '.join(CLASSICAL)}"
        )
    make: Callable[..., AnyDenoiser] = CLASSICAL[row.method]
    denoiser = make() if strength is None else make(strength=strength)
    return Stabilised(denoiser) if row.vst else denoiser


def best_strength(row: Row, badness: Callable[[AnyDenoiser], float]) -> Choice:
    """Try a ladder of strengths, and more while the best one stands at an end of it."""
    ladder = [float(s) for s in LADDERS[row.method]]
    factor = ladder[1] / ladder[0]
    tried: dict[float, float] = {}
    wanted = ladder
    while True:
        for strength in wanted:
            tried[strength] = badness(classical(row, strength))
        best = min(tried, key=lambda s: tried[s])
        choice = Choice(best, tried[best], dict(sorted(tried.items())))
        if not choice.at_end or len(tried) >= _MOST * len(ladder):
            return choice
        wanted = [best / factor if best == min(tried) else best * factor]
