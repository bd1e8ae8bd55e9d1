"""Which step of a diffusion process a noisy image is: state matching.

Xiang et al., DDM2, ICLR 2023, section 3.2. The paper's text compares the noise with √β_t, its code
with √(1 - ᾱ_t), the level of the noise at step t: the text's rule fails for noise above 0.1.
"""

from typing import NamedTuple

import torch
from torch import Tensor


class Match(NamedTuple):
    """The state of images, each `(images,)`."""

    step: Tensor
    """t, from 1 on; 0 for a blank image, which has none."""
    signal: Tensor
    """a_t = √ᾱ_t."""
    mean: Tensor
    """Of the noise, in units of its level √(1 - ᾱ_t)."""


def match(image: Tensor, expected: Tensor, signal_left: Tensor) -> Match:
    """Return the first step t whose noise level is that of the residual, for images (n, y, x).

    The residual is image - a_t · expected, without its mean; from t = 0 on, the first step from
    which on the difference between its standard deviation and √(1 - ᾱ_t) grows is the match, but at
    least 1. Pixels that are 0 in the image are blank and do not count.

    Args:
        image: the noisy images.
        expected: what the noise model says of them, from other volumes.
        signal_left: a_t for t from 0, see `schedule`.
    """
    used = image != 0
    count = used.sum(dim=(-2, -1)).clamp(min=1)
    a = signal_left.to(image.device)

    def mean(values: Tensor) -> Tensor:
        return torch.where(used, values, 0).sum(dim=(-2, -1), dtype=torch.float64) / count

    # Mean and variance of image - a·expected are polynomials in a.
    first, second = mean(image), mean(expected)
    vx, vp = mean(image**2) - first**2, mean(expected**2) - second**2
    cov = mean(image * expected) - first * second
    variance = vx[:, None] - 2 * a * cov[:, None] + a**2 * vp[:, None]
    apart = (variance.clamp(min=0).sqrt() - (1 - a**2).sqrt()).abs()
    grows = apart[:, 1:] > apart[:, :-1]
    last = torch.full_like(count, len(a) - 1)
    step = torch.where(grows.any(dim=1), grows.to(torch.uint8).argmax(dim=1), last)
    blank = ~used.any(dim=(-2, -1))
    step = step.clamp(min=1).masked_fill(blank, 0)
    at = a[step]
    level = (1 - at**2).sqrt().clamp(min=1e-12)
    return Match(step, at, torch.where(blank, 0, (first - at * second) / level))
