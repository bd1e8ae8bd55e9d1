"""The line masks of published training code, by their own rules."""

import math

import numpy as np

from kspace_denoise.sim.sampling.lines import draw_without_replacement, uniform_probability
from kspace_denoise.sim.sampling.plan import Mask, Plan

GSURE_CALIBRATION = 30


def gsure_calibration(size: tuple[int, ...], acceleration: float) -> int:
    """Return 30 lines, for any number of lines and any acceleration."""
    del size, acceleration
    return GSURE_CALIBRATION


def draw_floor(plan: Plan, generator: np.random.Generator) -> Mask:
    """Keep exactly `floor(N / R)` lines, the block among them."""
    return draw_without_replacement(plan, _floor(plan), generator)


def floor_probability(plan: Plan) -> Mask:
    """Return E[P] of `draw_floor`."""
    return uniform_probability(plan, _floor(plan))


def jalal_calibration(size: tuple[int, ...], acceleration: float) -> int:
    """Return floor(0.08 N) lines up to R = 6, floor(0.04 N) above."""
    percent = 8 if acceleration <= 6 else 4
    return percent * size[0] // 100


def draw_jalal(plan: Plan, generator: np.random.Generator) -> Mask:
    """Keep exactly `floor(N / R)` lines with the calibration that goes with R."""
    _check_jalal(plan)
    return draw_floor(plan, generator)


def jalal_probability(plan: Plan) -> Mask:
    """Return E[P] of `draw_jalal`."""
    _check_jalal(plan)
    return floor_probability(plan)


def draw_fastmri(plan: Plan, generator: np.random.Generator) -> Mask:
    """Keep each line outside the block with one probability, independently of the others."""
    return generator.random(plan.size) < fastmri_probability(plan)


def fastmri_probability(plan: Plan) -> Mask:
    """Return (N / R - block) / (N - block): N / R lines are kept on average."""
    return uniform_probability(plan, plan.samples / plan.acceleration)


def _floor(plan: Plan) -> int:
    return math.floor(plan.samples / plan.acceleration + 1e-9)


def _check_jalal(plan: Plan) -> None:
    rule = jalal_calibration(plan.size, plan.acceleration)
    if plan.calibration != rule:
        raise ValueError(
            f"calibration={plan.calibration}, but the masks of kind jalal have {rule} of "
            f"{plan.samples} lines at acceleration={plan.acceleration:g}; pass calibration=None, "
            "or use kind random"
        )
