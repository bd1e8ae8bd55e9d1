"""Corruption2Self: how much noise is added in training, and what each amount weighs."""

import itertools

import pytest
import torch

from kspace_denoise.objectives import make_objective
from kspace_denoise.objectives.c2s import C2S
from kspace_denoise.objectives.c2s_forms import variance_exploding
from kspace_denoise.objectives.c2s_levels import largest_distance, typical_peak
from tests.objectives.c2s_cases import noisy_batch
from tests.objectives.toys import Gain

COUNT = 200_000


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def drawn(objective: C2S, sigma: float) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return σ_d, τ and the loss weight of many images."""
    levels = torch.full((COUNT,), sigma)
    tau = objective.draw_levels(levels, seeded())
    form = variance_exploding(levels, tau, torch.zeros_like(levels))
    return levels, tau, objective.weight(levels, tau, form)


def test_log_normal_levels_surround_sigma():
    _, tau, _ = drawn(C2S(spread=0.7), 0.2)
    logs = torch.log(tau / 0.2)
    assert abs(float(logs.mean())) < 4 * 0.7 / COUNT**0.5
    assert float(logs.std()) == pytest.approx(0.7, abs=4 * 0.7 / (2 * COUNT) ** 0.5)


@pytest.mark.parametrize("levels", ["log-normal", "uniform"])
def test_equalised_weights_give_every_draw_the_same_regression_noise(levels):
    for sigma in (0.05, 0.2):
        sigmas, tau, weight = drawn(C2S(levels=levels, maximum=2.0), sigma)
        # h enters D times λ_out, so the loss weighs the error of h by w λ_out².
        out = tau**2 / (tau**2 + sigmas**2)
        regression_noise = sigmas**2 * (tau**2 + sigmas**2) / tau**2
        weighted = weight * out**2 * regression_noise
        torch.testing.assert_close(weighted, torch.ones_like(tau), rtol=1e-4, atol=0)


@pytest.mark.parametrize("levels", ["log-normal", "uniform"])
def test_power_weights_follow_the_total_level(levels):
    _, tau, weight = drawn(C2S(levels=levels, weights="power", alpha=-1.5), 0.2)
    torch.testing.assert_close(weight, (tau**2 + 0.04) ** -1.5)
    assert torch.all(drawn(C2S(levels=levels, weights="power"), 0.2)[2] == 1)


def test_paper_mode_draws_uniform_levels_that_are_never_zero():
    image = torch.tensor([[0.0, 3.0], [0.0, 4.0]])  # root mean square 2.5
    objective = C2S.paper().fit([image])
    _, tau, weight = drawn(objective, 0.05)
    largest = 10 * 4 / 2.5  # 10 for images whose largest pixel is 1
    assert 0 < float(tau.min()) < 0.01
    assert 0.999 * largest < float(tau.max()) <= largest
    assert float(tau.mean()) == pytest.approx(largest / 2, abs=4 * largest / (12 * COUNT) ** 0.5)
    assert torch.all(weight == 1)


def test_without_reparameterisation_the_total_level_is_uniform():
    objective = C2S(levels="uniform", maximum=2.0, reparameterise=False)
    sigma, tau, _ = drawn(objective, 0.5)
    total = (tau.double() ** 2 + sigma**2).sqrt()
    assert float(tau.min()) > 0
    assert float(total.min()) == pytest.approx(0.5, abs=1e-3)
    assert float(total.max()) == pytest.approx(2.0, abs=1e-3)
    assert float(total.mean()) == pytest.approx(1.25, abs=4 * 1.5 / (12 * COUNT) ** 0.5)
    assert float(total.std()) == pytest.approx(1.5 / 12**0.5, rel=0.01)


def test_the_largest_level_counts_in_the_unit_that_is_named():
    sigma = torch.tensor([0.1, 0.3]).repeat(COUNT)
    tau = C2S(levels="uniform", maximum=5.0, unit="sigma").draw_levels(sigma, seeded())
    for index, level in enumerate((0.1, 0.3)):
        assert float(tau[index::2].max()) == pytest.approx(5 * level, rel=1e-3)


def noisy_images(scale: float = 30.0) -> list[torch.Tensor]:
    """Return complex images in SNR units: constants that differ in phase, and noise."""
    noise = torch.randn(3, 2, 64, 48, generator=seeded())
    clean = torch.tensor([1, 1j, -1]) * scale
    return [c + torch.complex(*n) for c, n in zip(clean, noise, strict=True)]


def test_the_largest_distance_is_that_of_the_images_without_their_noise():
    images = noisy_images()
    # In units of the root mean square, √(30² + 2), opposite images are 2 · 30 apart in each pixel.
    expected = 2 * 30 / (30**2 + 2) ** 0.5 * (64 * 48) ** 0.5
    assert largest_distance(images) == pytest.approx(expected, rel=0.005)
    assert largest_distance([*images, torch.ones(9, 9) + 0j]) == largest_distance(images)
    assert largest_distance([images[0], images[0]]) == 0  # less than their noise is no distance


def test_pure_noise_has_no_distance():
    noise = torch.randn(20, 40, 40, generator=seeded())
    # |a - b|² / N fluctuates by √(8 / N) around 2, in units of the variance.
    assert largest_distance(list(noise)) < (4.5 * 8**0.5 * 40) ** 0.5


def test_the_peak_is_the_paper_s_unit():
    image = torch.zeros(10, 10)
    image[2, 3] = 7.0
    image[5, 5] = 3.0
    assert typical_peak([image, 2 * image]) == pytest.approx(7 / (58 / 100) ** 0.5)


def test_fit_turns_units_of_the_data_into_that_of_the_batch():
    images = noisy_images()
    fitted = C2S(levels="uniform", maximum=0.5, unit="distance").fit(images)
    assert fitted.unit == "batch"
    assert fitted.maximum == pytest.approx(0.5 * largest_distance(images))
    fitted = C2S(levels="uniform", maximum=10, unit="peak").fit(images)
    assert fitted.maximum == pytest.approx(10 * typical_peak(images))
    for unchanged in (C2S(), C2S(levels="uniform", unit="sigma"), fitted):
        assert unchanged.fit(images) is unchanged


def test_levels_that_cannot_be_drawn_say_why():
    sigma = torch.tensor([0.1, 0.7])
    with pytest.raises(ValueError, match=r"call C2S.fit\(images\) first"):
        C2S.paper().draw_levels(sigma, seeded())
    with pytest.raises(ValueError, match=r"level 0.7 have no level between that.*0.5: raise max"):
        C2S(levels="uniform", reparameterise=False, maximum=0.5).draw_levels(sigma, seeded())
    with pytest.raises(ValueError, match="needs two of one shape, got 2"):
        largest_distance([torch.ones(3, 3), torch.ones(3, 4)])


@pytest.mark.parametrize(
    ("field", "choices"),
    [
        ("form", "'ve', 'vp'"),
        ("levels", "'log-normal', 'uniform'"),
        ("weights", "'equalised', 'power'"),
        ("unit", "'batch', 'sigma', 'peak', 'distance'"),
        ("refinement", "'none', 'paper', 'conditioned', 'fixed'"),
    ],
)
def test_unknown_choices_list_the_known_ones(field, choices):
    with pytest.raises(ValueError, match=f"{field} is 'gaussian', expected {choices}"):
        C2S(**{field: "gaussian"})


def test_bad_settings_say_what_is_expected():
    with pytest.raises(ValueError, match="expected positive numbers"):
        C2S(spread=0)
    with pytest.raises(ValueError, match=r"level_jitter is -0\.1, expected 0 or more"):
        C2S(level_jitter=-0.1)
    with pytest.raises(ValueError, match="share of the noise, 0 to 1"):
        C2S(refinement="fixed", target=2)
    with pytest.raises(ValueError, match="no meaning with refinement 'none': take 'fixed'"):
        C2S(target=0.5)
    with pytest.raises(ValueError, match="reparameterise = false needs levels 'uniform'"):
        C2S(reparameterise=False)
    with pytest.raises(ValueError, match="it has form, reparameterise, levels"):
        make_objective("c2s", steps=3)


def test_every_combination_of_levels_and_weights_has_a_finite_gradient():
    batch = noisy_batch(1.0, 0.2, (500, 6, 6), torch.complex64)
    for levels, weights, form in itertools.product(
        ("log-normal", "uniform"), ("equalised", "power"), ("ve", "vp")
    ):
        network = Gain(torch.nn.Parameter(torch.tensor(0.5)))
        C2S(levels=levels, weights=weights, form=form).loss(network, batch, seeded()).backward()
        assert torch.isfinite(network.gain.grad)
        assert network.gain.grad != 0
