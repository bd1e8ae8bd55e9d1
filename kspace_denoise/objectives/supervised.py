"""Supervised training ("Noise2True"): the clean image is the target."""

import dataclasses
from typing import ClassVar

from kspace_denoise.objectives.objective import Pair
from kspace_denoise.objectives.regression import Regression


@dataclasses.dataclass(frozen=True)
class Supervised(Regression):
    """The smallest squared error against the clean image: f(y, σ) = E[x | y].

    What no method without clean images can beat, given the same network; beside them it is the
    ceiling, not a rival.
    """

    pair: ClassVar[Pair] = "clean"
