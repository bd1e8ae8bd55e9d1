"""The first three stages of DiffDenoise: from noisy images to what its student learns from."""

import copy
import dataclasses
import glob
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from kspace_denoise.denoiser import build_network
from kspace_denoise.diffdenoise.conditions import check_blind, each, residual_scale
from kspace_denoise.diffdenoise.monitor import Monitor, Probe, Seen, unseen
from kspace_denoise.diffdenoise.sampler import sampled, starts
from kspace_denoise.networks import NetworkConfig, UNetConfig, network_config
from kspace_denoise.objectives.blind_spot import BlindSpot
from kspace_denoise.objectives.conditional_diffusion import ConditionalDiffusion
from kspace_denoise.objectives.diffdenoise import DiffDenoise
from kspace_denoise.recon.noise_correlation import correlation_reach
from kspace_denoise.training.checkpoint import differences, read_tensors, write_tensors
from kspace_denoise.training.config import TrainConfig
from kspace_denoise.training.images import NoisyImages
from kspace_denoise.training.processes import joined
from kspace_denoise.training.stationary import in_short, measured_correlation
from kspace_denoise.training.succession import Succession


@dataclasses.dataclass(frozen=True)
class Lesson:
    """Images of which each `pair` is what the student is to say, and who says so."""

    images: NoisyImages
    blind: nn.Module
    diffusion: nn.Module
    model: ConditionalDiffusion
    seen: list[Seen]
    """How much of the noise came back, in the course of the diffusion model's training."""


class _Task(NamedTuple):
    """What the stages have in common."""

    images: NoisyImages
    method: DiffDenoise
    correlation: Tensor | None
    run: Succession


def student_of(
    images: NoisyImages, method: DiffDenoise, run: Succession
) -> tuple[NoisyImages, TrainConfig, dict[str, Any]]:
    """Return what the student learns from, its share of the run, and how it came about.

    Raises:
        ValueError: as `noise_correlation` where no hole is given, if there are other contrasts, or
            the blind network leaks.
    """
    if images.conditions is not None:
        raise ValueError("diffdenoise looks at the noisy image alone: leave other contrasts out")
    if joined().total > 1:
        raise ValueError("diffdenoise trains and draws in one process: leave torchrun out")
    if run.checkpoint is not None and not run.resume:
        _sweep(run.checkpoint)
    correlation = _correlation(images, method)
    hole = method.hole
    if hole is None:
        assert correlation is not None
        hole = 2 * correlation_reach(correlation.numpy()) + 1
    lesson = taught(images, method, hole, correlation, run)
    records = {
        "hole": hole,
        "correlation": None if correlation is None else in_short(correlation),
        "noise_share": [one._asdict() for one in lesson.seen],
        "networks": run.records,
    }
    return lesson.images, run.part(method.student_share / method.iterations), records


def _sweep(checkpoint: Path) -> None:
    """Remove what stages of another run left behind, of which this one takes the place."""
    for stage in ("blind-network", "diffusion*", "drawn*", "student*"):
        for old in checkpoint.parent.glob(f"{glob.escape(checkpoint.name)}.{stage}"):
            old.unlink()


def _correlation(images: NoisyImages, method: DiffDenoise) -> Tensor | None:
    """Return how the noise is correlated; None where the hole is given and nothing can be told."""
    try:
        return measured_correlation(images)
    except ValueError as error:
        if method.hole is None:
            raise ValueError(
                f"{error}; or set hole under [objective]: 1 for noise that is independent from "
                "pixel to pixel"
            ) from error
        if method.stop_early:
            warnings.warn(
                f"how much of the noise comes back cannot be told ({error}): the diffusion model "
                "is taken as it is after its last step, not where that was least (stop_early)",
                stacklevel=5,
            )
        return None


def taught(
    images: NoisyImages, method: DiffDenoise, hole: int, correlation: Tensor | None, run: Succession
) -> Lesson:
    """Train the blind network and the diffusion model, and draw what the student learns from.

    With several iterations all but the last student are trained, too.
    """
    blind = build_network(_blind_config(method, hole), images.channels, run.seed)
    error = BlindSpot.paper() if run.config.paper else BlindSpot()
    run.trained("blind network", blind, error, unseen(images), method.blind_share)
    check_blind(blind, images.channels, hole)
    task, tell = _Task(images, method, correlation, run), blind
    for iteration in range(1, method.iterations):
        number = f" {iteration}"
        lesson = _drawn(task, tell, blind, number)
        tell = build_network(run.config.network, images.channels, run.seed)
        share = method.student_share / method.iterations
        run.trained(f"student{number}", tell, method, unseen(lesson.images), share)
    return _drawn(task, tell, blind, "")


