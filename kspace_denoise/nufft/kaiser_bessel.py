"""Transforms by torchkbnufft, on a CPU or GPU, with gradients."""

from typing import Any

import numpy as np
import torch

from kspace_denoise.optional import optional

_TABLE = 2**14  # entries per sample of the interpolation table, whose nearest entry is taken


class Interpolator:
    """Unscaled transforms at `radians` (2, points), of the precision and device of `like`."""

    def __init__(
        self, radians: np.ndarray[Any, Any], shape: tuple[int, int], like: torch.Tensor
    ) -> None:
        torchkbnufft = optional("torchkbnufft", "non-Cartesian trajectories need", "noncartesian")
        options = {
            "im_size": shape,
            "table_oversamp": _TABLE,
            "dtype": like.dtype,
            "device": like.device,
        }
        self._forward = torchkbnufft.KbNufft(**options)
        self._adjoint = torchkbnufft.KbNufftAdjoint(**options)
        self._radians = torch.from_numpy(radians).to(like.device, like.real.dtype)

    def __call__(self, stack: torch.Tensor, adjoint: bool) -> torch.Tensor:
        """Transform `(count, y, x)` to `(count, points)`, or with `adjoint` the other way."""
        operator = self._adjoint if adjoint else self._forward
        result: torch.Tensor = operator(stack[None], self._radians)
        return result[0]
