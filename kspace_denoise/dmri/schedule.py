"""How much signal is left at every step of a diffusion process, by the name of the schedule.

Xiang, Yurt, Syed, Setsompop, Chaudhari, DDM2, ICLR 2023: `rev_warmup70` keeps β at its smallest for
the first 30 % of the steps and lets it rise to its largest over the others; `warmup70` rises over
the first 70 % and stays there. What the paper calls them differs from what they are, so go by β.
"""

import functools
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

BETAS = (5e-5, 1e-2)
"""The smallest and the largest β of DDM2."""


def _reverse_warm_up(steps: int) -> np.ndarray:
    first, last = BETAS
    rise = int(0.7 * steps)
    return np.concatenate([np.full(steps - rise, first), np.linspace(first, last, rise)])


def _warm_up(steps: int) -> np.ndarray:
    first, last = BETAS
    rise = int(0.7 * steps)
    return np.concatenate([np.linspace(first, last, rise), np.full(steps - rise, last)])


SCHEDULES: dict[str, Callable[[int], np.ndarray]] = {
    "rev_warmup70": _reverse_warm_up,
    "warmup70": _warm_up,
}
"""β of steps 1 to T by name."""


@functools.cache
def signal_left(schedule: str, steps: int = 1000) -> Tensor:
    """Return a_t = √ᾱ_t for t = 0 (which is 1) to `steps`: float64 `(steps + 1,)`, falling.

    Raises:
        ValueError: if there is no such schedule.
    """
    if schedule not in SCHEDULES:
        raise ValueError(f"schedule is {schedule!r}, expected one of {', '.join(SCHEDULES)}")
    remaining = np.cumprod(1 - SCHEDULES[schedule](steps))
    return torch.from_numpy(np.concatenate([[1.0], np.sqrt(remaining)]))
