"""What DDRM gives with a perfect denoiser, beside the posterior: gain and spread of its samples.

One component z ~ N(0, 1) is seen with noise nsr. The denoiser is exact, so every state of DDRM is
Gaussian, and the coefficients of its steps say what comes out: gain times the measurement, plus
noise. The posterior has the gain 1 / (1 + nsr²) and the spread nsr / √(1 + nsr²). The levels are
those of the default and of the paper; what better data put right after the last is not in it.

    python benchmarks/ddrm_eta.py --json ddrm_eta.json
"""

import argparse
import itertools
import json
import math
from pathlib import Path
from typing import get_args

import torch

from kspace_denoise.recon.ddrm_rule import ddrm_start, ddrm_step
from kspace_denoise.recon.diffusion_levels import Schedule, relative_levels

NSRS = (0.01, 0.05, 0.1, 0.5, math.inf)
ETAS = (0.0, 0.5, 0.85, 1.0)
STEPS = (20, 50, 100, 1000)


def outcome(nsr: float, eta: float, steps: int, schedule: Schedule) -> tuple[float, float]:
    """Return the gain on the measurement and the standard deviation of the samples."""
    levels = [*relative_levels(steps, schedule), 0.0]
    noise = torch.tensor(nsr, dtype=torch.float64)
    gain, spread = (float(x) for x in ddrm_start(levels[0], noise))
    variance = spread**2
    for level, following in itertools.pairwise(levels):
        shrink = 1 / (1 + level**2)
        if following == 0:
            return shrink * gain, shrink * math.sqrt(variance)
        step = [float(x) for x in ddrm_step(level, following, noise, eta, 1.0)]
        kept = step[0] * shrink + step[1]
        gain, variance = kept * gain + step[2], kept**2 * variance + step[3] ** 2
    raise AssertionError("levels end with 0")


def posterior(nsr: float) -> tuple[float, float]:
    """Return the gain and the standard deviation of the posterior."""
    if math.isinf(nsr):
        return 0.0, 1.0
    return 1 / (1 + nsr**2), nsr / math.sqrt(1 + nsr**2)


def main() -> None:
    """Compute and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="write the numbers here as well")
    arguments = parser.parse_args()
    rows = []
    for nsr, schedule in itertools.product(NSRS, get_args(Schedule)):
        gain, spread = posterior(nsr)
        print(f"nsr {nsr:g}, {schedule} levels: posterior gain {gain:.4f}, spread {spread:.4f}")
        for eta in ETAS:
            found = [outcome(nsr, eta, steps, schedule) for steps in STEPS]
            row = {"nsr": str(nsr), "schedule": schedule, "eta": eta, "steps": STEPS}
            rows.append(row | {"gain_and_spread": found})
            print(f"  eta {eta:4}: " + "   ".join(f"{g:.4f}, {s:.4f}" for g, s in found))
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
