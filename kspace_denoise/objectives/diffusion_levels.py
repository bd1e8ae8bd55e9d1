"""Which noise levels a diffusion denoiser is trained at, and what each weighs."""

import dataclasses
import functools
import math
from typing import ClassVar, Literal, get_args

import torch
from torch import Tensor

from kspace_denoise.recon.diffusion_levels import STEPS_OF_DDPM, ddpm_levels
from kspace_denoise.settings import check_choice

Schedule = Literal["ddpm", "log-normal"]
Weighting = Literal["equalised", "one"]

LAST_BETA = 0.02


@dataclasses.dataclass(frozen=True)
class EveryLevel:
    """Noise levels d of training, in units of the image's root mean square.

    `schedule="log-normal"` draws centre · exp(spread · N(0, 1)), anew where that is below
    `smallest`; "ddpm" draws the times of DDPM's linear schedule evenly, the first of which has the
    level `smallest` (Ho et al., NeurIPS 2020).

    `weighting="equalised"` lets the squared error of the clean image weigh (1 + d²) / d²: what the
    network supplies then has the same scale at all levels (Karras et al., NeurIPS 2022); "one" lets
    all weigh alike.
    """

    schedule: Schedule = "log-normal"
    weighting: Weighting = "equalised"
    smallest: float = 0.01
    centre: float = 0.5
    spread: float = 1.6

    every_level: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_choice("schedule", self.schedule, get_args(Schedule))
        check_choice("weighting", self.weighting, get_args(Weighting))
        if not (self.smallest > 0 and self.centre > 0 and self.spread > 0):
            raise ValueError(
                f"smallest is {self.smallest}, centre {self.centre} and spread {self.spread}, "
                "expected positive numbers"
            )

    def draw_levels(self, count: int, device: torch.device, generator: torch.Generator) -> Tensor:
        """Draw a noise level for each image, `(count,)`.

        Raises:
            ValueError: if DDPM's schedule cannot begin at `smallest`.
        """
        if self.schedule == "ddpm":
            times = torch.randint(0, STEPS_OF_DDPM, (count,), generator=generator, device=device)
            return ddpm_table(self.smallest).to(device)[times]
        # By quantiles of the normal law above the smallest: every draw takes one number.
        lowest = math.log(self.smallest / self.centre) / self.spread
        below = 0.5 * math.erfc(-lowest / math.sqrt(2))
        u = torch.rand(count, generator=generator, device=device, dtype=torch.float64)
        quantile = torch.special.ndtri(below + (1 - below) * u.clamp(1e-9, 1 - 1e-9))
        levels = self.centre * torch.exp(self.spread * quantile)
        return levels.clamp(min=self.smallest).float()

    def weight(self, level: Tensor) -> Tensor:
        """Return what the squared error of the clean image weighs at each level."""
        one = torch.ones_like(level)
        return one if self.weighting == "one" else (1 + level**2) / level**2


@functools.cache
def ddpm_table(smallest: float) -> Tensor:
    """Return the 1000 levels √((1 - ᾱ) / ᾱ) of DDPM's linear schedule, rising from `smallest`.

    The first β is that of `smallest`, smallest² / (1 + smallest²): a schedule for data whose own
    noise has that level.

    Raises:
        ValueError: if it would not rise from there.
    """
    beta_first = smallest**2 / (1 + smallest**2)
    if not 0 < beta_first < LAST_BETA:
        raise ValueError(
            f"the smallest noise level is {smallest:.3g} in units of the image: a schedule whose "
            f"last β is {LAST_BETA:g} cannot begin there; expected above 0 and below "
            f"{math.sqrt(LAST_BETA / (1 - LAST_BETA)):.3g}"
        )
    falling = ddpm_levels(STEPS_OF_DDPM, beta_first, LAST_BETA)
    return torch.tensor(falling[::-1], dtype=torch.float32)
