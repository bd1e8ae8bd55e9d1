"""Noise2Noise: another noisy repetition is the target (Lehtinen et al., ICML 2018)."""

import dataclasses
from typing import ClassVar

from kspace_denoise.objectives.objective import Pair
from kspace_denoise.objectives.regression import Regression


@dataclasses.dataclass(frozen=True)
class Noise2Noise(Regression):
    """The smallest squared error against a repetition with independent noise of mean zero.

    That noise cannot be predicted, so the minimiser is E[x | y] as if the target were clean, and
    the smallest loss is the error of that plus the variance of the target's noise. The object must
    not move between the two, and both must have one scale: where the target is b times as bright,
    so is the result. The noise of magnitudes has a mean, which stays in the result. The squared
    error is the paper's choice for Gaussian noise.
    """

    pair: ClassVar[Pair] = "repetition"
