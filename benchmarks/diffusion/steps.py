"""How many steps samplers need: PSNR of the mean of 8 samples against calls of the denoiser.

Single-coil phantoms at R = 4 as in `reconstruct`, with the prior trained on clean slices, computed
in bfloat16; `paper-ddrm` has the levels of the paper.

    python -m benchmarks.diffusion.steps --work WORK --json sampler_steps.json
"""

import argparse
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.diffusion.phantoms import SHAPE
from benchmarks.diffusion.priors import STEPS, trained
from benchmarks.diffusion.reconstruct import CASES, SAMPLES, scan, score
from kspace_denoise import recon

RUNS: dict[str, tuple[int, Callable[..., recon.Posterior]]] = {
    **{f"ddrm {n}": (n, partial(recon.ddrm, steps=n)) for n in (10, 20, 50, 100)},
    **{
        f"paper-ddrm {n}": (n, partial(recon.ddrm, steps=n, schedule="ddpm")) for n in (20, 50, 100)
    },
    **{f"dds {n}": (n, partial(recon.dds, steps=n)) for n in (20, 50)},
    "pigdm 50": (50, partial(recon.pigdm, steps=50)),
    **{
        f"split-gibbs {sweeps} x {steps}": (
            sweeps * steps,
            partial(recon.split_gibbs, sweeps=sweeps, steps=steps),
        )
        for sweeps, steps in ((10, 4), (20, 5), (30, 8), (60, 8))
    },
}


def main() -> None:
    """Reconstruct, score and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="where trained networks are kept")
    parser.add_argument("--slices", type=int, default=8)
    parser.add_argument("--prior", default="clean", help="of `priors`")
    parser.add_argument("--json", type=Path, help="write the numbers here as well")
    parser.add_argument("--runs", nargs="+", default=list(RUNS), choices=RUNS, metavar="RUN")
    given = parser.parse_args()
    prior = trained(given.prior, given.work, STEPS)
    maps = np.ones((1, *SHAPE), np.complex64)
    table = {}
    print("| sampler | calls | PSNR of the mean | of one sample | s per slice |")
    print("| --- | --- | --- | --- | --- |")
    for name in given.runs:
        calls, sampler = RUNS[name]
        rows = []
        for number in range(given.slices):
            kspace, mask, truth = scan(CASES[0], "test", number)
            denoise = prior.prior(recon.signal_rms(kspace, mask), bfloat16=True)
            started = time.perf_counter()
            found = sampler(
                kspace, maps, mask, denoise, noise_covariance=2 * np.eye(1), samples=SAMPLES
            )
            seconds = time.perf_counter() - started
            one = np.mean([score(x, truth)["psnr"] for x in found.samples])
            rows.append((score(found.mean, truth)["psnr"], one, seconds))
        mean, one, seconds = np.mean(rows, axis=0)
        table[name] = {"calls": calls, "psnr": [row[0] for row in rows], "one_sample": one}
        print(f"| {name} | {calls} | {mean:.2f} | {one:.2f} | {seconds:.1f} |", flush=True)
    if given.json:
        given.json.write_text(json.dumps(table, indent=1))


if __name__ == "__main__":
    main()
