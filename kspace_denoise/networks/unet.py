"""The DDPM U-Net with noise-level conditioning and noise-conditioned attention.

Ho, Jain, Abbeel, NeurIPS 2020 (the U-Net); Tu et al., Corruption2Self, ICLR 2025 (attention whose
projections see the noise level).
"""

import dataclasses

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kspace_denoise.networks.embedding import NoiseEmbedding


@dataclasses.dataclass(frozen=True)
class UNetConfig:
    """Shape of the U-Net.

    `base` channels times `multipliers`, one level each, halving the resolution between levels;
    `blocks` residual blocks per level; self-attention on the levels named in `attention`
    (0 is the finest).
    """

    channels: int = 2
    base: int = 16
    multipliers: tuple[int, ...] = (1, 2, 2, 4)
    blocks: int = 1
    attention: tuple[int, ...] = (3,)
    heads: int = 4

    def __post_init__(self) -> None:
        if self.base % 8 or self.base < 8:
            raise ValueError(f"base is {self.base}, expected a multiple of 8 (group normalisation)")
        if self.base % self.heads:
            raise ValueError(f"base {self.base} is not a multiple of the {self.heads} heads")
        if any(not 0 <= level < len(self.multipliers) for level in self.attention):
            raise ValueError(
                f"attention levels {self.attention} do not exist: "
                f"the network has levels 0 to {len(self.multipliers) - 1}"
            )


class UNet(nn.Module):
    """`network(x, noise_level) -> y` on real channels (batch, channels, y, x).

    Any size: reflected up to a multiple of the coarsest pixel, cropped on the way out.
    """

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        self.config = config
        widths = [config.base * m for m in config.multipliers]
        features = 4 * config.base
        self.embedding = NoiseEmbedding(features)
        self.enter = nn.Conv2d(config.channels, widths[0], 3, padding=1)
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        skips, width = [widths[0]], widths[0]
        for level, out in enumerate(widths):
            for _ in range(config.blocks):
                self.down.append(self._layer(width, out, features, level))
                width = out
                skips.append(width)
            if level < len(widths) - 1:
                self.down.append(Downsample(width))
                skips.append(width)
        self.middle = nn.ModuleList(
            [
                Layer(width, width, features, config.heads),
                Layer(width, width, features, 0),
            ]
        )
        for level, out in reversed(list(enumerate(widths))):
            for _ in range(config.blocks + 1):
                self.up.append(self._layer(width + skips.pop(), out, features, level))
                width = out
            if level:
                self.up.append(Upsample(width, widths[level - 1]))
                width = widths[level - 1]
        self.leave = nn.Sequential(
            nn.GroupNorm(8, width, eps=1e-6),
            nn.SiLU(),
            _zeroed(nn.Conv2d(width, config.channels, 3, padding=1)),
        )

    def _layer(self, width: int, out: int, features: int, level: int) -> "Layer":
        heads = self.config.heads if level in self.config.attention else 0
        return Layer(width, out, features, heads)

    def forward(self, x: Tensor, noise_level: Tensor) -> Tensor:
        """Map (batch, channels, y, x) at noise levels (batch,) to the same shape."""
        height, width = x.shape[-2:]
        x = _pad(x, 2 ** (len(self.config.multipliers) - 1))
        features = self.embedding(noise_level)
        x = self.enter(x.contiguous(memory_format=torch.channels_last))
        skips = [x]
        for module in self.down:
            x = module(x, features)
            skips.append(x)
        for module in self.middle:
            x = module(x, features)
        for module in self.up:
            skip = [skips.pop()] if isinstance(module, Layer) else []
            x = module(torch.cat([x, *skip], dim=1), features)
        y: Tensor = self.leave(x)
        return y[..., :height, :width]


class Layer(nn.Module):
    """One residual block, followed by self-attention where `heads` is not 0."""

    def __init__(self, width: int, out: int, features: int, heads: int) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(8, width, eps=1e-6)
        self.conv1 = nn.Conv2d(width, out, 3, padding=1)
        self.project = nn.Linear(features, 2 * out)
        self.norm2 = nn.GroupNorm(8, out, eps=1e-6)
        self.conv2 = nn.Conv2d(out, out, 3, padding=1)
        self.skip = nn.Conv2d(width, out, 1) if width != out else nn.Identity()
        self.attention = Attention(out, features, heads) if heads else None

    def forward(self, x: Tensor, features: Tensor) -> Tensor:
        """Apply the block to (batch, width, y, x) with level features (batch, features)."""
        h = self.conv1(F.silu(self.norm1(x)))
        scale, shift = self.project(features)[:, :, None, None].chunk(2, dim=1)
        h = self.conv2(F.silu(self.norm2(h) * (1 + scale) + shift))
        y: Tensor = self.skip(x) + h
        return y if self.attention is None else self.attention(y, features)


class Attention(nn.Module):
    """Self-attention over pixels whose queries are biased by the noise level (NVC-MSA).

    The paper adds such a bias to queries, keys and values. On keys it adds the same number to all
    logits of a query and cancels in the softmax; on values it adds a constant per channel, which
    the block's bias already does. Only the queries' bias acts, so only that is here.
    """

    def __init__(self, width: int, features: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.GroupNorm(8, width, eps=1e-6)
        self.qkv = nn.Linear(width, 3 * width)
        self.query_bias = nn.Linear(features, width)
        self.out = _zeroed(nn.Linear(width, width))

    def forward(self, x: Tensor, features: Tensor) -> Tensor:
        """Apply attention to (batch, width, y, x)."""
        batch, width, height, breadth = x.shape
        tokens = self.norm(x).flatten(2).transpose(1, 2)
        query, key, value = self.qkv(tokens).chunk(3, dim=2)
        query = query + self.query_bias(features)[:, None]
        per_head = [
            t.unflatten(2, (self.heads, width // self.heads)).transpose(1, 2)
            for t in (query, key, value)
        ]
        mixed = F.scaled_dot_product_attention(*per_head).transpose(1, 2).flatten(2)
        y: Tensor = x + self.out(mixed).transpose(1, 2).reshape(batch, width, height, breadth)
        return y


class Downsample(nn.Module):
    """Halve the resolution with a strided convolution."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, stride=2, padding=1)

    def forward(self, x: Tensor, _features: Tensor) -> Tensor:
        """Map (batch, width, y, x) to half the size."""
        y: Tensor = self.conv(x)
        return y


class Upsample(nn.Module):
    """Double the resolution: nearest neighbour, then a convolution to the width of that level."""

    def __init__(self, width: int, out: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, out, 3, padding=1)

    def forward(self, x: Tensor, _features: Tensor) -> Tensor:
        """Map (batch, width, y, x) to twice the size."""
        y: Tensor = self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))
        return y


def _zeroed(module: nn.Conv2d | nn.Linear) -> nn.Conv2d | nn.Linear:
    """Start a layer at zero, so that each block begins as the identity."""
    nn.init.zeros_(module.weight)
    if module.bias is not None:
        nn.init.zeros_(module.bias)
    return module


def _pad(x: Tensor, multiple: int) -> Tensor:
    """Reflect the lower and right borders up to a multiple; replicate where the image is tiny."""
    bottom, right = (-x.shape[-2]) % multiple, (-x.shape[-1]) % multiple
    if not (bottom or right):
        return x
    tiny = bottom >= x.shape[-2] or right >= x.shape[-1]
    return F.pad(x, (0, right, 0, bottom), mode="replicate" if tiny else "reflect")
