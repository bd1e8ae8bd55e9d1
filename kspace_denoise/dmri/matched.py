"""How noisy every slice of a shell is, and what it is a noisy state of."""

import torch
from torch import Tensor

from kspace_denoise.dmri.prepare import Prepared
from kspace_denoise.dmri.schedule import signal_left
from kspace_denoise.dmri.state import matched_state, residual_state
from kspace_denoise.objectives.ddm2 import DDM2


def states_of(prepared: Prepared, told: Tensor, method: DDM2) -> Tensor:
    """Return the state of every slice `(volumes, slices, 3)`, given what the noise model tells."""
    images = prepared.volumes.images
    flat, other = images.flatten(0, 1), told.flatten(0, 1)
    if method.matching == "schedule":
        state = matched_state(flat, other, signal_left(method.schedule))
    else:
        state = residual_state(flat, other)
    return state.stacked().view(*images.shape[:2], 3)


def levels_of(prepared: Prepared, states: Tensor, method: DDM2) -> Tensor:
    """Return the noise of every slice over its signal `(volumes, slices)`; 0 where blank."""
    signal, level, _ = states.unbind(-1)
    there = level > 0
    if method.matching == "noise" and prepared.level is not None:
        return torch.where(there, prepared.level, 0.0)
    return torch.where(there, level / torch.where(there, signal, 1), 0)
