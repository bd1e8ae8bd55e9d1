"""The blocks of the networks against the equations of their papers, written out pixel by pixel."""

import math

import torch
from torch import Tensor, nn

from kspace_denoise.networks import SwinIRConfig, nafnet, restormer, swinir
from tests.networks.test_unet import randomised


def drawn(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


def shuffled(module: nn.Module) -> nn.Module:
    """Return a module none of whose weights is what it began as."""
    return randomised(module).eval()


def convolved(x: Tensor, conv: nn.Conv2d) -> Tensor:
    """Return a convolution of one image (channels, y, x), by sums over shifts."""
    reach = conv.kernel_size[0] // 2
    padded = nn.functional.pad(x, (reach,) * 4)
    out = torch.zeros(conv.out_channels, *x.shape[1:])
    per_group = conv.in_channels // conv.groups
    for o in range(conv.out_channels):
        first = o // (conv.out_channels // conv.groups) * per_group
        for i in range(per_group):
            for dy in range(2 * reach + 1):
                for dx in range(2 * reach + 1):
                    seen = padded[first + i, dy : dy + x.shape[1], dx : dx + x.shape[2]]
                    out[o] += conv.weight[o, i, dy, dx] * seen
        if conv.bias is not None:
            out[o] += conv.bias[o]
    return out


def normalised(x: Tensor, norm: nn.Module) -> Tensor:
    """Return a layer norm over the channels of each pixel."""
    apart = x - (x.mean(0) if getattr(norm, "bias", None) is not None else 0)
    spread = (x.var(0, correction=0) + norm.eps).sqrt()
    scaled = apart / spread * norm.weight.view(-1, 1, 1)
    return scaled + (norm.bias.view(-1, 1, 1) if getattr(norm, "bias", None) is not None else 0)


@torch.no_grad()
def test_restormer_attends_between_channels_by_their_likeness():
    """Equation 1 of Restormer: V softmax(K Q / α), of unit vectors, in each head."""
    module = shuffled(restormer.ChannelAttention(width=4, heads=2))
    x = drawn(1, 4, 5, 3)
    mixed = convolved(convolved(x[0], module.qkv), module.depthwise)
    query, key, value = mixed[:4], mixed[4:8], mixed[8:]
    out = torch.zeros_like(value)
    for head in range(2):
        for c in (2 * head, 2 * head + 1):
            alike = []
            for d in (2 * head, 2 * head + 1):
                cosine = (query[c] * key[d]).sum() / (query[c].norm() * key[d].norm())
                alike.append(math.exp(float(cosine * module.temperature[head])))
            for d, weight in zip((2 * head, 2 * head + 1), alike, strict=True):
                out[c] += weight / sum(alike) * value[d]
    torch.testing.assert_close(module(x)[0], convolved(out, module.out), rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_restormer_gates_one_half_by_the_gelu_of_the_first():
    """Equation 2: φ(W₁ x) ⊙ W₂ x, φ being GELU."""
    module = shuffled(restormer.Gated(width=3, expansion=2.0))
    x = drawn(1, 3, 4, 5)
    both = convolved(convolved(x[0], module.widen), module.depthwise)
    first = both[:6] * 0.5 * (1 + torch.erf(both[:6] / 2**0.5))
    expected = convolved(first * both[6:], module.out)
    torch.testing.assert_close(module(x)[0], expected, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_a_nafnet_block_is_gates_and_channel_means():
    """Figure 2 of NAFNet: two residual halves, a product of channels for every nonlinearity."""
    module = shuffled(nafnet.Block(width=2))
    x = drawn(1, 2, 4, 3)[0]
    h = convolved(convolved(normalised(x, module.norm1), module.widen), module.depthwise)
    h = h[:2] * h[2:]
    means = h.mean((1, 2), keepdim=True)
    h = convolved(h * convolved(means, module.attention), module.narrow)
    first = x + h * module.beta[0]
    h = convolved(normalised(first, module.norm2), module.mix_in)
    second = first + convolved(h[:2] * h[2:], module.mix_out) * module.gamma[0]
    torch.testing.assert_close(module(x[None])[0], second, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_swinir_attends_in_windows_with_a_bias_for_each_displacement():
    """Softmax(Q Kᵀ / √d + B) V of every window, in each head."""
    config = SwinIRConfig(width=4, heads=2, window=2)
    module = shuffled(swinir.WindowAttention(config.width, config.heads, config.window))
    tokens = drawn(1, 3, 4, 4)
    places = [(0, 0), (0, 1), (1, 0), (1, 1)]
    for window in tokens[0]:
        query, key, value = (window @ module.qkv.weight.T + module.qkv.bias).chunk(3, dim=-1)
        out = torch.zeros(4, 4)
        for head in range(2):
            own = slice(2 * head, 2 * head + 2)
            for i, (y, x) in enumerate(places):
                scores = [
                    float(query[i, own] @ key[j, own]) / 2**0.5
                    + float(module.bias[(y - v + 1) * 3 + x - u + 1, head])
                    for j, (v, u) in enumerate(places)
                ]
                weights = [math.exp(score) for score in scores]
                for j, weight in enumerate(weights):
                    out[i, own] += weight / sum(weights) * value[j, own]
        expected = out @ module.out.weight.T + module.out.bias
        found = module(window[None, None], None)[0, 0]
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
