"""The hourglass of the deep image prior: down and up again, with narrow skip connections.

Ulyanov, Vedaldi, Lempitsky, *Deep image prior*, CVPR 2018.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Hourglass(nn.Module):
    """`width` channels on each of `levels` resolutions below the image's, `skip` past each.

    From `(n, inputs, y, x)` to `(n, outputs, y, x)`, of any size. The paper's network for denoising
    has 128 channels on 5 levels and 4 that skip each.
    """

    def __init__(self, inputs: int, outputs: int, width: int, levels: int, skip: int = 4) -> None:
        super().__init__()
        self.scales = nn.ModuleList(
            _Scale(inputs if level == 0 else width, width, skip) for level in range(levels)
        )
        self.leave = nn.Conv2d(width, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Go down, and up again."""
        y: Tensor = self.leave(self._through(x, list(self.scales)))
        return y

    def _through(self, x: Tensor, scales: Sequence[nn.Module]) -> Tensor:
        if not scales:
            return x
        scale = scales[0]
        assert isinstance(scale, _Scale)
        below = self._through(scale.down(x), scales[1:])
        up = F.interpolate(below, x.shape[-2:], mode="bilinear", align_corners=False)
        y: Tensor = scale.up(torch.cat([scale.past(x), up], dim=1))
        return y


class _Scale(nn.Module):
    """The layers of one resolution: on the way down, past what is below, on the way up."""

    def __init__(self, inputs: int, width: int, skip: int) -> None:
        super().__init__()
        self.past = _layers(inputs, skip, 1)
        self.down = nn.Sequential(_layers(inputs, width, 3, 2), _layers(width, width, 3))
        self.up = nn.Sequential(
            nn.BatchNorm2d(width + skip), _layers(width + skip, width, 3), _layers(width, width, 1)
        )


def _layers(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Sequential:
    convolution = nn.Conv2d(
        inputs, outputs, kernel, stride, padding=kernel // 2, padding_mode="reflect"
    )
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.LeakyReLU(0.2))
