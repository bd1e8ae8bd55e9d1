"""Slices a minute of DDRM with a network of the GSURE paper's form (128 channels).

It has 118 million weights, the paper's 114. 320 x 320, 8 coils, random lines (R = 4, 24 in the
centre), 20 steps, 8 samples of a slice side by side, the network in bfloat16 on a GPU. It is not
trained: that does not change its time.

    python benchmarks/sampler_throughput.py --device cuda --json sampler_throughput.json
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch

import kspace_denoise as kd
from kspace_denoise import recon, sim
from kspace_denoise.denoiser import build_network
from kspace_denoise.networks import UNetConfig
from kspace_denoise.objectives import Diffusion

SHAPE, COILS, STEPS, SAMPLES = (320, 320), 8, 20, 8


def denoiser(base: int, device: str) -> kd.Denoiser:
    """Return an untrained prior of the paper's form."""
    network = UNetConfig(
        base=base, multipliers=(1, 1, 2, 2, 4, 4), blocks=2, attention=(4,), phase_width=0.0
    )
    config = kd.TrainConfig(network=network)
    built = build_network(network, 2)
    return kd.Denoiser(built, Diffusion(), "diffusion", "after-sense", config, {}, device)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--base", type=int, default=128, help="channels; the paper's 128")
    parser.add_argument("--slices", type=int, default=4)
    parser.add_argument("--json", type=Path, help="write the numbers here as well")
    given = parser.parse_args()
    prior = denoiser(given.base, given.device)
    weights = sum(p.numel() for p in prior.network.parameters())
    maps = torch.from_numpy(sim.coil_maps(SHAPE, COILS, seed=0).astype(np.complex64))
    mask = torch.from_numpy(sim.mask("random", SHAPE, 4, 24, seed=0)[:1].astype(np.float32))
    seed = torch.Generator().manual_seed(0)
    noise = torch.randn((COILS, *SHAPE), dtype=torch.complex64, generator=seed)
    kspace, maps, mask = (x.to(given.device) for x in (mask * noise, maps, mask))
    denoise = prior.prior(1.0, bfloat16=given.device != "cpu")
    psi = 2 * np.eye(COILS)
    seconds = []
    for number in range(given.slices + 1):  # the first one warms up
        started = time.perf_counter()
        found = recon.ddrm(
            kspace, maps, mask, denoise,
            noise_covariance=psi, steps=STEPS, samples=SAMPLES, seed=number,
        )  # fmt: skip
        float(abs(found.mean).max())  # waits for the GPU
        seconds.append(time.perf_counter() - started)
    rate = 60 / float(np.mean(seconds[1:]))
    print(f"{weights / 1e6:.1f} million weights: {rate:.2f} slices a minute on {given.device}")
    if given.json:
        given.json.write_text(json.dumps({"weights": weights, "slices_a_minute": rate}, indent=1))


if __name__ == "__main__":
    main()
