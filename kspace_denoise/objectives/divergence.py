"""Traces with the Jacobian of a denoiser, by one random probe (Hutchinson, 1990), gradient kept.

With left = L p and right = R p of one `rademacher_like` p, left · J right is tr(Lᴴ J R) in the
mean.
"""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

Derivative = Literal["difference", "exact"]

STEP = 0.003
"""Of a central difference, over the noise level: the compromise with rounding in float32."""


def rademacher_like(x: Tensor, generator: torch.Generator) -> Tensor:
    """Draw +1 or -1 for each real component of images (batch, y, x), complex or real.

    Of all probes whose components are independent this one has the least variance: the diagonal of
    the Jacobian, the largest part of a denoiser's, adds nothing to it.
    """
    shape = (*x.shape, 2) if x.is_complex() else x.shape
    signs = torch.randint(0, 2, shape, generator=generator, device=x.device)
    double = x.dtype in (torch.complex128, torch.float64)
    real = (2 * signs - 1).to(torch.float64 if double else torch.float32)
    return torch.view_as_complex(real) if x.is_complex() else real


def with_trace(
    function: Callable[[Tensor], Tensor],
    x: Tensor,
    left: Tensor,
    right: Tensor,
    level: Tensor,
    derivative: Derivative,
) -> tuple[Tensor, Tensor]:
    """Return f(x), and what sums up to left · J right for each image, J the Jacobian of f at x.

    Both with gradients to the weights of a network; images of a batch, `level` (batch,) the noise
    of each, do not mix. "exact" differentiates twice; "difference" takes the central difference of
    two calls, whose mean stands for f(x), in half the time.
    """
    with torch.autocast(x.device.type, enabled=False):  # bfloat16 drowns the divergence
        if derivative == "exact":
            return _twice(function, x, left, right)
        return _difference(function, x, left, right, level)


def _difference(
    function: Callable[[Tensor], Tensor], x: Tensor, left: Tensor, right: Tensor, level: Tensor
) -> tuple[Tensor, Tensor]:
    size = right.abs().square().mean(dim=(-2, -1), keepdim=True).sqrt()
    step = STEP * level[:, None, None] / size.clamp(min=torch.finfo(size.dtype).tiny)
    ahead, behind = function(x + step * right), function(x - step * right)
    return (ahead + behind) / 2, inner(left, (ahead - behind) / (2 * step))


def _twice(
    function: Callable[[Tensor], Tensor], x: Tensor, left: Tensor, right: Tensor
) -> tuple[Tensor, Tensor]:
    with torch.enable_grad():
        point = x.detach().requires_grad_()
        value = function(point)
        outcome = inner(left, value).sum()
        (pulled,) = torch.autograd.grad(outcome, point, create_graph=True)
    return value, inner(right, pulled)


def inner(a: Tensor, b: Tensor) -> Tensor:
    """Return a · b of each component, real: complex numbers are pairs of real ones."""
    return (a.conj() * b).real if a.is_complex() else a * b
