"""Gradients through a linear transform of numpy arrays."""

from collections.abc import Callable
from typing import Any

import torch

from kspace_denoise.arrays import to_numpy


def differentiable(
    transform: Callable[[Any, bool], Any], stack: torch.Tensor, adjoint: bool
) -> torch.Tensor:
    """Return `transform(stack, adjoint)`, whose gradient is the transform the other way."""
    result: torch.Tensor = _Linear.apply(stack, transform, adjoint)  # type: ignore[no-untyped-call]
    return result


class _Linear(torch.autograd.Function):
    """A linear map of torch tensors on the CPU by a function of numpy arrays."""

    @staticmethod
    def forward(
        ctx: Any,
        stack: torch.Tensor,
        transform: Callable[[Any, bool], Any],
        adjoint: bool,
    ) -> torch.Tensor:
        """Return `transform(stack, adjoint)`."""
        ctx.transform, ctx.adjoint = transform, adjoint
        given = to_numpy(stack.resolve_conj().contiguous())
        return torch.from_numpy(transform(given, adjoint))

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        """Return the adjoint of the map applied to the gradient."""
        return differentiable(ctx.transform, gradients[0], not ctx.adjoint), None, None
