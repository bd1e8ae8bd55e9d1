"""The first three stages of DiffDenoise: from noisy images to what its student learns from."""

import copy
import dataclasses
import glob
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from kspace_denoise.denoiser import build_network
from kspace_denoise.diffdenoise.sampler import sampled, starts
from kspace_denoise.networks import NetworkConfig, UNetConfig, leak, network_config
from kspace_denoise.objectives.blind_spot import BlindSpot
from kspace_denoise.objectives.conditional_diffusion import ConditionalDiffusion
from kspace_denoise.objectives.diffdenoise import DiffDenoise
from kspace_denoise.recon.noise_correlation import REACH, correlation_reach
from kspace_denoise.training.checkpoint import differences, read_tensors, write_tensors
from kspace_denoise.training.config import TrainConfig
from kspace_denoise.training.images import NoisyImages
from kspace_denoise.training.processes import joined
from kspace_denoise.training.stationary import measured_correlation
from kspace_denoise.training.succession import Succession

_LEAK, _LEAK_SIDE = 0.01, 64
OfImage = Callable[[Tensor, Tensor], Tensor]
"""What becomes of images `(1, y, x)` of noise levels `(1,)`, both in the unit of training."""


@dataclasses.dataclass(frozen=True)
class Lesson:
    """Images of which each `pair` is what the student is to say, and who says so."""

    images: NoisyImages
    blind: nn.Module
    diffusion: nn.Module
    model: ConditionalDiffusion


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
    found: dict[str, Any] = {}
    if run.checkpoint is not None and not run.resume and joined().first:
        for old in run.checkpoint.parent.glob(f"{glob.escape(run.checkpoint.name)}.*"):
            old.unlink()  # of a run that this one takes the place of
    hole = method.hole
    if hole is None:
        correlation = measured_correlation(images).numpy()
        hole = 2 * correlation_reach(correlation) + 1
        found["correlation"] = [round(float(x), 3) for x in correlation[REACH, REACH : REACH + 5]]
    lesson = taught(images, method, hole, run)
    records = {"hole": hole, **found, "networks": run.records}
    return lesson.images, run.part(method.student_share / method.iterations), records


def taught(images: NoisyImages, method: DiffDenoise, hole: int, run: Succession) -> Lesson:
    """Train the blind network and the diffusion model, and draw what the student learns from.

    With several iterations all but the last student are trained, too.
    """
    paper, student = run.config.paper, run.config.network
    blind = build_network(_blind_config(method, hole), images.channels, run.seed)
    error = BlindSpot.paper() if paper else BlindSpot()
    run.trained("blind network", blind, error, images, method.blind_share)
    check_blind(blind, images.channels, hole)
    condition = each(images, blind, blind, run.device)
    rest = method.student_share / method.iterations
    for iteration in range(1, method.iterations + 1):
        last = iteration == method.iterations
        lesson = _drawn(images, condition, blind, method, run, "" if last else f" {iteration}")
        if last:
            return lesson
        network = build_network(student, images.channels, run.seed)
        run.trained(f"student {iteration}", network, method, lesson.images, rest)
        condition = each(images, network, network, run.device)
    raise AssertionError("there is at least one iteration")


def _drawn(
    images: NoisyImages,
    condition: tuple[Tensor, ...],
    blind: nn.Module,
    method: DiffDenoise,
    run: Succession,
    number: str,
) -> Lesson:
    """Train the diffusion model of noisy images given a condition, and draw an image of each."""
    conditioned = dataclasses.replace(images, pairs=condition, known=None)
    model = method.model(residual_scale(conditioned))
    config = UNetConfig(contrasts=1, direct=method.of_noise, phase_width=0.0)
    network = build_network(config, images.channels, run.seed)
    share = method.diffusion_share / method.iterations
    run.trained(f"diffusion{number}", network, model, conditioned, share)
    kept = run.kept(f"drawn{number}")
    drawn = draw(conditioned, network, model, method, run, kept)
    return Lesson(dataclasses.replace(images, pairs=drawn, known=None), blind, network, model)


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
    if kept is not None and joined().first:
        write_tensors(kept, {f"image{i}": image for i, image in enumerate(drawn)}, identity)
    return drawn


def residual_scale(conditioned: NoisyImages) -> float:
    """Return the root mean square of image - condition over that of the image, over all images."""
    assert conditioned.pairs is not None
    shares = [
        float((image - told).abs().square().mean() / image.abs().square().mean())
        for image, told in zip(conditioned.images, conditioned.pairs, strict=True)
    ]
    return float((sum(shares) / len(shares)) ** 0.5)


def each(
    images: NoisyImages,
    of_image: OfImage,
    network: nn.Module,
    device: str,
    of: tuple[Tensor, ...] | None = None,
) -> tuple[Tensor, ...]:
    """Return what becomes of each image, or of what stands beside it, in the unit of the image."""
    network.eval().to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    found = []
    with torch.no_grad():
        for image, scale in zip(of or images.images, images.facts.scale, strict=True):
            level = (1 / scale)[None].to(device)
            clean = of_image((image / scale)[None].to(device), level)
            found.append((clean[0] * scale.to(device)).cpu())
    return tuple(found)


def check_blind(network: nn.Module, channels: int, hole: int) -> None:
    """Refuse a condition network whose pixels follow themselves: what it tells holds their noise.

    Raises:
        ValueError: telling how much, if it is more than a hundredth of the largest slope.
    """
    exact = copy.deepcopy(network).double().cpu()
    shape = (1, channels, _LEAK_SIDE, _LEAK_SIDE)
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    level = torch.ones(1, dtype=torch.float64)

    def told(x: Tensor) -> Tensor:
        if channels == 1:
            return torch.as_tensor(exact(x[:, 0], level))[:, None]
        image = torch.view_as_complex(x.movedim(1, -1).contiguous())
        return torch.view_as_real(exact(image, level)).movedim(-1, 1)

    found = leak(told, noise, hole, count=4)
    if found > _LEAK:
        raise ValueError(
            f"of the condition network a pixel follows itself by {found:.2g} of the largest slope, "
            f"expected {_LEAK:g} or less: it brings the noise back that the diffusion model is to "
            "take off; take another network"
        )


def _blind_config(method: DiffDenoise, hole: int) -> NetworkConfig:
    return network_config({"architecture": method.blind, "hole": hole})
