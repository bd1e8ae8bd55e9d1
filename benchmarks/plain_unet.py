"""The C2S U-Net and its training loop as a textbook writes them: the peer of `training_speed.py`.

Same layers, same sizes and same number of weights as `kspace_denoise.networks.UNet`; nothing is
done for speed: attention by its definition, an enlarged image convolved as it stands (8 % more
operations than ours: 1461 against 1352 MFLOP for 64 x 64 pixels, forward and backward), PyTorch's
default memory layout, float32, the batch in one piece, AdamW and the running mean of the weights
as they come.
"""

import copy
import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Block(nn.Module):
    def __init__(self, width: int, out: int, features: int) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(8, width)
        self.conv1 = nn.Conv2d(width, out, 3, padding=1)
        self.project = nn.Linear(features, 2 * out)
        self.norm2 = nn.GroupNorm(8, out)
        self.conv2 = nn.Conv2d(out, out, 3, padding=1)
        self.skip = nn.Conv2d(width, out, 1) if width != out else nn.Identity()

    def forward(self, x: Tensor, features: Tensor) -> Tensor:
        h = self.conv1(F.silu(self.norm1(x)))
        scale, shift = self.project(features)[:, :, None, None].chunk(2, dim=1)
        return self.skip(x) + self.conv2(F.silu(self.norm2(h) * (1 + scale) + shift))


class Attention(nn.Module):
    def __init__(self, width: int, features: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.GroupNorm(8, width)
        self.qkv = nn.Linear(width, 3 * width)
        self.query_bias = nn.Linear(features, width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor, features: Tensor) -> Tensor:
        n, c, h, w = x.shape
        q, k, v = self.qkv(self.norm(x).flatten(2).transpose(1, 2)).chunk(3, dim=2)
        q = q + self.query_bias(features)[:, None]
        q, k, v = (t.reshape(n, h * w, self.heads, -1).transpose(1, 2) for t in (q, k, v))
        weights = torch.softmax(q @ k.transpose(2, 3) / math.sqrt(q.shape[-1]), dim=-1)
        mixed = (weights @ v).transpose(1, 2).reshape(n, h * w, c)
        return x + self.out(mixed).transpose(1, 2).reshape(n, c, h, w)


class PlainUNet(nn.Module):
    """Four levels of one block each, attention on the coarsest, as our default."""

    def __init__(self, base: int, multipliers: tuple[int, ...], heads: int, channels: int) -> None:
        super().__init__()
        widths = [base * m for m in multipliers]
        self.base, features, last = base, 4 * base, widths[-1]
        self.embed = nn.Sequential(
            nn.Linear(features, features), nn.SiLU(), nn.Linear(features, features), nn.SiLU()
        )
        self.enter = nn.Conv2d(channels, widths[0], 3, padding=1)
        self.down, self.shrink = nn.ModuleList(), nn.ModuleList()
        skips, width = [widths[0]], widths[0]
        for level, out in enumerate(widths):
            self.down.append(Block(width, out, features))
            width = out
            skips.append(width)
            if level < len(widths) - 1:
                self.shrink.append(nn.Conv2d(width, width, 3, stride=2, padding=1))
                skips.append(width)
        self.attend = nn.ModuleList(Attention(last, features, heads) for _ in range(4))
        self.middle = nn.ModuleList([Block(last, last, features), Block(last, last, features)])
        self.up, self.grow = nn.ModuleList(), nn.ModuleList()
        for level, out in reversed(list(enumerate(widths))):
            for _ in range(2):
                self.up.append(Block(width + skips.pop(), out, features))
                width = out
            if level:
                self.grow.append(nn.Conv2d(width, widths[level - 1], 3, padding=1))
                width = widths[level - 1]
        self.leave = nn.Sequential(
            nn.GroupNorm(8, width), nn.SiLU(), nn.Conv2d(width, channels, 3, padding=1)
        )

    def forward(self, x: Tensor, level: Tensor) -> Tensor:
        half = 2 * self.base
        frequencies = torch.exp(-math.log(10_000) * torch.arange(half, device=x.device) / half)
        phase = 10 * torch.log(level)[:, None] * frequencies
        features = self.embed(torch.cat([phase.sin(), phase.cos()], dim=1))
        x = self.enter(x)
        skips = [x]
        for index, block in enumerate(self.down):
            x = block(x, features)
            if index == len(self.down) - 1:
                x = self.attend[0](x, features)
            skips.append(x)
            if index < len(self.shrink):
                x = self.shrink[index](x)
                skips.append(x)
        x = self.middle[1](self.attend[1](self.middle[0](x, features), features), features)
        for index, block in enumerate(self.up):
            x = block(torch.cat([x, skips.pop()], dim=1), features)
            if index < 2:
                x = self.attend[2 + index](x, features)
            if index % 2 and index // 2 < len(self.grow):
                x = self.grow[index // 2](F.interpolate(x, scale_factor=2.0))
        return self.leave(x)


class PlainLoop:
    """Corruption2Self on complex images, one batch at a time."""

    def __init__(self, network: PlainUNet, images: Tensor, sigma: float) -> None:
        self.network, self.images, self.sigma = network, images, sigma
        self.average = copy.deepcopy(network)
        self.optimiser = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=1e-4)

    def step(self, batch: int, patch: int) -> None:
        crops = []
        for _ in range(batch):
            image = self.images[torch.randint(len(self.images), ())]
            top, left = (int(torch.randint(n - patch + 1, ())) for n in image.shape)
            crops.append(image[top : top + patch, left : left + patch])
        noisy = torch.view_as_real(torch.stack(crops)).permute(0, 3, 1, 2)
        tau = self.sigma * torch.exp(torch.randn(batch, 1, 1, 1, device=noisy.device))
        noisier = noisy + tau * torch.randn_like(noisy)
        power = 1 + tau**2 + self.sigma**2
        level = (tau**2 + self.sigma**2).sqrt()
        missed = self.network(noisier / power.sqrt(), level.flatten())
        clean = noisier / power + missed * level / power.sqrt()
        share = tau**2 / level**2
        error = (share * clean + (1 - share) * noisier - noisy) ** 2
        loss = 0.5 * ((level / (tau * self.sigma)) ** 2 * error).mean()
        self.optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimiser.step()
        with torch.no_grad():
            for mean, value in zip(
                self.average.parameters(), self.network.parameters(), strict=True
            ):
                mean.mul_(0.999).add_(value, alpha=0.001)
