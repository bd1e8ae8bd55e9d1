"""The noise levels that DDM2 goes down."""

import torch
from torch import Tensor


def even_levels(first: Tensor, steps: int, last: float) -> Tensor:
    """Return levels `(n, steps)` from `first` `(n,)` to `last` of it, in even ratios."""
    exponents = (
        torch.linspace(0, 1, steps, device=first.device) if steps > 1 else first.new_zeros(1)
    )
    return first[:, None] * last**exponents


def schedule_levels(first: Tensor, signal_left: Tensor) -> Tensor:
    """Return levels `(n, steps)` of a diffusion process, from the step nearest `first` to 1.

    Those of images with less noise repeat their first until all have the same number left: a step
    between equal levels changes nothing.
    """
    a = signal_left.to(first.device)[1:]
    of_steps = ((1 - a**2).sqrt() / a).float()
    start = (of_steps[None] - first[:, None]).abs().argmin(dim=1)
    down = torch.arange(int(start.max()), -1, -1, device=first.device)
    return of_steps[torch.minimum(down[None], start[:, None])]
