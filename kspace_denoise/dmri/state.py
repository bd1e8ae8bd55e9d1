"""What an image is a noisy state of: image = signal · expected + mean + level · noise.

Two ways to tell. `residual_state` takes what is left beside the noise model as it is: signal 1, and
the level that it has. `matched_state` is DDM2's: the step of a diffusion process whose noise level
is that of the image (`matching`), with signal √ᾱ_t: what is left then holds (1 - √ᾱ_t) of the image
too, and the state of the image is brighter than that of the process.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from kspace_denoise.dmri.matching import match


class State(NamedTuple):
    """Of images, each `(images,)`; of a blank one all are 0."""

    signal: Tensor
    level: Tensor
    mean: Tensor

    def stacked(self) -> Tensor:
        """Return them as one tensor `(images, 3)`."""
        return torch.stack([x.float() for x in self], dim=-1)

    @classmethod
    def of(cls, stacked: Tensor) -> "State":
        """Undo `stacked`, for images `(..., 3)`, with axes for y and x behind; of blank ones 1."""
        signal, level, mean = (x[..., None, None] for x in stacked.unbind(-1))
        there = level > 0
        return cls(torch.where(there, signal, 1), torch.where(there, level, 1), mean)


def residual_state(image: Tensor, expected: Tensor) -> State:
    """Return the state by the residual of images `(n, y, x)`; blank pixels do not count."""
    used = image != 0
    count = used.sum(dim=(-2, -1))
    left = torch.where(used, image - expected, 0).double()
    mean = left.sum(dim=(-2, -1)) / count.clamp(min=1)
    apart = torch.where(used, left - mean[:, None, None], 0)
    level = (apart.square().sum(dim=(-2, -1)) / count.clamp(min=1)).sqrt()
    return State((count > 0).double(), level, mean)


def matched_state(image: Tensor, expected: Tensor, signal_left: Tensor) -> State:
    """Return the state by the step of a diffusion process, see `match`."""
    found = match(image, expected, signal_left)
    level = torch.where(found.step > 0, (1 - found.signal**2).sqrt(), 0)
    signal = torch.where(found.step > 0, found.signal, 0)
    return State(signal, level, found.mean * level)
