"""Restormer: a U-Net of transformers, attention between channels (Zamir et al., CVPR 2022)."""

import dataclasses
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kspace_denoise.networks.layers import Depthwise, Pointwise
from kspace_denoise.networks.norms import ChannelNorm
from kspace_denoise.networks.plain import PlainConfig, PlainNetwork


@dataclasses.dataclass(frozen=True)
class RestormerConfig(PlainConfig):
    """Shape of Restormer: `width` channels on the finest level, twice as many on each coarser one.

    `blocks` and `heads` of each level, `refinement` blocks at the end, `expansion` of the
    feed-forward networks. The defaults fit a CPU; `published` is the paper's for denoising.
    """

    architecture: ClassVar[str] = "restormer"

    width: int = 16
    blocks: tuple[int, ...] = (1, 1, 2)
    heads: tuple[int, ...] = (1, 2, 4)
    refinement: int = 1
    expansion: float = 2.66

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.blocks) != len(self.heads) or len(self.blocks) < 2:
            raise ValueError(
                f"blocks are {self.blocks} and heads {self.heads}: expected one each for two or "
                "more levels"
            )
        for level, heads in enumerate(self.heads):
            if self.width * 2**level % heads:
                raise ValueError(
                    f"level {level} has {self.width * 2**level} channels, which {heads} heads do "
                    "not divide"
                )

    @classmethod
    def published(cls, channels: int = 1) -> "RestormerConfig":
        """Return the network of the paper: 26.11 million weights for grey images."""
        return cls(
            channels=channels, level_conditioning=False, phase_width=0.0, direct=True,
            residual=True, width=48, blocks=(4, 6, 6, 8), heads=(1, 2, 4, 8), refinement=4,
        )  # fmt: skip


class Restormer(PlainNetwork):
    """Blocks on levels of half the resolution each; the finest decoder keeps both its halves."""

    config: RestormerConfig

    def __init__(self, config: RestormerConfig) -> None:
        super().__init__(config)
        levels = len(config.blocks)
        widths = [config.width * 2**level for level in range(levels)]
        self.multiple = 2 ** (levels - 1)
        self.enter = nn.Conv2d(config.inputs, widths[0], 3, padding=1, bias=False)
        self.encoders = nn.ModuleList(
            _blocks(config, width, level) for level, width in enumerate(widths)
        )
        self.downs = nn.ModuleList(_halved(width) for width in widths[:-1])
        self.ups, self.reduces, self.decoders = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        for level in reversed(range(levels - 1)):
            self.ups.append(_doubled(widths[level + 1]))
            both = 2 * widths[level]
            out = widths[level] if level else both
            reduce = Pointwise(both, out, 1, bias=False) if level else nn.Identity()
            self.reduces.append(reduce)
            self.decoders.append(_blocks(config, out, level))
        self.refinement = nn.Sequential(
            *(
                Block(2 * widths[0], config.heads[0], config.expansion)
                for _ in range(config.refinement)
            )
        )
        self.leave = self.last(2 * widths[0], bias=False)

    def body(self, x: Tensor) -> Tensor:
        """Go down, and up again."""
        h, skips = self.enter(x), []
        for blocks, down in zip(self.encoders, self.downs, strict=False):
            h = blocks(h)
            skips.append(h)
            h = down(h)
        h = self.encoders[-1](h)
        for up, reduce, blocks in zip(self.ups, self.reduces, self.decoders, strict=True):
            h = blocks(reduce(torch.cat([up(h), skips.pop()], dim=1)))
        y: Tensor = self.leave(self.refinement(h))
        return y


class Block(nn.Module):
    """Attention between channels, then a gated feed-forward network, both residual.

    Their convolutions see pixels `dilation` apart.
    """

    def __init__(self, width: int, heads: int, expansion: float, dilation: int = 1) -> None:
        super().__init__()
        self.norm1, self.norm2 = ChannelNorm(width, bias=False), ChannelNorm(width, bias=False)
        self.attention = ChannelAttention(width, heads, dilation)
        self.gated = Gated(width, expansion, dilation)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block to (batch, width, y, x)."""
        x = x + self.attention(self.norm1(x))
        y: Tensor = x + self.gated(self.norm2(x))
        return y


class ChannelAttention(nn.Module):
    """Self-attention whose tokens are channels: its cost grows with pixels, not with their square.

    Queries and keys have unit length over the pixels; `temperature` is learnt for each head.
    """

    def __init__(self, width: int, heads: int, dilation: int = 1) -> None:
        super().__init__()
        self.heads = heads
        self.temperature = nn.Parameter(torch.ones(heads, 1, 1))
        self.qkv = Pointwise(width, 3 * width, 1, bias=False)
        self.depthwise = Depthwise(3 * width, dilation, bias=False)
        self.out = Pointwise(width, width, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Apply attention to (batch, width, y, x)."""
        mixed = self.depthwise(self.qkv(x))
        query, key, value = (
            part.flatten(2).unflatten(1, (self.heads, -1)) for part in mixed.chunk(3, dim=1)
        )
        query, key = F.normalize(query, dim=-1), F.normalize(key, dim=-1)
        weights = (query @ key.mT * self.temperature).softmax(dim=-1)
        y: Tensor = self.out((weights @ value).flatten(1, 2).reshape(x.shape))
        return y


class Gated(nn.Module):
    """A feed-forward network with depthwise convolutions, one half of which gates the other."""

    def __init__(self, width: int, expansion: float, dilation: int = 1) -> None:
        super().__init__()
        hidden = int(width * expansion)
        self.widen = Pointwise(width, 2 * hidden, 1, bias=False)
        self.depthwise = Depthwise(2 * hidden, dilation, bias=False)
        self.out = Pointwise(hidden, width, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the network to (batch, width, y, x)."""
        gates, values = self.depthwise(self.widen(x)).chunk(2, dim=1)
        y: Tensor = self.out(F.gelu(gates) * values)
        return y


def _blocks(config: RestormerConfig, width: int, level: int) -> nn.Sequential:
    """Return the blocks of a level."""
    heads = config.heads[level]
    return nn.Sequential(
        *(Block(width, heads, config.expansion) for _ in range(config.blocks[level]))
    )


def _halved(width: int) -> nn.Sequential:
    """Half the resolution, twice the channels."""
    conv = nn.Conv2d(width, width // 2, 3, padding=1, bias=False)
    return nn.Sequential(conv, nn.PixelUnshuffle(2))


def _doubled(width: int) -> nn.Sequential:
    """Twice the resolution, half the channels."""
    conv = nn.Conv2d(width, 2 * width, 3, padding=1, bias=False)
    return nn.Sequential(conv, nn.PixelShuffle(2))
