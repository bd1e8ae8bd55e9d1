"""The share of the noise that comes back, and the error, told without a clean image."""

from typing import ClassVar

import pytest
import torch
from torch import Tensor

from kspace_denoise.diffdenoise.monitor import Monitor, Probe, Seen, chosen, unseen
from kspace_denoise.diffdenoise.teach import taught
from kspace_denoise.fourier import fft2c, ifft2c
from kspace_denoise.objectives import DiffDenoise
from kspace_denoise.recon import correlation_spectrum
from kspace_denoise.training.images import NoisyImages
from kspace_denoise.training.succession import Succession
from kspace_denoise.training.trainer import Progress
from tests.diffdenoise.test_teach import SMALL

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
    noise = ifft2c(correlation_spectrum(correlation, (SIDE, SIDE)).sqrt() * fft2c(both[1]))
    clean = SIGNAL * both[0]
    if not complex_ones:
        noise, clean = noise.real, clean.real
    return NoisyImages.from_arrays([x.numpy() for x in clean + noise]), clean


@pytest.mark.parametrize("complex_ones", [False, True])
@pytest.mark.parametrize("correlation", [WHITE, in_a_row()], ids=["white", "coloured"])
def test_the_share_and_the_error_of_a_filter_are_found(correlation, complex_ones):
    """A filter along rows lets smooth noise pass: more of it comes back where noise is smooth."""
    noisy, clean = images(correlation, complex_ones)
    power = correlation_spectrum(correlation, (SIDE, SIDE))
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


def test_blank_pixels_do_not_count():
    """Half of the image is 0: gains are told apart as by the true error of the other half."""
    noisy, clean = images(WHITE, False)
    half = [torch.cat([x[:64] * 0, x[64:]]) for x in noisy.images]
    masked = NoisyImages.from_arrays([x.numpy() for x in half])
    for gain in (0.5, 0.8):
        probe = Probe.of(masked, WHITE, lambda x, _, gain=gain: gain * x, seed=1)
        seen = probe.look(lambda condition: condition, 0)
        true = float((gain * torch.stack(half)[:, 64:] - clean[:, 64:]).square().mean())
        assert seen.noise_share == pytest.approx(gain, abs=1e-4)
        assert seen.error == pytest.approx(true, abs=8 * (4 / clean[:, 64:].numel()) ** 0.5)


def test_what_is_looked_at_is_not_trained_on_where_there_is_enough():
    arrays = [torch.full((30, 20 + 10 * (n == 1)), float(n + 1)).numpy() for n in range(12)]
    many = NoisyImages.from_arrays(arrays)
    assert chosen(many) == [4, 8]
    left, kept = unseen(many), [1, 2, 3, 4, 6, 7, 8, 10, 11, 12]
    assert [float(x.mean()) for x in left.images] == kept
    assert left.facts.scale.tolist() == kept
    few = NoisyImages.from_arrays(arrays[:9])
    assert unseen(few) is few


def test_images_are_cut_to_their_middle_and_counted_off():
    arrays = [torch.full((150, 140), float(n)).numpy() for n in range(1, 9)]
    probe = Probe.of(NoisyImages.from_arrays(arrays), WHITE, lambda x, _: x, seed=0)
    assert probe.images.shape == (2, 128, 128)
    assert [float(x.mean()) for x in probe.images] == [3, 6]


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


@pytest.mark.parametrize("stop_early", [True, False])
def test_the_model_is_that_of_the_least_error(monkeypatch, stop_early):
    """By looks that say that the second of three was the best."""
    errors, monitors, watch = iter([0.5, 0.1, 0.9]), [], Monitor.watch

    def spied(monitor, trainer):
        watch(monitor, trainer)
        monitors.append(monitor)

    monkeypatch.setattr(Probe, "look", lambda _probe, _draw, step: Seen(step, 0.2, next(errors)))
    monkeypatch.setattr(Monitor, "watch", spied)
    config = SMALL.replace(steps=75)
    run = Succession(config, 0, "cpu", None, False, None)
    method = DiffDenoise(hole=1, steps=2, stop_early=stop_early)
    lesson = taught(images(WHITE, False)[0], method, 1, WHITE, run)
    assert [one.step for one in lesson.seen] == [10, 20, 30]
    found, best = lesson.diffusion.state_dict(), monitors[-1].best
    assert all(torch.equal(found[key], best[key]) for key in best) == stop_early


def test_a_drawing_worse_than_the_noisy_image_is_told(monkeypatch):
    monkeypatch.setattr(Probe, "look", lambda _probe, _draw, step: Seen(step, 0.2, 4.9))
    run = Succession(SMALL.replace(steps=30), 0, "cpu", None, False, None)
    with pytest.warns(UserWarning, match=r"draws has 4\.9 times the error of the noisy image"):
        taught(images(WHITE, False)[0], DiffDenoise(hole=1, steps=2), 1, WHITE, run)


def test_a_run_that_went_back_forgets_what_it_saw_later():
    class Trainer:
        class progress:  # noqa: N801
            step, steps = 12, 100

        average: ClassVar = {}

    monitor = Monitor(Probe.of(images(WHITE, False)[0], WHITE, lambda x, _: x, 0), lambda _: abs)
    monitor.seen = [Seen(10, 0.1, 0.3), Seen(20, 0.1, 0.2)]
    monitor.best, monitor.best_at = {"of": torch.ones(1)}, Seen(20, 0.1, 0.2)
    monitor.watch(Trainer())
    assert (monitor.seen, monitor.best) == ([Seen(10, 0.1, 0.3)], {})


def test_a_run_that_went_back_keeps_its_best_from_before(monkeypatch, tmp_path):
    """Of errors that rise the first state is the best, whether the run was killed or not."""
    monkeypatch.setattr(Probe, "look", lambda _probe, _draw, step: Seen(step, 0.1, step / 100))

    class Trainer:
        def __init__(self, step):
            self.progress = Progress(step=step, steps=100)
            self.average = {"of": torch.tensor([float(step)])}

    def monitor():
        probe = Probe.of(images(WHITE, False)[0], WHITE, lambda x, _: x, 0)
        return Monitor(probe, lambda _: abs, tmp_path / "best")

    first, again = monitor(), monitor()
    for step in (10, 20, 30):
        first.watch(Trainer(step))
    again.resume()
    for step in (15, 20, 30, 40):  # the checkpoint is older than the last look
        again.watch(Trainer(step))
    assert [one.step for one in again.seen] == [10, 20, 30, 40]
    assert float(again.best["of"]) == again.best_at.step == 10
