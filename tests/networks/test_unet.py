import dataclasses
import hashlib
import itertools

import pytest
import torch
import torch.nn.functional as F

from kspace_denoise.denoiser import FORMAT, build_network
from kspace_denoise.networks import Doorway, UNet, UNetConfig
from kspace_denoise.networks.layers import Depthwise, Pointwise, Upsample

SMALL = UNetConfig(base=8, multipliers=(1, 2), attention=(1,), heads=2)


def randomised(network: torch.nn.Module, seed: int = 0) -> torch.nn.Module:
    """Give every weight a random value: at the start the last layers are zero."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(0.2 * torch.randn(parameter.shape, generator=generator))
    return network.eval()


@pytest.mark.parametrize("shape", [(64, 64), (33, 47), (1, 5), (117, 128), (2, 2)])
def test_any_size_comes_back(shape):
    network = randomised(UNet(UNetConfig(base=8, multipliers=(1, 2, 2), attention=(2,))))
    x = torch.randn(3, 2, *shape, generator=torch.Generator().manual_seed(0))
    assert network(x, torch.tensor([0.1, 0.5, 2.0])).shape == x.shape


def test_an_untrained_network_shrinks_by_the_wiener_gain():
    network = build_network(SMALL, channels=2, seed=0)
    x = torch.randn(2, 9, 10, dtype=torch.complex64)
    level = torch.tensor([0.5, 1.0])
    torch.testing.assert_close(network(x, level), x / (1 + level[:, None, None] ** 2))


def test_the_smooth_phase_is_taken_off_and_put_back():
    """Whatever smooth phase image and contrasts have, the network sees the same."""
    generator = torch.Generator().manual_seed(0)
    network = randomised(build_network(dataclasses.replace(SMALL, contrasts=1), channels=2))
    x = 1 + 0.3 * torch.randn(2, 24, 20, dtype=torch.complex64, generator=generator)
    other = 1 + 0.3 * torch.randn(2, 1, 24, 20, dtype=torch.complex64, generator=generator)
    level, angle = torch.tensor([0.3, 0.4]), torch.tensor([0.7, -2.0])[:, None, None]
    turn = torch.polar(torch.ones_like(angle), angle)
    plain = network(x, level, other)
    turned = network(turn * x, level, turn[:, None].conj() * other)
    torch.testing.assert_close(turned, turn * plain, rtol=1e-4, atol=1e-4)
    kept = build_network(dataclasses.replace(SMALL, contrasts=1, phase_width=0), channels=2)
    kept.load_state_dict(network.state_dict())
    assert not torch.allclose(kept(turn * x, level, other), turn * kept(x, level, other), atol=0.1)
    with pytest.raises(ValueError, match="phase_width is -1, expected pixels, or 0 for none"):
        UNetConfig(phase_width=-1)


@pytest.mark.parametrize("dilation", [1, 2, 7])
@pytest.mark.parametrize("shape", [(12, 9), (5, 16)])
def test_depthwise_convolutions_are_those_of_pytorch(dilation, shape):
    generator = torch.Generator().manual_seed(dilation)
    layer = Depthwise(6, dilation).double()
    x = torch.randn(2, 6, *shape, dtype=torch.float64, generator=generator).requires_grad_()
    settings = {"padding": dilation, "dilation": dilation, "groups": 6}
    expected = F.conv2d(x, layer.weight, layer.bias, **settings)
    torch.testing.assert_close(layer(x), expected)
    other = torch.randn(expected.shape, dtype=torch.float64, generator=generator)
    slopes = [
        torch.autograd.grad((y * other).sum(), [x, layer.weight]) for y in (layer(x), expected)
    ]
    torch.testing.assert_close(*slopes)


def test_images_of_a_batch_do_not_see_each_other():
    network = randomised(build_network(SMALL, channels=2))
    x = torch.randn(4, 16, 16, dtype=torch.complex64, generator=torch.Generator().manual_seed(0))
    level = torch.tensor([0.1, 0.2, 0.4, 0.8])
    alone = torch.cat([network(x[i : i + 1], level[i : i + 1]) for i in range(4)])
    torch.testing.assert_close(network(x, level), alone, rtol=1e-4, atol=1e-5)


def test_the_noise_level_reaches_the_network_through_embedding_and_attention():
    network = randomised(UNet(SMALL))
    x = torch.randn(1, 2, 16, 16, generator=torch.Generator().manual_seed(0))
    outputs = [network(x, torch.tensor([level])) for level in (0.05, 0.1, 0.5, 5.0)]
    outputs = [output.detach() for output in outputs]
    for one, other in itertools.pairwise(outputs):
        assert float((one - other).abs().max()) > 1e-3 * float(one.abs().max())
    attention = network.middle[0].attention
    features = network.embedding(torch.tensor([0.1, 1.0]))
    tokens = torch.randn(2, 16, 4, 4, generator=torch.Generator().manual_seed(1))
    loss = attention(tokens, features).square().sum()
    (gradient,) = torch.autograd.grad(loss, attention.query_bias.weight)
    assert float(gradient.abs().max()) > 0


def test_weights_depend_on_the_seed_alone_and_leave_the_global_generator_alone():
    torch.random.manual_seed(5)
    before = torch.random.get_rng_state()
    one, other = build_network(SMALL, 2, seed=3), build_network(SMALL, 2, seed=3)
    assert torch.equal(before, torch.random.get_rng_state())
    different = build_network(SMALL, 2, seed=4).state_dict()
    for name, value in one.state_dict().items():
        assert torch.equal(value, other.state_dict()[name])
    assert any(not torch.equal(v, different[n]) for n, v in one.state_dict().items())


def test_kinds_of_images_are_not_confused():
    network = Doorway(UNet(UNetConfig(channels=1, base=8, multipliers=(1,), attention=())), 1)
    with pytest.raises(ValueError, match=r"got complex images.*works on magnitude images"):
        network(torch.zeros(1, 8, 8, dtype=torch.complex64), torch.ones(1))
    with pytest.raises(ValueError, match="base is 12, expected a multiple of 8"):
        UNetConfig(base=12)
    with pytest.raises(ValueError, match="levels 0 to 1"):
        UNetConfig(multipliers=(1, 2), attention=(2,))


@pytest.mark.parametrize("switch", [{"level_attention": False}, {"level_conditioning": False}])
def test_ablations_of_the_noise_level_hide_it(switch):
    config = dataclasses.replace(SMALL, **switch)
    network = randomised(UNet(config))
    x = torch.randn(2, 2, 16, 16, generator=torch.Generator().manual_seed(0))
    low, high = (network(x, torch.full((2,), level)).detach() for level in (0.1, 2.0))
    assert torch.equal(low, high) != config.level_conditioning
    names = dict(network.named_parameters())
    assert not any("query_bias" in name for name in names)
    assert any("project" in name for name in names) == config.level_conditioning


def test_a_direct_network_supplies_the_image_itself():
    x = torch.randn(2, 9, 10, dtype=torch.complex64)
    level = torch.tensor([0.5, 1.0])
    direct = dataclasses.replace(SMALL, direct=True, phase_width=0)
    assert not build_network(direct, channels=2)(x, level).any()  # the last layer starts at zero
    network = randomised(build_network(direct, channels=2))
    scale = (1 + level**2).sqrt()[:, None, None]
    seen = torch.view_as_real(x / scale).movedim(-1, 1)
    expected = network.network(seen, level).movedim(1, -1).contiguous()
    torch.testing.assert_close(network(x, level), torch.view_as_complex(expected))


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("shape", [(16, 16), (33, 47), (1, 5)])
def test_every_other_contrast_is_seen_through_an_encoder_of_its_own(channels, shape):
    generator = torch.Generator().manual_seed(0)
    dtype = torch.complex64 if channels == 2 else torch.float32
    config = dataclasses.replace(SMALL, contrasts=2)
    network = randomised(build_network(config, channels))
    x = torch.randn(3, *shape, dtype=dtype, generator=generator)
    others = torch.randn(3, 2, *shape, dtype=dtype, generator=generator)
    level, given = torch.tensor([0.1, 0.3, 1.0]), others.clone()
    clean = network(x, level, others).detach()
    assert clean.shape == x.shape
    assert clean.dtype == x.dtype
    assert torch.equal(others, given)
    for contrast in range(2):
        changed = others.clone()
        changed[:, contrast] *= 1.1
        assert float((network(x, level, changed).detach() - clean).abs().max()) > 1e-4
    assert float((network(x, level, others.flip(1)).detach() - clean).abs().max()) > 1e-4


def test_the_contrasts_of_one_image_stay_with_it():
    network = randomised(build_network(dataclasses.replace(SMALL, contrasts=2), channels=2))
    x, a, b = torch.randn(3, 4, 16, 16, dtype=torch.complex64).unbind(0)
    level, others = torch.tensor([0.1, 0.2, 0.4, 0.8]), torch.stack([a, b], dim=1)
    alone = torch.cat(
        [network(x[i : i + 1], level[i : i + 1], others[i : i + 1]) for i in range(4)]
    )
    torch.testing.assert_close(network(x, level, others), alone, rtol=1e-4, atol=1e-5)


def test_complex_contrasts_keep_real_and_imaginary_part_side_by_side():
    seen = {}
    config = dataclasses.replace(SMALL, contrasts=2, phase_width=0)
    network = build_network(config, channels=2)
    network.network.register_forward_pre_hook(lambda _, inputs: seen.update(condition=inputs[2]))
    others = torch.randn(1, 2, 8, 8, dtype=torch.complex64)
    network(torch.zeros(1, 8, 8, dtype=torch.complex64), torch.ones(1), others)
    a, b = others[0]
    assert torch.equal(seen["condition"][0], torch.stack([a.real, a.imag, b.real, b.imag]))


def test_the_number_of_contrasts_must_be_that_of_training():
    x, level = torch.zeros(1, 8, 8), torch.ones(1)
    alone = build_network(SMALL, channels=1)
    paired = build_network(dataclasses.replace(SMALL, contrasts=2), channels=1)
    with pytest.raises(ValueError, match="got 1 other contrasts, but this network was built for 0"):
        alone(x, level, x[:, None])
    with pytest.raises(ValueError, match="got 0 other contrasts, but this network was built for 2"):
        paired(x, level)
    with pytest.raises(ValueError, match="the image is magnitude and the other contrasts are comp"):
        paired(x, level, torch.zeros(1, 2, 8, 8, dtype=torch.complex64))
    with pytest.raises(ValueError, match="contrasts is -1, expected 0 or more"):
        UNetConfig(contrasts=-1)


def test_an_untrained_network_that_is_told_the_target_leaves_that_much_noise():
    config = dataclasses.replace(SMALL, target_level=True)
    network = build_network(config, channels=2)
    x = torch.randn(2, 9, 10, dtype=torch.complex64)
    level, target = torch.tensor([0.5, 1.0]), torch.tensor([0.3, 1.0])
    gain = (1 + target**2) / (1 + level**2)
    torch.testing.assert_close(network(x, level, None, target), gain[:, None, None] * x)
    network = randomised(network)
    torch.testing.assert_close(network(x, level, None, level), x)  # all noise left in: no change
    torch.testing.assert_close(network(x, level, None, 0 * level), network(x, level))
    assert float((network(x, level, None, target) - network(x, level)).detach().abs().max()) > 1e-3
    with pytest.raises(ValueError, match=r"set target_level = true in \[network\]"):
        build_network(SMALL, channels=2)(x, level, None, target)
    with pytest.raises(ValueError, match="level_conditioning=False hides the noise level"):
        UNetConfig(target_level=True, level_conditioning=False)


def test_upsampling_is_the_convolution_of_repeated_pixels():
    upsample = randomised(Upsample(16, 8))
    x = torch.randn(2, 16, 5, 7, generator=torch.Generator().manual_seed(1), requires_grad=True)
    inputs = [x, *upsample.parameters()]
    repeated = upsample.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))
    y = upsample(x, None)
    torch.testing.assert_close(y, repeated, rtol=1e-5, atol=1e-5)
    gradients = (torch.autograd.grad(z.square().sum(), inputs) for z in (y, repeated))
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_mixing_channels_is_a_convolution_of_one_pixel(layout):
    mix = randomised(Pointwise(24, 8, 1))
    x = torch.randn(2, 24, 5, 7, generator=torch.Generator().manual_seed(1))
    x = x.contiguous(memory_format=layout)
    torch.testing.assert_close(mix(x), F.conv2d(x, mix.weight, mix.bias), rtol=1e-5, atol=1e-5)
    assert mix(x).is_contiguous(memory_format=torch.channels_last)


def test_the_names_and_first_values_of_weights_stay_within_a_file_format():
    """Of the default network: 810514 weights in 214 tensors. A change here is a new FORMAT."""
    assert FORMAT == 2
    state = build_network(UNetConfig(), channels=2, seed=0).state_dict()
    listing = "\n".join(f"{name} {tuple(value.shape)}" for name, value in state.items())
    assert hashlib.sha256(listing.encode()).hexdigest()[:16] == "b0e210b3a1f09bb9"
    assert float(state["network.enter.weight"][0, 0, 0, 0]) == pytest.approx(0.17787808179855347)
