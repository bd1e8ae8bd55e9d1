import dataclasses
import functools

import numpy as np
import pytest
import torch

import kspace_denoise
from kspace_denoise.classical import NonLocalMeans
from kspace_denoise.denoiser import Denoiser, build_network, load
from kspace_denoise.networks import UNetConfig
from kspace_denoise.objectives.c2s import C2S
from kspace_denoise.objectives.diffusion import Diffusion
from kspace_denoise.training.checkpoint import read_tensors, write_tensors
from kspace_denoise.training.config import TrainConfig
from kspace_denoise.training.trainer import Trainer
from kspace_denoise.units import expected_unit
from tests.helpers import assert_same_kind, complex_array
from tests.training.test_trainer import TINY, trainer

CONFIG = TrainConfig(network=UNetConfig(base=8, multipliers=(1,), attention=(), heads=2))


def denoiser(channels: int = 2, stage=None) -> Denoiser:
    return Denoiser(build_network(CONFIG.network, channels), C2S(), "c2s", stage, CONFIG, {"a": 1})


def test_the_kind_shape_and_precision_come_back(kind, rng):
    image = complex_array(rng, (2, 3, 9, 12))
    before = image.copy()
    clean = denoiser()(kind(image), 0.5)
    assert_same_kind(clean, kind(image))
    assert tuple(clean.shape) == image.shape
    assert str(clean.dtype).endswith("complex64")
    assert np.array_equal(image, before)


def test_scaling_image_and_sigma_scales_the_result(rng):
    image = 5 + complex_array(rng, (16, 15))
    f = trained()
    np.testing.assert_allclose(f(1e-5 * image, 1e-5), 1e-5 * f(image, 1.0), rtol=2e-3)


def trained() -> Denoiser:
    """Return a denoiser whose network does something, after a few steps."""
    return dataclasses.replace(_trained(), record={})


@functools.cache
def _trained() -> Denoiser:
    run: Trainer = trainer(TINY.replace(learning_rate=3e-3))
    run.network.load_state_dict(run.run())
    return Denoiser(run.network, C2S(), "c2s", "after-sense", TINY, {})


def test_a_sigma_map_is_divided_out_and_put_back(rng):
    f, image = trained(), 5 + complex_array(rng, (16, 15))
    sigma = np.linspace(0.5, 2, 15, dtype=np.float32) * np.ones((16, 1), np.float32)
    np.testing.assert_allclose(f(image * sigma, sigma), f(image, 1.0) * sigma, rtol=1e-4)
    sigma[3:5] = 0
    assert not f(image * sigma, sigma)[3:5].any()


def test_an_even_sigma_map_is_a_number(rng):
    f, image = trained(), 5 + complex_array(rng, (3, 16, 15))
    for sigma in (np.full((16, 15), 0.7), np.full((3, 1, 1), np.float32(0.7))):
        assert np.array_equal(f(image, sigma), f(image, 0.7))


def test_noise_that_varies_over_the_image_is_treated_as_where_it_is_even(rng):
    """A constant object in units of sigma: the error left is the same share of sigma everywhere."""
    f = Denoiser(Passage(), Smooth(), "c2s", None, CONFIG, {})
    sigma = np.where(np.arange(64) < 32, 1.0, 9.0).astype(np.float32)
    noise = complex_array(rng, (20, 64, 64))
    error = (f(sigma * (4 + noise), sigma) - 4 * sigma) / sigma
    left, right = (np.mean(np.abs(error[..., x]) ** 2) for x in (slice(3, 29), slice(35, 61)))
    assert left == pytest.approx(2 / 25, rel=0.1)  # of the mean over 5 x 5 pixels
    assert right == pytest.approx(left, rel=0.1)


class Passage(torch.nn.Module):
    """No network: what it stands beside does all the work."""

    channels = 2


class Smooth:
    """An objective whose answer is the mean over 5 x 5 pixels."""

    def denoise(self, _network, x, _sigma, _condition=None):
        return sum(torch.roll(x, (i, j), (-2, -1)) for i in range(-2, 3) for j in range(-2, 3)) / 25


class Joined:
    """An objective whose answer is the image with the last contrast added."""

    def denoise(self, _network, x, _sigma, condition):
        return x + condition[:, -1]


