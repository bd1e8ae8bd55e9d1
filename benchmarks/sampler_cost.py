"""What a diffusion sampler costs without its network: decomposition, and time per step.

320 x 320, a denoiser that returns what it is given, so that all time is ours. Per step: DDRM's
transforms to and from the spectrum, its rule and its random numbers, for one sample and for eight
side by side. The mask samples random lines (R = 4, 24 in the centre); `points`: random points.

    python benchmarks/sampler_cost.py --json sampler_cost.json
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from kspace_denoise import sim
from kspace_denoise.recon.ddrm import draw_ddrm
from kspace_denoise.recon.diffusion_levels import ddpm_levels
from kspace_denoise.recon.sense_operator import SenseOperator
from kspace_denoise.recon.spectral import (
    FourierSampling,
    SpectralOperator,
    noise_of_components,
)
from kspace_denoise.recon.spectral_sense import decompose

SHAPE, COILS, STEPS = (320, 320), 8, 10
AIMS = {("one coil", 1): 5, ("one coil, points", 1): 5, ("8 coils", 1): 60, ("8 coils", 8): 15}


def timed(run: Callable[[], object], repeats: int) -> float:
    """Return the median seconds of a call, after one that warms up."""
    run()
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def step_ms(operator: SpectralOperator, samples: int, repeats: int) -> float:
    """Return milliseconds per step and sample."""
    seen = torch.randn(SHAPE, dtype=torch.complex64, generator=torch.Generator().manual_seed(0))
    nsr = noise_of_components(operator, 0.01)
    generator, levels = np.random.default_rng(0), ddpm_levels(STEPS)

    def run() -> torch.Tensor:
        return draw_ddrm(operator, seen, nsr, lambda x, _: x, levels, 0.85, 1.0, samples, generator)

    return 1000 * timed(run, repeats) / STEPS / samples


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path, help="write the numbers here as well")
    arguments = parser.parse_args()
    line = sim.mask("random", SHAPE, 4, 24, seed=0)[:1].astype(np.float32)
    maps = torch.from_numpy(sim.coil_maps(SHAPE, COILS, seed=0).astype(np.complex64))
    sense = SenseOperator(maps, torch.from_numpy(line))
    started = time.perf_counter()
    coils = decompose(sense)
    found: dict[str, float] = {"decompose_s": time.perf_counter() - started}
    found["vectors_mb"] = coils.vectors.nbytes / 1e6
    print(f"decomposition: {found['decompose_s']:.1f} s, {found['vectors_mb']:.0f} MB")
    draw = torch.Generator().manual_seed(0)
    operators: dict[str, SpectralOperator] = {
        "one coil": FourierSampling(torch.from_numpy(line)),
        "one coil, points": FourierSampling((torch.rand(SHAPE, generator=draw) < 0.25).float()),
        "8 coils": coils,
    }
    for (name, samples), aim in AIMS.items():
        ms = step_ms(operators[name], samples, arguments.repeats)
        found[f"{name}, {samples} at once: ms per step and sample"] = ms
        print(f"{name}, {samples} at once: {ms:.1f} ms per step and sample (aim {aim})")
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
