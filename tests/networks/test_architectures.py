"""The networks that are written from other papers, behind the interface of all."""

import pytest
import torch

import kspace_denoise as kd
from kspace_denoise import load
from kspace_denoise.denoiser import Denoiser, build_network
from kspace_denoise.networks import (
    ARCHITECTURES,
    NAFNetConfig,
    PlainUNetConfig,
    RestormerConfig,
    SwinIRConfig,
    build,
    differentiate_twice,
    network_config,
)
from kspace_denoise.networks.norms import ChannelNorm
from kspace_denoise.networks.swinir import displacements, images, shifted_masks, windows
from kspace_denoise.objectives import make_objective
from kspace_denoise.training.config import TrainConfig
from tests.networks.test_unet import randomised
from tests.training.scans import TINY, scan

OTHERS = ["plain-unet", "nafnet", "swinir", "restormer"]
PUBLISHED = {  # millions of weights: the papers' own numbers, methods.md 8 and fastMRI's
    "nafnet-32": (NAFNetConfig.published(32), 29.16),
    "nafnet-64": (NAFNetConfig.published(64), 115.98),
    "swinir": (SwinIRConfig.published(), 11.50),
    "restormer": (RestormerConfig.published(), 26.11),
    "plain-unet-32": (PlainUNetConfig.published(32), 7.76),
    "plain-unet-256": (PlainUNetConfig.published(256), 496.37),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_network_has_as_many_weights_as_published(name):
    config, millions = PUBLISHED[name]
    with torch.device("meta"):
        network = build(config)
    count = sum(weight.numel() for weight in network.parameters())
    assert round(count / 1e6, 2) == millions


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("shape", [(64, 64), (33, 47), (9, 5)])
def test_any_size_comes_back(name, shape):
    network = randomised(build(network_config({"architecture": name})))
    x = torch.randn(3, 2, *shape, generator=torch.Generator().manual_seed(0))
    y = network(x, torch.tensor([0.1, 0.5, 2.0]))
    assert y.shape == x.shape
    assert y.isfinite().all()


@pytest.mark.parametrize("name", OTHERS)
def test_an_untrained_network_shrinks_and_images_do_not_see_each_other(name):
    network = build_network(network_config({"architecture": name}), channels=2)
    x = torch.randn(2, 20, 24, dtype=torch.complex64, generator=torch.Generator().manual_seed(0))
    level = torch.tensor([0.5, 1.0])
    torch.testing.assert_close(network(x, level), x / (1 + level[:, None, None] ** 2))
    randomised(network)
    alone = network(x[:1], level[:1])
    torch.testing.assert_close(network(x, level)[:1], alone, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", OTHERS)
def test_level_contrasts_and_target_reach_the_network(name):
    settings = {"architecture": name, "contrasts": 1, "target_level": True, "phase_width": 0}
    network = randomised(build_network(network_config(settings), channels=1))
    generator = torch.Generator().manual_seed(0)
    x, other = torch.randn(2, 1, 96, 88, generator=generator)
    other, level, left = other[:, None], torch.tensor([0.5]), torch.tensor([0.2])

    def centre(*given: torch.Tensor) -> torch.Tensor:
        """Far from the borders, where zeros beside the image would tell."""
        return network.network(x[:, None], *given)[..., 40:50, 40:50].detach()

    seen = centre(level, other, left)
    for changed in ((4 * level, other, left), (level, 2 * other, left), (level, other, 4 * left)):
        assert float((centre(*changed) - seen).norm() / seen.norm()) > 0.03
    blind = network_config({"architecture": name, "level_conditioning": False, "channels": 1})
    body = randomised(build(blind))
    torch.testing.assert_close(body(x[:, None], level), body(x[:, None], 2 * level))


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_denoiser_comes_back_from_its_file_with_its_network(name, tmp_path):
    config = TrainConfig(network=network_config({"architecture": name}))
    network = randomised(build_network(config.network, channels=2))
    before = Denoiser(network, make_objective("c2s"), "c2s", None, config, {})
    before.save(tmp_path / "model")
    after = load(tmp_path / "model")
    assert after.config == config
    for weight, other in zip(before.network.parameters(), after.network.parameters(), strict=True):
        assert torch.equal(weight, other)


@pytest.mark.parametrize("name", OTHERS)
def test_a_residual_network_adds_to_the_image(name):
    x, level = torch.randn(1, 2, 16, 16), torch.ones(1)
    for residual in (True, False):
        network = build(network_config({"architecture": name, "residual": residual}))
        torch.testing.assert_close(network(x, level), x if residual else 0 * x)


@pytest.mark.parametrize("name", OTHERS)
def test_a_network_learns(name):
    """Forty steps lower the loss clearly; an untrained network is linear shrinkage."""
    config = TINY.replace(network=network_config({"architecture": name}), steps=40, patch=24)
    losses = [loss for _, loss in kd.train("c2s", scan(), config=config).record["losses"]]
    assert losses[-1] < 0.95 * losses[0]


def test_attention_is_the_same_fused_or_not():
    network = randomised(build(SwinIRConfig(width=16, layers=(2,), heads=2)))
    x, level = torch.randn(2, 2, 24, 16), torch.ones(2)
    fused = network(x, level)
    torch.testing.assert_close(differentiate_twice(network)(x, level), fused, rtol=1e-4, atol=1e-4)


def test_windows_are_put_together_as_they_were_cut():
    x = torch.randn(2, 16, 24, 3)
    cut = windows(x, 8)
    assert cut.shape == (2, 6, 64, 3)
    assert torch.equal(cut[0, 1].reshape(8, 8, 3), x[0, :8, 8:16])
    assert torch.equal(images(cut, x.shape, 8), x)


def test_every_displacement_has_a_number_of_its_own():
    index = displacements(4)
    places = [(y, x) for y in range(4) for x in range(4)]
    for i, (y, x) in enumerate(places):
        for j, (v, u) in enumerate(places):
            assert index[i, j] == (y - v + 3) * 7 + x - u + 3


def test_pixels_that_only_the_shift_has_brought_together_do_not_see_each_other():
    window, shape = 4, (8, 12)
    masks = shifted_masks(torch.Size(shape), window, torch.device("cpu"))
    y, x = torch.meshgrid(*(torch.arange(n) for n in shape), indexing="ij")
    places = torch.stack([y, x], dim=-1).roll((-2, -2), (0, 1))
    cut = windows(places[None], window)[0]
    apart = (cut[:, :, None] - cut[:, None]).abs().amax(-1)
    assert torch.equal(masks == 0, apart < window)
    assert bool((masks[masks != 0] == -100).all())


def test_a_channel_norm_leaves_pixels_alone():
    x = torch.randn(2, 6, 3, 4) * 3 + 1
    normed = ChannelNorm(6)(x)
    torch.testing.assert_close(normed.mean(1), torch.zeros(2, 3, 4), atol=1e-5, rtol=0)
    torch.testing.assert_close(
        normed.var(1, unbiased=False), torch.ones(2, 3, 4), atol=1e-4, rtol=0
    )
    kept = ChannelNorm(6, bias=False)(x)
    torch.testing.assert_close(kept - kept.mean(1, keepdim=True), normed, atol=1e-4, rtol=1e-4)
    assert float(kept.detach().mean(1).abs().mean()) > 0.1


def test_what_does_not_fit_is_refused():
    for settings, message in (
        ({"architecture": "resnet"}, "architecture is 'resnet', expected 'unet', 'plain-unet'"),
        ({"architecture": "nafnet", "base": 8}, "unknown setting base; NAFNetConfig has"),
        ({"architecture": "nafnet", "decoder": [1]}, "as many levels in both"),
        ({"architecture": "swinir", "width": 30}, "width 30 is not a multiple of the 4 heads"),
        ({"architecture": "swinir", "window": 7}, "window is 7, expected an even number"),
        ({"architecture": "restormer", "heads": [1, 1]}, "expected one each"),
        ({"architecture": "restormer", "heads": [1, 2, 5]}, "level 2 has 64 channels, which 5"),
        ({"architecture": "plain-unet", "levels": 1}, "levels is 1, expected 2 or more"),
        ({"architecture": "nafnet", "phase_width": -1}, "phase_width is -1"),
        ({"architecture": "nafnet", "contrasts": -1}, "contrasts is -1"),
    ):
        with pytest.raises(ValueError, match=message):
            network_config(settings)
    with pytest.raises(TypeError, match=r"width is 1\.5, expected a whole number"):
        network_config({"architecture": "nafnet", "width": 1.5})


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"architecture": "unet", "heads": 0}, "heads"),
        ({"architecture": "swinir", "heads": 0}, "heads"),
        ({"architecture": "swinir", "layers": []}, "layers"),
        ({"architecture": "swinir", "expansion": -1}, "expansion"),
        ({"architecture": "restormer", "width": 0}, "width"),
        ({"architecture": "restormer", "refinement": -3}, "refinement"),
        ({"architecture": "nafnet", "middle": -1}, "middle"),
    ],
)
def test_numbers_that_count_nothing_are_refused_by_name(settings, name):
    with pytest.raises(ValueError, match=f"{name} is .* expected ([01] or more|a pos)"):
        network_config(settings)


def test_a_whole_number_is_no_float():
    with pytest.raises(TypeError, match=r"width is 16\.0, expected a whole number"):
        network_config({"architecture": "nafnet", "width": 16.0})


@pytest.mark.parametrize("size", [(1, 1), (5, 3), (8, 8)])
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_tiny_images_go_through_in_training(name, size):
    network = build(network_config({"architecture": name})).train()
    x = torch.randn(1, 2, *size)
    assert network(x, torch.ones(1)).shape == x.shape
