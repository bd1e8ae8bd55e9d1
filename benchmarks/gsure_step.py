"""What a training step of GSURE costs beside one of supervised diffusion, the same network.

Loss and gradient of 4 images of 128 x 128, the default network, no optimiser; steps interleaved,
median. GSURE's divergence by the central difference of two calls, which is the default, and exact,
where the network is differentiated twice.

    python benchmarks/gsure_step.py --json gsure_step.json
"""

import argparse
import json
import statistics
import time
from pathlib import Path

import torch
from torch import nn

from kspace_denoise.denoiser import build_network
from kspace_denoise.networks import UNetConfig, differentiate_twice
from kspace_denoise.objectives import GSURE, Batch, Diffusion
from kspace_denoise.objectives.spectral_batch import SpectralBatch
from kspace_denoise.recon.spectral import FourierSampling

SHAPE, NOISE, AIM = (4, 128, 128), 0.05, 2.7


def seconds(
    objective: Diffusion | GSURE, network: nn.Module, batch: Batch | SpectralBatch
) -> float:
    """Return the time of one loss with its gradient."""
    started = time.perf_counter()
    loss = objective.loss(network, batch, torch.Generator().manual_seed(0))  # type: ignore[arg-type]
    torch.autograd.grad(loss, list(network.parameters()), allow_unused=True)
    return time.perf_counter() - started


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--json", type=Path, help="write the numbers here as well")
    arguments = parser.parse_args()
    config = UNetConfig(phase_width=0.0)
    plain = build_network(config, 2)
    forms = {
        "difference": GSURE(smallest=NOISE),
        "exact": GSURE(smallest=NOISE, derivative="exact"),
    }
    twice = differentiate_twice(build_network(config, 2))
    image = torch.randn(SHAPE, dtype=torch.complex64, generator=torch.Generator().manual_seed(0))
    noise = torch.full(SHAPE, NOISE)
    spectral = SpectralBatch(image, noise, torch.ones(SHAPE[1:]), FourierSampling(torch.ones(1)))
    images = Batch(image, torch.full(SHAPE[:1], NOISE))
    rounds = [
        (
            seconds(Diffusion(), plain, images),
            *(
                seconds(form, twice if form.derivative == "exact" else plain, spectral)
                for form in forms.values()
            ),
        )
        for _ in range(arguments.repeats + 1)
    ][1:]
    base, *ours = (statistics.median(times) for times in zip(*rounds, strict=True))
    result = {"diffusion_s": base}
    for name, found in zip(forms, ours, strict=True):
        result[f"gsure, {name}: s"] = found
        print(f"GSURE, {name}: {found:.2f} s, {found / base:.2f} times (aim {AIM})")
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
