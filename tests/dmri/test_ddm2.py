"""The equations of DDM2: states, shuffled noise, its loss, the noise model's."""

import pytest
import torch
from scipy.stats import kstest
from torch import Tensor

from kspace_denoise.dmri.schedule import signal_left
from kspace_denoise.dmri.state import State, matched_state, residual_state
from kspace_denoise.networks import UNetConfig, build
from kspace_denoise.networks.slab import Denoising, Mapping
from kspace_denoise.objectives.ddm2 import DDM2, shuffled
from kspace_denoise.objectives.noise_model import NoiseModel
from kspace_denoise.objectives.volume_batch import VolumeBatch

S, SIGMA = 0.8, 0.3


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def toy(volumes: int = 4096, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Return a signal that is white, and a noisy image of it, with a blank corner."""
    signal = S * normal(volumes, 1, 8, 8, seed=seed)
    signal[..., :3, :3] = 0
    noisy = signal + SIGMA * normal(volumes, 1, 8, 8, seed=seed + 1)
    return signal, torch.where(signal == 0, 0, noisy)


def test_the_residual_is_the_noise_where_the_noise_model_is_right() -> None:
    signal, noisy = toy(400)
    state = residual_state(noisy[:, 0], signal[:, 0])
    power = float((state.level**2 + state.mean**2).mean())
    samples = 400 * 55
    assert abs(power / SIGMA**2 - 1) < 4 * (2 / samples) ** 0.5


def test_blank_images_have_no_level() -> None:
    blank = torch.zeros(1, 8, 8)
    assert residual_state(blank, blank).level == 0
    signal, level, _ = State.of(residual_state(blank, blank).stacked())
    assert signal == 1
    assert level == 1  # so that nothing is divided by 0


def test_shuffled_noise_keeps_its_values_and_loses_its_place() -> None:
    size = 64
    noise = normal(1, 1, size + 1, size, seed=2)
    coloured = (noise[..., :-1, :] + noise[..., 1:, :]) / 2**0.5
    used = torch.ones_like(coloured, dtype=torch.bool)
    used[..., :5, :7] = False
    coloured = torch.where(used, coloured, 0)
    moved = shuffled(coloured, used, torch.Generator().manual_seed(3))
    assert (moved[~used] == 0).all()
    torch.testing.assert_close(moved[used].sort().values, coloured[used].sort().values)

    def neighbour(image: Tensor) -> float:
        pair = image[..., 8:-1, :].flatten(), image[..., 9:, :].flatten()
        return float(torch.corrcoef(torch.stack(pair))[0, 1])

    bound = 3 / (size * (size - 9)) ** 0.5
    assert neighbour(coloured) > 0.4
    assert abs(neighbour(moved)) < bound


def test_every_image_is_shuffled_in_its_own_way() -> None:
    noise = normal(1, 1, 16, 16).expand(4, 2, 16, 16)
    moved = shuffled(noise, torch.ones_like(noise, dtype=torch.bool), torch.Generator())
    flat = moved.flatten(0, 1)
    assert len({tuple(image.flatten().tolist()) for image in flat}) == 8


class Linear(torch.nn.Module):
    """The image times a number, which keeps what it was given."""

    def __init__(self, gain: float) -> None:
        super().__init__()
        self.gain, self.seen = gain, torch.empty(0)

    def forward(self, x: Tensor, *_level: Tensor) -> Tensor:
        self.seen = x
        return self.gain * x


def best_gain(losses: list[float], gains: list[float]) -> float:
    """Return where the parabola through three losses is lowest."""
    (a, b, c), (x, y, z) = losses, gains
    above = (y - x) ** 2 * (b - c) - (y - z) ** 2 * (b - a)
    return y - 0.5 * above / ((y - x) * (b - c) - (y - z) * (b - a))


def batch_of(signal: Tensor, noisy: Tensor) -> VolumeBatch:
    state = residual_state(noisy[:, 0], signal[:, 0]).stacked()[:, None]
    return VolumeBatch(noisy, noisy[:, None], signal, state)


@pytest.mark.parametrize("noise", ["shuffled", "gaussian"])
@pytest.mark.parametrize("level", [0.2, 0.9])
def test_the_best_linear_denoiser_shrinks_by_the_level_it_is_told(noise: str, level: float) -> None:
    signal, noisy = toy(8192)
    method = DDM2(noise=noise, smallest=level, largest=level * 1.0001)  # type: ignore[arg-type]
    gains = [0.0, 0.5, 1.0]
    batch = batch_of(signal, noisy)
    losses = [
        float(method.loss(Linear(gain), batch, torch.Generator().manual_seed(5))) for gain in gains
    ]
    expected = S**2 / (S**2 + level**2)
    samples = 8192 * 55
    error = (SIGMA**2 + S**2 * level**2 / (S**2 + level**2)) ** 0.5 / (samples * S**2) ** 0.5
    assert abs(best_gain(losses, gains) - expected) < 4 * error


@pytest.mark.parametrize("how", ["residual", "schedule"])
def test_an_image_is_what_its_state_says(how: str) -> None:
    """At its own level, with noise that stays in place, the network is shown the image itself."""
    signal, noisy = toy(1)
    told = 0.9 * signal + 0.05 * (signal != 0)
    if how == "residual":
        state = residual_state(noisy[:, 0], told[:, 0])
    else:
        state = matched_state(noisy[:, 0], told[:, 0], signal_left("rev_warmup70"))
    batch = VolumeBatch(noisy, noisy[:, None], told, state.stacked()[:, None])
    level = float(state.level / state.signal)
    method = DDM2(noise="still", smallest=level * (1 - 1e-7), largest=level * (1 + 1e-7))
    network = Linear(float(state.signal))
    assert float(method.loss(network, batch, torch.Generator())) < 1e-10
    torch.testing.assert_close(network.seen * state.signal.float(), noisy, atol=1e-6, rtol=1e-6)
    assert float(DDM2().loss(network, batch, torch.Generator())) > 0.01


def test_without_blindness_the_target_is_the_noise_model() -> None:
    signal, noisy = toy(64)
    batch = batch_of(signal, noisy)
    levels = {"noise": "still", "smallest": 1e-6, "largest": 2e-6}
    told, seen = (
        float(DDM2(blind=blind, **levels).loss(Linear(1.0), batch, torch.Generator()))  # type: ignore[arg-type]
        for blind in (False, True)
    )
    assert told < 3 * SIGMA**2 / 55  # the mean of the noise of an image, which is added to Φ
    assert abs(seen / SIGMA**2 - 1) < 4 * (2 / (64 * 55)) ** 0.5 + 3 / 55


def test_levels_of_the_paper_are_those_of_one_step_of_the_schedule() -> None:
    method = DDM2.paper()
    a = signal_left("rev_warmup70")
    of_steps = (1 - a**2).sqrt() / a
    for seed in range(20):
        generator = torch.Generator().manual_seed(seed)
        levels = method.draw_levels(64, generator, torch.device("cpu")).double()
        above = torch.searchsorted(of_steps, levels.max() * (1 - 1e-5))
        assert levels.min() > of_steps[above - 1] * (1 - 1e-4)
        if above > 1:  # there levels are not held at the floor
            left = 1 / (1 + levels**2).sqrt()
            share = (left - a[above]) / (a[above - 1] - a[above])
            assert kstest(share.numpy(), "uniform").pvalue > 1e-4 / 20


def test_the_best_linear_noise_model_is_wiener_of_its_neighbours() -> None:
    """Five volumes of one signal: the mean of two, times s² / (s² + σ²/2)."""
    signal = S * normal(4096, 1, 1, 8, 8)
    volumes = signal + SIGMA * normal(4096, 5, 1, 8, 8, seed=1)
    batch = VolumeBatch(volumes[:, 0], volumes[:, 1:3])
    gains = [0.0, 0.5, 1.0]

    class Mean(torch.nn.Module):
        def __init__(self, gain: float) -> None:
            super().__init__()
            self.gain = gain

        def forward(self, others: Tensor) -> Tensor:
            return self.gain * others.mean(dim=1)

    losses = [float(NoiseModel().loss(Mean(g), batch, torch.Generator())) for g in gains]
    expected = S**2 / (S**2 + SIGMA**2 / 2)
    error = (1.5 * SIGMA**2 / (4096 * 64 * S**2)) ** 0.5
    assert abs(best_gain(losses, gains) - expected) < 4 * error


def test_an_untrained_noise_model_is_the_mean_of_its_neighbours() -> None:
    network = Mapping(build(UNetConfig(channels=6, base=8)))
    others = normal(2, 2, 3, 17, 13)
    torch.testing.assert_close(network(others), others.mean(dim=1))


def test_an_untrained_denoiser_shrinks() -> None:
    network = Denoising(build(UNetConfig(channels=3, base=8)))
    x, level = normal(2, 3, 17, 13), torch.tensor([0.5, 2.0])
    torch.testing.assert_close(network(x, level), x / (1 + level**2)[:, None, None, None])


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"order": "space"}, "order is 'space'"),
        ({"slab": 2}, "odd number of slices"),
        ({"share": 1.0}, "share is 1.0"),
        ({"smallest": 2.0}, "levels, the first below the second"),
        ({"unit": "range"}, 'needs unit = "signal"'),
        ({"schedule": "cosine"}, "schedule is 'cosine'"),
        ({"chain_steps": 0}, "chain_steps is 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        DDM2(**settings)  # type: ignore[arg-type]
