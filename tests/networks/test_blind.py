"""Networks that do not see a pixel and what is around it."""

import dataclasses

import pytest
import torch
from torch import Tensor, nn

from kspace_denoise.denoiser import build_network
from kspace_denoise.networks import (
    ARCHITECTURES,
    BlindConfig,
    HalfPlaneConfig,
    LGBPNConfig,
    NAFNetConfig,
    PUCAConfig,
    build,
    leak,
    network_config,
)
from kspace_denoise.networks.blind import Ring
from kspace_denoise.networks.puca import patch_shuffle, patch_unshuffle
from tests.networks.test_unet import randomised

STRICT = {"half-plane": HalfPlaneConfig, "puca": PUCAConfig}
LEAKING = {"puca": PUCAConfig(pooling=True), "lg-bpn": LGBPNConfig()}


def image(height: int = 37, width: int = 45, channels: int = 2) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    return torch.randn(1, channels, height, width, generator=generator, dtype=torch.float64)


def leak_of(config: BlindConfig, hole: int, count: int = 6) -> float:
    return leak_of_network(randomised(build(config)), config, hole, count)


def leak_of_network(network: nn.Module, config: BlindConfig, hole: int, count: int = 6) -> float:
    exact, level = network.double().eval(), torch.ones(1, dtype=torch.float64)
    return leak(lambda y: exact(y, level), image(channels=config.channels), hole, count)


@pytest.mark.parametrize("hole", [1, 3, 7])
@pytest.mark.parametrize("name", STRICT)
def test_a_strict_network_sees_nothing_in_its_hole_and_what_is_just_outside(name, hole):
    """Odd sizes, of which the borders have to be filled up, and both parts of complex images."""
    config = STRICT[name](hole=hole)
    assert leak_of(config, hole) == 0
    assert leak_of(config, hole + 2) > 1e-3


@pytest.mark.parametrize("hole", [1, 5, 9])
@pytest.mark.parametrize("name", LEAKING)
def test_sums_over_all_pixels_leak_a_little(name, hole):
    """The means of PUCA, the attention of LG-BPN: the papers' networks are not strictly blind.

    As they are before training, in an image of 1665 pixels.
    """
    config = dataclasses.replace(LEAKING[name], hole=hole)
    network = build_network(config, config.channels).network
    assert 1e-6 < leak_of_network(network, config, hole) < 3e-3
    assert leak_of_network(network, config, hole + 2) > 0.05


def test_a_network_that_sees_the_pixel_is_found_out():
    network = randomised(build(NAFNetConfig(direct=True))).double()
    level = torch.ones(1, dtype=torch.float64)
    assert leak(lambda y: network(y, level), image(), 1, 4) > 0.1
    with pytest.raises(ValueError, match="does not depend on the image"):
        leak(lambda y: 0 * y, image(), 1, 4)


@pytest.mark.parametrize("inner", [0, 1, 3])
@pytest.mark.parametrize(("more", "every"), [(1, 1), (2, 1), (6, 2)])
def test_steps_behind_a_ring_never_lead_into_the_hole(inner, more, every):
    """Every tap, moved by any multiple of the step."""
    ring = Ring(1, 1, inner, inner + more if every == 1 else 2 * inner + more, every)
    reach = ring.padding[0]
    away = torch.arange(-reach, reach + 1, every)
    rows, columns = torch.meshgrid(away, away, indexing="ij")
    seen = ring.frame.bool()
    moves = ring.step * torch.arange(-3, 4)
    y = (rows[seen][:, None, None] + moves[:, None]).abs()
    x = (columns[seen][:, None, None] + moves).abs()
    assert (torch.maximum(y, x) > inner).all()
    assert seen.any()


def test_patches_keep_their_places():
    x = torch.randn(2, 3, 24, 36, generator=torch.Generator().manual_seed(0))
    down = patch_unshuffle(x, 3)
    assert down.shape == (2, 12, 12, 18)
    assert torch.equal(patch_shuffle(down, 3), x)
    place = torch.arange(24)[:, None].expand(24, 36).float()[None, None]
    rows = patch_unshuffle(place, 3)
    own = torch.arange(12)[:, None]
    assert ((rows - own) % 3 == 0).all()  # a row of a patch is that row of the coarser ones


@pytest.mark.parametrize(
    "settings",
    [{"direct": False}, {"residual": True}, {"phase_width": 4.0}, {"hole": 2}, {"hole": 0}],
)
@pytest.mark.parametrize("name", ["half-plane", "puca", "lg-bpn"])
def test_what_would_bring_the_pixel_back_is_refused(name, settings):
    with pytest.raises(ValueError, match=r"hole is|brings the hidden pixel back"):
        network_config({"architecture": name, **settings})


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"architecture": "half-plane", "levels": 1}, "levels is 1"),
        ({"architecture": "puca", "decoder": [1]}, "as many levels in both"),
        ({"architecture": "lg-bpn", "heads": 5}, "a width that the heads divide"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(settings, said):
    with pytest.raises(ValueError, match=said):
        network_config(settings)


def test_published_networks_have_their_size():
    with torch.device("meta"):
        counts = [
            sum(w.numel() for w in build(c.published()).parameters()) for c in STRICT.values()
        ]
    laine, puca = (count / 1e6 for count in counts)
    assert 1.2 < laine < 1.4
    assert abs(puca / 12.78 - 1) < 0.04  # the authors' code, methods.md 7


@pytest.mark.parametrize(
    "name", [n for n, (c, _) in ARCHITECTURES.items() if issubclass(c, BlindConfig)]
)
@pytest.mark.parametrize("shape", [(64, 64), (33, 47), (9, 5)])
def test_any_size_comes_back(name, shape):
    network = build_network(network_config({"architecture": name}), channels=1)
    x = torch.randn(2, *shape, generator=torch.Generator().manual_seed(0))
    y = network(x, torch.tensor([0.1, 0.5]))
    assert y.shape == x.shape
    assert y.isfinite().all()
