"""NAFNet: a U-Net without activation functions (Chen et al., ECCV 2022)."""

import dataclasses
from typing import ClassVar

import torch
from torch import Tensor, nn

from kspace_denoise.networks.layers import Depthwise, Pointwise
from kspace_denoise.networks.norms import ChannelNorm
from kspace_denoise.networks.plain import PlainConfig, PlainNetwork, check_halves


@dataclasses.dataclass(frozen=True)
class NAFNetConfig(PlainConfig):
    """Shape of NAFNet: `width` channels on the finest level, twice as many on each coarser one.

    So many blocks on the levels of the encoder, between, and on those of the decoder, the coarsest
    first. The defaults fit a CPU; `published` is the paper's for denoising.
    """

    architecture: ClassVar[str] = "nafnet"

    width: int = 16
    encoder: tuple[int, ...] = (1, 1, 1)
    middle: int = 1
    decoder: tuple[int, ...] = (1, 1, 1)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_halves(self.encoder, self.decoder)

    @classmethod
    def published(cls, width: int = 32, channels: int = 3) -> "NAFNetConfig":
        """Return that of the paper: 29.16 million weights at width 32, 115.98 at 64."""
        return cls(
            channels=channels, level_conditioning=False, phase_width=0.0, direct=True,
            residual=True, width=width, encoder=(2, 2, 4, 8), middle=12, decoder=(2, 2, 2, 2),
        )  # fmt: skip


class NAFNet(PlainNetwork):
    """Blocks on levels of half the resolution each; sums, not concatenations, join the halves."""

    config: NAFNetConfig

    def __init__(self, config: NAFNetConfig) -> None:
        super().__init__(config)
        width = config.width
        self.multiple = 2 ** len(config.encoder)
        self.enter = nn.Conv2d(config.inputs, width, 3, padding=1)
        self.encoders, self.downs = nn.ModuleList(), nn.ModuleList()
        for count in config.encoder:
            self.encoders.append(_blocks(width, count))
            self.downs.append(nn.Conv2d(width, 2 * width, 2, stride=2))
            width *= 2
        self.middle = _blocks(width, config.middle)
        self.ups, self.decoders = nn.ModuleList(), nn.ModuleList()
        for count in config.decoder:
            up = nn.Sequential(Pointwise(width, 2 * width, 1, bias=False), nn.PixelShuffle(2))
            self.ups.append(up)
            width //= 2
            self.decoders.append(_blocks(width, count))
        self.leave = self.last(width)

    def body(self, x: Tensor) -> Tensor:
        """Go down, and up again."""
        h, skips = self.enter(x), []
        for blocks, down in zip(self.encoders, self.downs, strict=True):
            h = blocks(h)
            skips.append(h)
            h = down(h)
        h = self.middle(h)
        for up, blocks in zip(self.ups, self.decoders, strict=True):
            h = blocks(up(h) + skips.pop())
        y: Tensor = self.leave(h)
        return y


class Block(nn.Module):
    """Depthwise convolution, gate and channel attention; then a gated pointwise network.

    Both are added times a factor per channel that starts at 0, so that a block begins as the
    identity, or at `start`. The depthwise convolution sees pixels `dilation` apart. Without
    `attention` no sum over all pixels is taken.
    """

    def __init__(
        self, width: int, dilation: int = 1, start: float = 0.0, attention: bool = True
    ) -> None:
        super().__init__()
        self.norm1, self.norm2 = ChannelNorm(width), ChannelNorm(width)
        self.widen = Pointwise(width, 2 * width, 1)
        self.depthwise = Depthwise(2 * width, dilation)
        self.attention = nn.Conv2d(width, width, 1) if attention else None
        self.narrow = Pointwise(width, width, 1)
        self.mix_in, self.mix_out = Pointwise(width, 2 * width, 1), Pointwise(width, width, 1)
        self.beta = nn.Parameter(torch.full((1, width, 1, 1), start))
        self.gamma = nn.Parameter(torch.full((1, width, 1, 1), start))

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block to (batch, width, y, x)."""
        h = gate(self.depthwise(self.widen(self.norm1(x))))
        if self.attention is not None:
            h = h * self.attention(h.mean(dim=(-2, -1), keepdim=True))
        h = self.narrow(h)
        x = x + h * self.beta
        y: Tensor = x + self.mix_out(gate(self.mix_in(self.norm2(x)))) * self.gamma
        return y


def gate(x: Tensor) -> Tensor:
    """Return the product of both halves of the channels, the paper's only nonlinearity."""
    a, b = x.chunk(2, dim=1)
    return a * b


def _blocks(width: int, count: int) -> nn.Sequential:
    return nn.Sequential(*(Block(width) for _ in range(count)))