def _drawn(task: _Task, tell: nn.Module, blind: nn.Module, number: str) -> Lesson:
    """Train the diffusion model given what `tell` says of images, and draw an image of each."""
    images, method, correlation, run = task
    told = each(images, tell, tell, run.device)
    conditioned = dataclasses.replace(images, pairs=told, known=None)
    model = method.model(residual_scale(conditioned))
    config = UNetConfig(contrasts=1, direct=method.of_noise, phase_width=0.0)
    network = build_network(config, images.channels, run.seed)
    monitor = None
    if correlation is not None:
        monitor = _monitor(task, correlation, tell, network, model, number)
    share = method.diffusion_share / method.iterations
    watch = None if monitor is None else monitor.watch
    run.trained(f"diffusion{number}", network, model, unseen(conditioned), share, watch)
    if monitor is not None and monitor.best_at is not None:
        _tell_of(monitor.best_at if method.stop_early else monitor.seen[-1])
        if method.stop_early:
            network.load_state_dict(monitor.best)
    drawn = draw(conditioned, network, model, method, run, run.kept(f"drawn{number}"))
    lessons = dataclasses.replace(images, pairs=drawn, known=None)
    return Lesson(lessons, blind, network, model, [] if monitor is None else monitor.seen)


def _tell_of(drawn: Seen) -> None:
    """Warn where what is drawn is no better than the noisy image."""
    if drawn.error >= 1:
        warnings.warn(
            f"what the diffusion model draws has {drawn.error:.2g} times the error of the noisy "
            "image, as far as can be told without the truth, and the student learns that: train "
            "longer, or take another method",
            stacklevel=2,
        )


def _monitor(
    task: _Task,
    correlation: Tensor,
    tell: nn.Module,
    network: nn.Module,
    model: ConditionalDiffusion,
    number: str,
) -> Monitor:
    """Return what looks at the training, by a start from 0, of a copy of the network."""
    images, method, _, run = task
    other = copy.deepcopy(network).eval().to(run.device)

    def told(x: Tensor, level: Tensor) -> Tensor:
        with torch.no_grad():
            answer: Tensor = tell(x.to(run.device), level.to(run.device))
        return answer.cpu()

    def draw_with(weights: dict[str, Tensor]) -> Callable[[Tensor], Tensor]:
        other.load_state_dict(weights)

        def drawn(condition: Tensor) -> Tensor:
            condition = condition.to(run.device)
            nothing = torch.zeros_like(condition)[None]
            with torch.no_grad():
                return sampled(other, model, condition, nothing, method.steps).cpu()

        return drawn

    probe = Probe.of(images, correlation, told, run.seed)
    monitor = Monitor(probe, draw_with, run.kept(f"diffusion{number}.best"))
    if run.resume:
        monitor.resume()
    return monitor


def draw(
    conditioned: NoisyImages,
    network: nn.Module,
    model: ConditionalDiffusion,
    method: DiffDenoise,
    run: Succession,
    kept: Path | None = None,
) -> tuple[Tensor, ...]:
    """Return what the sampler makes of every image's condition, in its unit; kept in a file."""
    identity = {"seed": run.seed, **conditioned.identity(), **dataclasses.asdict(method)}
    if run.resume and kept is not None and kept.exists():
        tensors, record = read_tensors(kept)
        if record != identity:
            raise ValueError(
                f"{kept} belongs to another run ({differences(record, identity)}): resume with the "
                "same files, seed and config, or start anew without --resume"
            )
        return tuple(tensors[f"image{number}"] for number in range(len(conditioned.images)))
    generator = torch.Generator(run.device).manual_seed(run.seed)

    def of_condition(x: Tensor, _level: Tensor) -> Tensor:
        noise = starts(method.start, method.runs, x, generator)
        return sampled(network, model, x, noise, method.steps)

    assert conditioned.pairs is not None
    drawn = each(conditioned, of_condition, network, run.device, of=conditioned.pairs)
    if kept is not None:
        write_tensors(kept, {f"image{i}": image for i, image in enumerate(drawn)}, identity)
    return drawn


def _blind_config(method: DiffDenoise, hole: int) -> NetworkConfig:
    return network_config({"architecture": method.blind, "hole": hole})