class Flat:
    """An objective whose answer is the mean of the image."""

    def denoise(self, _network, x, _sigma, _condition=None):
        return torch.zeros_like(x) + x.mean(dim=(-2, -1), keepdim=True)


def with_contrasts(count: int, objective=None, **settings) -> Denoiser:
    network = dataclasses.replace(CONFIG.network, contrasts=count)
    config = CONFIG.replace(network=network, **settings)
    module = build_network(network, 2)
    return Denoiser(module, objective or C2S(), "c2s", None, config, {})


def test_other_contrasts_follow_the_image_through_all_symmetries(kind, rng):
    f = with_contrasts(2, Joined())
    image = complex_array(rng, (3, 12, 15))
    image /= np.sqrt(np.mean(np.abs(image) ** 2, axis=(-2, -1), keepdims=True))
    condition = np.stack([1 + 0 * image, 40 * image], axis=-3)
    joined = f(kind(image), 1.0, kind(condition), 1.0)
    assert_same_kind(joined, kind(image))
    np.testing.assert_allclose(np.asarray(joined), 2 * image, rtol=1e-4, atol=1e-4)
    one = f(image[1], 1.0, condition=condition[1], condition_sigma=1.0)
    np.testing.assert_allclose(one, 2 * image[1], rtol=1e-4, atol=1e-4)
    many = np.concatenate([image] * 4)  # more than are denoised at once
    np.testing.assert_allclose(
        f(many, 1.0, np.concatenate([condition] * 4), 1.0), 2 * many, rtol=1e-4, atol=1e-4
    )


def test_the_noise_of_other_contrasts_is_a_number_one_each_or_a_map(rng):
    f = with_contrasts(2, Joined())
    image, condition = complex_array(rng, (2, 12, 15)), complex_array(rng, (2, 2, 12, 15))
    before = condition.copy()
    plain = f(image, 1.0, condition, 1.0)
    for even in (3.0, [0.5, 2.0], np.full((2, 2, 1, 1), 7.0)):
        sigma = np.asarray(even) if isinstance(even, list) else even
        np.testing.assert_allclose(f(image, 1.0, condition, sigma), plain, rtol=1e-4, atol=1e-4)
    varying = np.linspace(1, 2, 15, dtype=np.float32)
    uneven = f(image, 1.0, condition * varying, np.broadcast_to(varying, (12, 15)))
    np.testing.assert_allclose(uneven, plain, rtol=1e-4, atol=1e-4)
    assert np.array_equal(condition, before)


def test_contrasts_that_do_not_fit_are_refused(rng):
    image, condition = complex_array(rng, (2, 12, 15)), complex_array(rng, (2, 1, 12, 15))
    f = with_contrasts(1)
    assert f.needs_condition
    assert not denoiser().needs_condition
    with pytest.raises(ValueError, match=r"trained with 1 other contrasts .* and 0 were given"):
        f(image, 1.0)
    with pytest.raises(ValueError, match=r"trained with 1 other contrasts .* and 2 were given"):
        f(image, 1.0, np.repeat(condition, 2, axis=1))
    with pytest.raises(ValueError, match="uses no other contrasts, and 1 were given"):
        denoiser()(image, 1.0, condition)
    with pytest.raises(ValueError, match="come without their noise: give condition_sigma"):
        f(image, 1.0, condition)
    for bad in (condition[:1], condition[..., 1:], condition[:, 0]):
        with pytest.raises(ValueError, match="expected the same slices in other contrasts"):
            f(image, 1.0, bad)
    with pytest.raises(ValueError, match="one is complex and one magnitudes"):
        f(image, 1.0, np.abs(condition))
    with pytest.raises(ValueError, match="condition holds NaN"):
        f(image, 1.0, condition * np.nan)
    with pytest.raises(ValueError, match="of the other contrasts, sigma must be positive"):
        f(image, 1.0, condition, 0.0)
    with pytest.raises(ValueError, match="of the other contrasts, sigma has shape"):
        f(image, 1.0, condition, np.ones(3))


def magnitude_denoiser(contrasts: int = 0) -> Denoiser:
    f = with_contrasts(contrasts, Flat(), vst=True)
    f.network = build_network(f.config.network, 1)
    return f


