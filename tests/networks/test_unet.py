import itertools

import pytest
import torch

from kspace_denoise.denoiser import build_network
from kspace_denoise.networks import Doorway, UNet, UNetConfig

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
