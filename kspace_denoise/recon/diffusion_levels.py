"""The noise levels through which a diffusion sampler goes down."""

import itertools
import math
from typing import Literal, get_args

from kspace_denoise.arrays import Array

STEPS_OF_DDPM = 1000
Schedule = Literal["geometric", "ddpm"]
_FIRST, _LAST = 3.0, 0.05


def relative_levels(steps: int, schedule: Schedule) -> list[float]:
    """Return the noise levels of a sampler over the root mean square of the image, falling.

    "geometric": from 3 to 0.05, each the same fraction of the one before. "ddpm": `ddpm_levels`, of
    which many are stronger than any image, or weaker than what a network still takes away.

    Raises:
        ValueError: if the schedule is neither, or there are too few or too many steps for it.
    """
    if schedule not in get_args(Schedule):
        raise ValueError(f"schedule is {schedule!r}, expected one of {get_args(Schedule)}")
    if schedule == "ddpm":
        return ddpm_levels(steps)
    if steps < 2:
        raise ValueError(f"steps is {steps}, expected at least 2")
    return falling_levels(_FIRST, _LAST, steps)


def falling_levels(first: float, last: float, count: int) -> list[float]:
    """Return `count` noise levels from `first` to `last`, each the same fraction of the one before.

    Raises:
        ValueError: if they would not fall, or there are fewer than 2.
    """
    if count < 2 or not 0 < last < first < math.inf:
        raise ValueError(
            f"{count} levels from {first:.3g} to {last:.3g}: expected at least 2, and positive "
            "levels that fall"
        )
    return [first * (last / first) ** (i / (count - 1)) for i in range(count)]


def ddpm_levels(
    steps: int, beta_first: float = 1e-4, beta_last: float = 2e-2, *, to_last: bool = False
) -> list[float]:
    """Return the noise levels of DDPM's linear schedule at `steps` of its 1000 times, falling.

    √((1 - ᾱ) / ᾱ) is the level of a state of DDPM that is divided by √ᾱ, where ᾱ is the product of
    the 1 - β so far and the images have a root mean square of 1 per component (Ho et al., NeurIPS
    2020). The times are the whole parts of 0, T / steps, 2 T / steps, …, those of DDRM where
    `steps` divides T = 1000; with `to_last` they are spread evenly from 0 to the last, T - 1, as a
    sampler that begins from noise alone needs the strongest there is.

    Raises:
        ValueError: if there are fewer than 1 or more than 1000 steps, or the betas do not rise
            between 0 and 1.
    """
    if not 1 <= steps <= STEPS_OF_DDPM:
        raise ValueError(f"steps is {steps}, expected 1 to {STEPS_OF_DDPM}")
    if not 0 < beta_first <= beta_last < 1:
        raise ValueError(
            f"beta_first is {beta_first} and beta_last {beta_last}, expected 0 < first ≤ last < 1"
        )
    kept, levels = 1.0, []
    for time in range(STEPS_OF_DDPM):
        share = time / (STEPS_OF_DDPM - 1)
        kept *= 1 - (beta_first + share * (beta_last - beta_first))
        levels.append(math.sqrt((1 - kept) / kept))
    if to_last:
        times = [round(i * (STEPS_OF_DDPM - 1) / max(1, steps - 1)) for i in range(steps)]
        times[-1] = STEPS_OF_DDPM - 1
    else:
        times = [i * STEPS_OF_DDPM // steps for i in range(steps)]
    return [levels[time] for time in reversed(times)]


def check_levels(levels: Array) -> list[float]:
    """Return noise levels as floats.

    Raises:
        ValueError: if there are none, or they are not positive, finite and falling.
    """
    values = [float(level) for level in levels]
    falling = all(a > b for a, b in itertools.pairwise(values))
    if not values or not falling or not 0 < values[-1] <= values[0] < math.inf:
        raise ValueError(
            f"levels are {values[:3]}…, expected noise levels that fall from the first to the last "
            "and stay above 0, in the unit of the image"
        )
    return values