@pytest.mark.parametrize("amplitude", [0.0, 0.5, 1.5, 6.0])
def test_stabilised_magnitudes_come_back_without_the_bias_of_the_magnitude(rng, amplitude):
    side, sigma = 300, 0.3
    noisy = np.abs(sigma * (amplitude + complex_array(rng, (side, side))))
    clean = magnitude_denoiser()(noisy, sigma)
    found, wanted = (
        expected_unit(np.float32([[a]]), sigma, vst=True).item()
        for a in (clean[0, 0], sigma * amplitude)
    )
    assert found == pytest.approx(wanted, abs=5 / side)  # z has a standard deviation of 1
    assert abs(clean[0, 0] - sigma * amplitude) < 0.7 * abs(noisy.mean() - sigma * amplitude)


def test_stabilised_magnitudes_may_have_a_map_of_sigma(rng):
    sigma = np.linspace(0.1, 3, 60, dtype=np.float32) * np.ones((200, 1), np.float32)
    sigma[:, :10] = 0
    noisy = np.abs(sigma * (5 + complex_array(rng, sigma.shape))).astype(np.float32)
    noisy[:, :10] = 77  # where sigma is 0 there is no image
    clean = magnitude_denoiser()(noisy, sigma)
    assert not clean[:, :10].any()
    assert clean.dtype == np.float32


def test_vst_refusals(rng):
    f, magnitude = magnitude_denoiser(), np.abs(complex_array(rng, (8, 8)))
    with pytest.raises(ValueError, match="vst is for magnitude images, and these are complex"):
        f(complex_array(rng, (8, 8)), 1.0)
    with pytest.raises(ValueError, match="negative values"):
        f(-magnitude, 1.0)


def test_images_are_denoised_one_by_one(rng):
    f = trained()
    stack = 5 + complex_array(rng, (11, 16, 15))
    np.testing.assert_allclose(f(stack, 1.0)[7], f(stack[7], 1.0), rtol=1e-4, atol=1e-4)


def test_magnitude_images_have_a_network_of_their_own(rng):
    magnitude = np.abs(5 + complex_array(rng, (16, 15)))
    assert denoiser(channels=1)(magnitude, 1.0).dtype == np.float32
    with pytest.raises(ValueError, match=r"got magnitude images.*complex images"):
        denoiser()(magnitude, 1.0)


def test_save_and_load_round_trip(tmp_path, rng):
    f = trained()
    f.save(tmp_path / "model.safetensors")
    again = load(tmp_path / "model.safetensors")
    image = 5 + complex_array(rng, (16, 15))
    assert np.array_equal(f(image, 1.0), again(image, 1.0))
    assert (again.method, again.stage, again.config) == ("c2s", "after-sense", TINY)
    assert again.record == {"version": kspace_denoise.__version__}
    f.record["version"] = "0.0.1"  # what trained it stays, whatever writes it again
    f.save(tmp_path / "model.safetensors")
    assert load(tmp_path / "model.safetensors").record["version"] == "0.0.1"


@pytest.mark.parametrize("sigma", [0, -1.0, np.nan, np.inf])
def test_sigma_must_be_positive(sigma):
    with pytest.raises(ValueError, match="sigma must be positive and finite"):
        denoiser()(np.ones((8, 8), np.complex64), sigma)


def test_refusals(tmp_path):
    with pytest.raises(ValueError, match=r"shape \(3,\), which does not fit"):
        denoiser()(np.ones((8, 8), np.complex64), np.ones(3))
    with pytest.raises(FileNotFoundError, match="does not exist"):
        load(tmp_path / "none")
    run = trainer(checkpoint=tmp_path / "run")
    run.save()
    with pytest.raises(ValueError, match="unfinished training run"):
        load(tmp_path / "run")
    denoiser().save(tmp_path / "new")
    tensors, record = read_tensors(tmp_path / "new")
    write_tensors(tmp_path / "old", tensors, {**record, "format": 1})
    with pytest.raises(ValueError, match="of format 1, and this version reads 2: train it again"):
        load(tmp_path / "old")


def test_nlm_is_called_like_a_trained_denoiser(kind, rng):
    clean = np.zeros((40, 40), np.complex64)
    clean[10:30, 10:30] = 10j
    noisy = clean + 2 * complex_array(rng, clean.shape)
    result = NonLocalMeans()(kind(noisy), 2.0)
    assert_same_kind(result, kind(noisy))
    error = np.mean(np.abs(np.asarray(result) - clean) ** 2)
    assert error < 0.3 * np.mean(np.abs(noisy - clean) ** 2)
    magnitude = NonLocalMeans()(np.abs(noisy), 2.0)
    assert magnitude.dtype == np.float32


