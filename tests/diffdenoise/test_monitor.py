"""The share of the noise that comes back, and the error, told without a clean image."""

import pytest
import torch
from torch import Tensor

import kspace_denoise as kd
from kspace_denoise.diffdenoise.monitor import Monitor, Probe, Seen
from kspace_denoise.fourier import fft2c, ifft2c
from kspace_denoise.objectives.stationary_batch import amplitude
from kspace_denoise.training.images import NoisyImages
from tests.diffdenoise.test_teach import QUICK, SMALL
from tests.training.scans import scan

SIDE, SIGNAL = 128, 2.0
WHITE = torch.ones(1, 1)


def in_a_row() -> Tensor:
    """Neighbours in a row share half of the noise."""
    found = torch.zeros(5, 5)
    found[2, 1:4] = torch.tensor([0.5, 1.0, 0.5])
    return found


def images(correlation: Tensor, complex_ones: bool) -> tuple[NoisyImages, Tensor]:
    """White signal and noise of level 1 in every component, and the clean images."""
    generator = torch.Generator().manual_seed(0)
    parts = torch.randn(2, 2, 2, SIDE, SIDE, generator=generator)
    if not complex_ones:
        parts[1] = 0
    both = torch.complex(parts[0], parts[1])
    noise = ifft2c(amplitude(correlation, SIDE) * fft2c(both[1]))
    clean = SIGNAL * both[0]
    if not complex_ones:
        noise, clean = noise.real, clean.real
    return NoisyImages.from_arrays([x.numpy() for x in clean + noise]), clean


@pytest.mark.parametrize("complex_ones", [False, True])
@pytest.mark.parametrize("correlation", [WHITE, in_a_row()], ids=["white", "coloured"])
def test_the_share_and_the_error_of_a_filter_are_found(correlation, complex_ones):
    """A filter along rows lets smooth noise pass: more of it comes back where noise is smooth."""
    noisy, clean = images(correlation, complex_ones)
    power = amplitude(correlation, SIDE) ** 2
    k = (torch.arange(SIDE) - SIDE // 2) / SIDE
    gain = (0.6 + 0.4 * torch.cos(2 * torch.pi * k)).expand(SIDE, SIDE)

    def passed(x: Tensor) -> Tensor:
        found = ifft2c(gain * fft2c(x))
        return found if complex_ones else found.real

    probe = Probe.of(noisy, correlation, lambda x, _: passed(x), seed=1)
    seen = probe.look(lambda condition: condition, 7)
    assert seen.step == 7
    count = (2 if complex_ones else 1) * clean.numel()
    true_share = float((gain * power).mean())
    assert seen.noise_share == pytest.approx(true_share, abs=4 * (2 / count) ** 0.5)
    wrong = passed(torch.stack(noisy.images)) - clean
    true_error = float(wrong.abs().square().mean()) / (2 if complex_ones else 1)
    assert seen.error == pytest.approx(true_error, abs=8 * (4 / count) ** 0.5)


def test_images_are_cut_to_their_middle_and_counted_off():
    arrays = [torch.full((150, 140), float(n)).numpy() for n in range(1, 9)]
    probe = Probe.of(NoisyImages.from_arrays(arrays), WHITE, lambda x, _: x, seed=0)
    assert probe.images.shape == (2, 128, 128)
    assert [float(x.mean()) for x in probe.images] == [1, 2]


def test_the_weights_of_the_least_error_are_kept_and_found_again(tmp_path):
    class Progress:
        step, steps = 0, 40

    class Trainer:
        progress, average = Progress(), {"w": torch.zeros(1)}

    errors = [0.5, 0.3, 0.4, 0.6]

    class Scripted:
        def look(self, draw, step: int) -> Seen:
            return Seen(step, float(draw), errors[step // 10 - 1])

    monitor = Monitor(Scripted(), lambda weights: weights["w"], tmp_path / "best")
    for step in range(1, 41):
        Trainer.progress.step, Trainer.average = step, {"w": torch.full((1,), float(step))}
        if step % 10 == 0:
            monitor.watch(Trainer())
    assert [one.step for one in monitor.seen] == [10, 20, 30, 40]
    assert float(monitor.best["w"]) == 20
    again = Monitor(Scripted(), lambda weights: weights["w"], tmp_path / "best")
    again.resume()
    assert again.seen == monitor.seen
    assert float(again.best["w"]) == 20


def test_training_tells_what_came_back():
    denoiser = kd.train("diffdenoise", scan(), config=SMALL.replace(steps=75, objective=QUICK))
    seen = denoiser.record["noise_share"]
    assert [one["step"] for one in seen] == [10, 20, 30]
    assert all(set(one) == {"step", "noise_share", "error"} for one in seen)
