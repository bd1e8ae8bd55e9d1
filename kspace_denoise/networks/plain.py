"""What networks without an embedding of the noise level share: channels, padding, the level.

The noise level, its share to leave in, and other contrasts come as further channels of the input.
"""

import abc
import dataclasses

import torch
from torch import Tensor, nn

from kspace_denoise.networks.common import CommonConfig
from kspace_denoise.networks.layers import pad, zeroed


@dataclasses.dataclass(frozen=True)
class PlainConfig(CommonConfig):
    """Settings of all, the noise level as a channel, and `residual`: the output is added.

    The channel holds a quarter of the level's logarithm. Published networks are not told the level,
    and most are residual; here the skip around the network does as much, with the right gain
    (`networks/doorway.py`).
    """

    residual: bool = False

    @property
    def inputs(self) -> int:
        """Channels of the input, all together."""
        images = self.channels * (1 + self.contrasts)
        return images + int(self.level_conditioning) + int(self.target_level)


class PlainNetwork(nn.Module, abc.ABC):
    """`network(x, noise_level, condition, target) -> y`, real channels (batch, channels, y, x).

    Any size: continued up to a multiple of `multiple` as `padding` says, cropped on the way out. A
    network derives from this, says in `body` what becomes of the padded channels, and ends with a
    layer `leave`, which starts at 0 unless the network is `direct`.
    """

    multiple = 1
    padding = "reflect"

    def __init__(self, config: PlainConfig) -> None:
        super().__init__()
        self.config = config

    def forward(
        self,
        x: Tensor,
        noise_level: Tensor,
        condition: Tensor | None = None,
        target: Tensor | None = None,
    ) -> Tensor:
        """Map (batch, channels, y, x) at noise levels (batch,) to the same shape.

        `condition` (batch, contrasts * channels, y, x); `target` (batch,) is the noise level to
        leave in, as a share of `noise_level`.
        """
        channels = [x] if condition is None else [x, condition]
        if self.config.level_conditioning:
            channels.append(_constant(noise_level.log() / 4, x))
        if self.config.target_level:
            share = torch.zeros_like(noise_level) if target is None else target
            channels.append(_constant(share**2, x))
        padded = pad(torch.cat(channels, dim=1), self.multiple, self.padding)
        y = self.body(padded.contiguous(memory_format=torch.channels_last))
        y = y[..., : x.shape[-2], : x.shape[-1]]
        return x + y if self.config.residual else y

    def last(self, width: int, kernel: int = 3, bias: bool = True) -> nn.Module:
        """Return the layer that leaves the network."""
        leave = nn.Conv2d(width, self.config.channels, kernel, padding=kernel // 2, bias=bias)
        return leave if self.config.direct else zeroed(leave)

    @abc.abstractmethod
    def body(self, x: Tensor) -> Tensor:
        """Map padded inputs to as many channels as an image has."""


def _constant(values: Tensor, like: Tensor) -> Tensor:
    """Return a channel (batch, 1, y, x) of one value for each image."""
    return values.to(like.dtype)[:, None, None, None].expand(-1, 1, *like.shape[-2:])


def check_halves(encoder: tuple[int, ...], decoder: tuple[int, ...]) -> None:
    """Refuse blocks of another number of levels on the way down than on the way up.

    Raises:
        ValueError: giving both.
    """
    if len(encoder) != len(decoder):
        raise ValueError(
            f"encoder is {encoder} and decoder {decoder}: expected as many levels in both"
        )