def prior() -> Denoiser:
    network = build_network(CONFIG.network, 2)
    return Denoiser(network, Diffusion(), "diffusion", "after-sense", CONFIG, {})


def test_a_prior_works_in_the_unit_of_the_data_and_keeps_the_kind(kind, rng):
    image = complex_array(rng, (3, 2, 9, 12))
    clean = prior().prior(1.4)(kind(image), 0.5)
    assert_same_kind(clean, kind(image))
    assert tuple(clean.shape) == image.shape
    assert str(clean.dtype).endswith("complex64")
    many = prior().prior(1400.0)(1000 * image, 500.0)
    np.testing.assert_allclose(many, 1000 * np.asarray(clean), rtol=1e-4, atol=1e-2)


def test_below_its_smallest_level_a_prior_keeps_its_score(rng):
    """The step towards the clean image shrinks with the variance of the noise."""
    image = complex_array(rng, (9, 12))
    network = build_network(CONFIG.network, 2)
    network.network.leave[-1].weight.data.normal_(generator=torch.Generator().manual_seed(0))
    objective = Diffusion(smallest=0.2)
    found = Denoiser(network, objective, "diffusion", "after-sense", CONFIG, {}).prior(2.0)
    steps = [found(image, sigma) - image for sigma in (0.4, 0.2, 0.1)]
    assert np.abs(steps[0]).mean() > 1e-3
    np.testing.assert_allclose(steps[1], steps[0] / 4, atol=1e-5)
    np.testing.assert_allclose(steps[2], steps[0] / 16, atol=1e-5)


def test_a_prior_carries_gradients_to_those_who_ask(rng):
    image = torch.from_numpy(complex_array(rng, (9, 12)))
    assert not prior().prior(1.0)(image, 0.5).requires_grad
    image.requires_grad_()
    clean = prior().prior(1.0)(image, 0.5)
    (slope,) = torch.autograd.grad(clean.abs().square().sum(), image)
    assert slope.abs().max() > 0


@pytest.mark.parametrize("sigma", [0.02, 0.5, 20.0])
def test_half_precision_costs_a_prior_a_small_share_of_the_noise(rng, sigma):
    image = complex_array(rng, (2, 16, 16))
    taught = prior()
    taught.network.network.leave[-1].weight.data.normal_(generator=torch.Generator().manual_seed(0))
    exact, half = (taught.prior(1.0, bfloat16=on)(image, sigma) for on in (False, True))
    off = np.abs(half - exact).mean()
    assert 0 < off < 0.05 * np.abs(exact - image).mean()
    assert half.dtype == exact.dtype == np.complex64


def test_a_module_says_what_the_denoiser_says(rng):
    image = torch.from_numpy(5 + complex_array(rng, (2, 16, 15)))
    sigma = torch.linspace(0, 2, 15).expand(16, 15)
    module = trained().module()
    with torch.no_grad():
        torch.testing.assert_close(module(image, sigma), trained()(image, sigma))
        torch.testing.assert_close(module(image[0], 0.5), trained()(image[0], 0.5))


def test_a_module_carries_gradients_to_image_and_weights(rng):
    module = trained().module()
    image = torch.from_numpy(5 + complex_array(rng, (16, 15))).requires_grad_()
    direction = torch.from_numpy(complex_array(rng, (16, 15)))
    module(image, 0.5).abs().pow(2).sum().backward()
    along = (image.grad.conj() * direction).real.sum()
    with torch.no_grad():
        far = [module(image + s * 1e-2 * direction, 0.5).abs().pow(2).sum() for s in (1, -1)]
    torch.testing.assert_close(along, (far[0] - far[1]) / 2e-2, rtol=2e-2, atol=0.1)
    assert any(p.grad is not None and p.grad.abs().max() > 0 for p in module.parameters())


def test_denoisers_that_need_more_are_no_modules():
    with pytest.raises(ValueError, match="needs more than an image and its noise"):
        with_contrasts(1).module()


def test_only_denoisers_of_every_level_are_priors():
    with pytest.raises(ValueError, match="c2s was trained near that of its scans"):
        denoiser().prior(1.0)
