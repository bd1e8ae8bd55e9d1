"""What the stages of DiffDenoise cost: a step of training of each, and inference.

At our size the default networks take four patches of 64 x 64 a step; at the paper's size those of
the papers (PUCA with 13 million weights, the U-Net of improved DDPM, NAFNet of width 32) take two
of 320 x 320. Inference is of one image of that size: the sampler from its 10 steps of the chain,
with what the blind network says before it, and the student in one pass.

    python benchmarks/diffdenoise_cost.py
    python benchmarks/diffdenoise_cost.py --paper-size --device cuda

Takes a minute on 2 cores, and a few on a GPU at the paper's size.
"""

import argparse
import time
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import nn

from kspace_denoise.denoiser import build_network
from kspace_denoise.diffdenoise.sampler import sampled, starts
from kspace_denoise.networks import NAFNetConfig, NetworkConfig, PUCAConfig, UNetConfig
from kspace_denoise.objectives import Batch, BlindSpot, DiffDenoise, Loss

WARM, STEPS, PASSES = 2, 8, 3


class Size(NamedTuple):
    """Networks, and the patches that they are trained on."""

    blind: NetworkConfig
    diffusion: NetworkConfig
    student: NetworkConfig
    side: int
    batch: int


OURS = Size(
    PUCAConfig(channels=1),
    UNetConfig(channels=1, contrasts=1, phase_width=0.0),
    NAFNetConfig(channels=1, phase_width=0.0),
    64,
    4,
)
PAPER = Size(
    PUCAConfig.published(channels=1),
    UNetConfig(
        channels=1, contrasts=1, phase_width=0.0, direct=True, base=128, multipliers=(1, 2, 3, 4),
        blocks=2, attention=(2, 3),
    ),
    NAFNetConfig.published(width=32, channels=1),
    320,
    2,
)  # fmt: skip


def timed(run: Callable[[], object], count: int, device: str) -> float:
    """Return the seconds of one run, once warm."""
    for _ in range(WARM):
        run()
    started = _now(device)
    for _ in range(count):
        run()
    return (_now(device) - started) / count


def step_seconds(network: nn.Module, loss: Loss[Batch], batch: Batch, device: str) -> float:
    """Return the time of a step of training."""
    optimiser = torch.optim.AdamW(network.parameters())
    generator = torch.Generator(device).manual_seed(0)

    def step() -> None:
        optimiser.zero_grad()
        loss.loss(network, batch, generator).backward()
        optimiser.step()

    return timed(step, STEPS, device)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--paper-size", action="store_true")
    options = parser.parse_args()
    device, size = options.device, PAPER if options.paper_size else OURS
    x = torch.randn(size.batch, size.side, size.side, generator=torch.Generator().manual_seed(0))
    batch = Batch(x, torch.full((size.batch,), 0.2), 0.9 * x).to(device)
    method = DiffDenoise.paper() if options.paper_size else DiffDenoise()
    stages: dict[str, tuple[NetworkConfig, Loss[Batch]]] = {
        "blind network": (size.blind, BlindSpot()),
        "diffusion model": (size.diffusion, method.model()),
        "student": (size.student, method),
    }
    networks = {
        name: build_network(config, 1).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        for name, (config, _) in stages.items()
    }
    print(f"{device}, {torch.get_num_threads()} threads, {size.batch} x {size.side} x {size.side}")
    print("| stage | weights, million | ms per step |")
    print("| --- | ---: | ---: |")
    for name, (_, loss) in stages.items():
        weights = sum(p.numel() for p in networks[name].parameters()) / 1e6
        seconds = step_seconds(networks[name], loss, batch, device)
        print(f"| {name} | {weights:.2f} | {1000 * seconds:.0f} |")
    _inference(networks, method, batch, device)


def _inference(
    networks: dict[str, nn.Module], method: DiffDenoise, batch: Batch, device: str
) -> None:
    image, level = batch.image[:1], batch.sigma[:1]
    model = method.model()
    generator = torch.Generator(device).manual_seed(0)

    def draw(kind: str, runs: int) -> None:
        told = networks["blind network"](image, level)
        noise = starts(kind, runs, told, generator)  # type: ignore[arg-type]
        sampled(networks["diffusion model"], model, told, noise, 10)

    with torch.no_grad():
        once = timed(lambda: networks["student"](image, level), PASSES, device)
        runs = {
            "student": once,
            "sampler, from 0": timed(lambda: draw("zero", 1), PASSES, device),
            "sampler, pair": timed(lambda: draw("symmetric", 2), PASSES, device),
        }
    print("\n| inference | ms per image | times the student |")
    print("| --- | ---: | ---: |")
    for name, seconds in runs.items():
        print(f"| {name} | {1000 * seconds:.0f} | {seconds / once:.1f} |")


def _now(device: str) -> float:
    if device.startswith("cuda"):
        torch.cuda.synchronize()
    return time.perf_counter()


if __name__ == "__main__":
    main()
