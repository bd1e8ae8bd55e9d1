"""Denoising error over noise levels: GSURE, naive training and an oracle (the paper's Figure 4).

Unseen phantom slices, full and clean, with white noise of DDPM's levels from the smallest that all
were trained at. Mean square error of the complex image over its mean square.

    python -m benchmarks.diffusion.levels --work WORK --json diffusion_levels.json
"""

import argparse
import json
from pathlib import Path

import numpy as np

from benchmarks.diffusion.phantoms import Numpy, head
from benchmarks.diffusion.priors import PRIORS, SMALLEST, STEPS, trained
from kspace_denoise.objectives.diffusion_levels import ddpm_table
from kspace_denoise.random import complex_normal

OTHERS = ("gsure", "gsure-second", "naive")
"""What is compared with the reference."""
SLICES, LEVELS, BATCH = 64, 16, 16


def errors(name: str, images: Numpy, levels: list[float], work: Path, steps: int) -> Numpy:
    """Return the error of a prior, `(levels, slices)`; noise is the same for all priors."""
    prior = trained(name, work, steps).prior(1.0)
    found = np.empty((len(levels), len(images)))
    for row, level in enumerate(levels):
        generator = np.random.default_rng([row, 7])
        noise = complex_normal(images.shape, images, generator)
        noisy = images + np.float32(level) * noise
        for first in range(0, len(images), BATCH):
            part = slice(first, first + BATCH)
            off = np.abs(prior(noisy[part], level) - images[part]) ** 2
            found[row, part] = off.mean(axis=(1, 2))
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="where trained networks are kept")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--slices", type=int, default=SLICES)
    parser.add_argument("--reference", default="oracle", choices=PRIORS, metavar="PRIOR")
    parser.add_argument("--others", nargs="+", default=OTHERS, choices=PRIORS, metavar="PRIOR")
    parser.add_argument("--json", type=Path, help="write the numbers here as well")
    arguments = parser.parse_args()
    images = np.stack([head("test", number).image for number in range(arguments.slices)])
    images /= np.sqrt(np.mean(np.abs(images) ** 2, axis=(1, 2), keepdims=True))
    times = np.linspace(0, 999, LEVELS).round().astype(int)
    levels = [float(level) for level in ddpm_table(SMALLEST)[times]]
    reference = arguments.reference
    names = (reference, *arguments.others)
    mean = {
        name: errors(name, images, levels, arguments.work, arguments.steps).mean(axis=1)
        for name in names
    }
    over = {name: mean[name] / mean[reference] - 1 for name in arguments.others}
    print(f"| level | {reference} | " + " | ".join(over) + " |")
    print("| --- " * (len(over) + 2) + "|")
    for row, level in enumerate(levels):
        cells = [f"{mean[name][row]:.5f} ({ratio[row]:+.1%})" for name, ratio in over.items()]
        print(f"| {level:.3f} | {mean[reference][row]:.5f} | " + " | ".join(cells) + " |")
    for name, ratio in over.items():
        print(f"{name} over {reference}: mean {ratio.mean():+.1%}, worst {ratio.max():+.1%}")
    if arguments.json:
        result = {"levels": levels, **{name: list(map(float, mean[name])) for name in names}}
        arguments.json.write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
