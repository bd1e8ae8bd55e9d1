"""Normalisation over the channels of each pixel."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ChannelNorm(nn.Module):
    """Layer normalisation of (batch, width, y, x) over the channels of each pixel.

    Without `bias` the mean is left in, as Restormer has it: only the spread is divided out.
    """

    def __init__(self, width: int, bias: bool = True, eps: float = 1e-6) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """Normalise every pixel."""
        last = x.movedim(1, -1)
        if self.bias is not None:
            normed = F.layer_norm(last, last.shape[-1:], self.weight, self.bias, self.eps)
        else:
            spread = last.var(dim=-1, keepdim=True, unbiased=False)
            normed = last * torch.rsqrt(spread + self.eps) * self.weight
        return normed.movedim(-1, 1)
