"""The deep image prior: it stops at the noise, images come before noise, its network is known."""

import dataclasses

import numpy as np
import pytest
import torch

from kspace_denoise.classical import DeepImagePrior
from kspace_denoise.networks.hourglass import Hourglass
from tests.helpers import assert_same_kind, complex_array

SHAPE = (45, 48)
SHORT = DeepImagePrior(steps=5, strength=0.0, width=8, levels=2, inputs=4)


def head(snr: float = 10.0) -> np.ndarray:
    """Return a complex image of a brighter disc in a disc, with a smooth phase."""
    y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in SHAPE), indexing="ij")
    image = snr * ((np.hypot(y, x) < 0.8) + 0.5 * (np.hypot(y - 0.2, x) < 0.3))
    return (image * np.exp(1j * (0.5 + x - y))).astype(np.complex64)


def power(difference: np.ndarray) -> float:
    """Return the mean square of a real component."""
    return float(np.mean(np.abs(difference) ** 2)) / (1 + np.iscomplexobj(difference))


def test_the_network_of_the_paper_has_its_number_of_weights():
    paper = DeepImagePrior.paper()
    network = Hourglass(paper.inputs, 3, paper.width, paper.levels)
    assert sum(p.numel() for p in network.parameters()) == 2_217_831


@pytest.mark.parametrize("real", [False, True])
def test_it_stops_at_the_noise_which_is_then_mostly_gone(rng, real):
    truth, sigma = head(), 0.7
    noise = complex_array(rng, SHAPE)
    if real:
        truth, noise = np.abs(truth), noise.real
    noisy = sigma * (truth + noise)
    clean = DeepImagePrior()(noisy, sigma)
    left = power((noisy - clean) / sigma)
    assert 0.9 < left <= 1  # the first step at or below, and one step takes little
    assert power(clean / sigma - truth) < 0.5


def test_an_image_is_learnt_before_noise(rng):
    """The paper's figure 2: after the same steps most of an image is there, and little of noise."""
    method = dataclasses.replace(DeepImagePrior(strength=0.0, steps=20), phase_width=0.0)
    image, noise = np.abs(head()), rng.standard_normal(SHAPE)
    missing = [power(method(x, 1.0) - x) / power(x) for x in (image, noise)]
    assert missing[0] < 0.1
    assert missing[1] > 0.8


def test_what_is_asked_of_the_residual_is_its_strength(rng):
    noisy = head() + complex_array(rng, SHAPE)
    residuals = [
        power(noisy - DeepImagePrior(strength=strength)(noisy, 1.0)) for strength in (1.0, 1.3)
    ]
    assert residuals[0] <= 1
    assert 0.9 * 1.3**2 < residuals[1] <= 1.3**2


def test_the_kind_shape_and_precision_come_back_and_nothing_else_moves(kind, rng):
    image = (head() + complex_array(rng, (2, *SHAPE))).astype(np.complex128)
    before, state = image.copy(), torch.random.get_rng_state()
    clean = SHORT(kind(image), 0.5)
    assert_same_kind(clean, kind(image))
    assert tuple(clean.shape) == image.shape
    assert str(clean.dtype).endswith("complex128")
    assert np.array_equal(image, before)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_seed_and_unit(rng):
    noisy = head() + complex_array(rng, SHAPE)
    one = SHORT(noisy, 1.0)
    assert np.array_equal(one, SHORT(noisy, 1.0))
    assert not np.allclose(one, dataclasses.replace(SHORT, seed=1)(noisy, 1.0), rtol=0.01)
    np.testing.assert_allclose(SHORT(1000 * noisy, 1000.0), 1000 * one, rtol=1e-4, atol=1e-2)


def test_a_noise_map_is_followed_and_where_it_is_zero_so_is_the_result(rng):
    sigma = np.linspace(0.5, 2, SHAPE[1], dtype=np.float32) * np.ones((SHAPE[0], 1), np.float32)
    sigma[:5] = 0
    noisy = sigma * (head() + complex_array(rng, SHAPE))
    clean = DeepImagePrior()(noisy, sigma)
    assert not clean[:5].any()
    left = power(((noisy - clean) / np.where(sigma > 0, sigma, 1))[5:])
    assert 0.9 < left <= 1


def test_a_blank_image_stays_blank_and_steps_that_do_not_reach_the_noise_are_told_of(rng):
    assert not SHORT(np.zeros((8, 9), np.float32), 1.0).any()
    noisy = head() + complex_array(rng, SHAPE)
    with pytest.warns(UserWarning, match=r"after 5 steps the residual is still .* sigma"):
        dataclasses.replace(SHORT, strength=1.0)(noisy, 1.0)


@pytest.mark.parametrize("shape", [(4, 4), (5, 31), (64, 6)])
def test_small_and_odd_images_go_through(shape, rng):
    assert SHORT(complex_array(rng, shape), 1.0).shape == shape


def test_what_makes_no_sense_is_refused(rng):
    with pytest.raises(ValueError, match="expected 4 each way or more"):
        SHORT(complex_array(rng, (3, 20)), 1.0)
    for wrong in ({"strength": -1.0}, {"steps": 0}, {"memory": 1.0}, {"jitter": -0.1}):
        with pytest.raises(ValueError, match="expected"):
            DeepImagePrior(**wrong)


def test_blanked_pixels_do_not_count_as_noise_that_was_left(rng):
    noisy = head() + complex_array(rng, SHAPE)
    noisy[:, ::3] = 0
    with torch.no_grad():
        clean = DeepImagePrior()(noisy, 1.0)
    inside = np.asarray(noisy != 0)
    assert 0.9 < power((noisy - clean)[inside]) <= 1
