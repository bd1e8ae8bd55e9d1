"""How often the truth lies in the 90 % band of split Gibbs sampling, with a trained prior.

Unseen single-coil phantom slices, noise of 0.01 of the largest magnitude, R = 4 (kind `gsure`).
A band from K samples is mean ± t(K - 1) √(1 + 1/K) std per real component. Edges, flat tissue and
background are told apart by the truth: background is outside the head, edges are the quarter of the
head with the largest gradient.

    python -m benchmarks.diffusion.coverage --work WORK --samples 100 --slices 50

Every slice is kept as it is done; killed, it goes on there.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import scipy.stats

from benchmarks.diffusion.phantoms import SHAPE, Numpy, head
from benchmarks.diffusion.priors import STEPS, trained
from benchmarks.diffusion.reconstruct import CASES, scan
from kspace_denoise import recon
from kspace_denoise.formats.atomic import atomic

LEVEL = 0.9
REGIONS = ("edges", "flat", "background")


def regions(number: int) -> dict[str, Numpy]:
    """Return the masks of a slice's regions."""
    drawn = head("test", number)
    gradient = np.hypot(*np.gradient(np.abs(drawn.image)))
    steep = gradient > np.quantile(gradient[drawn.inside], 0.75)
    return {
        "edges": drawn.inside & steep,
        "flat": drawn.inside & ~steep,
        "background": ~drawn.inside,
    }


def inside_band(samples: Numpy, truth: Numpy) -> Numpy:
    """Return the share of the two real components in the band, for every pixel."""
    count = len(samples)
    factor = scipy.stats.t.ppf((1 + LEVEL) / 2, count - 1) * np.sqrt(1 + 1 / count)
    parts = [(samples.real, truth.real), (samples.imag, truth.imag)]
    hits = [np.abs(x.mean(0) - t) <= factor * x.std(0, ddof=1) for x, t in parts]
    return np.mean(hits, axis=0)


def covered(
    number: int, name: str, samples: int, sweeps: int, levels: int, work: Path
) -> dict[str, float]:
    """Return the coverage in every region of a slice, and the mean spread over sigma."""
    kspace, mask, truth = scan(CASES[0], "test", number)
    denoise = trained(name, work, STEPS).prior(recon.signal_rms(kspace, mask))
    maps = np.ones((1, *SHAPE), np.complex64)
    found = recon.split_gibbs(
        kspace, maps, mask, denoise, noise_covariance=2 * np.eye(1), samples=samples,
        sweeps=sweeps, steps=levels, seed=number,
    )  # fmt: skip
    hits = inside_band(found.samples, truth)
    return {region: float(hits[where].mean()) for region, where in regions(number).items()}


def main() -> None:
    """Draw, count and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="where results are kept")
    parser.add_argument("--prior", default="clean", choices=("clean", "gsure"))
    parser.add_argument("--samples", type=int, default=100)
    parser.add_argument("--slices", type=int, default=50)
    parser.add_argument("--sweeps", type=int, default=30)
    parser.add_argument("--levels", type=int, default=8)
    given = parser.parse_args()
    kept = []
    for number in range(given.slices):
        name = f"{given.prior} {given.samples} {given.sweeps}x{given.levels} {number}.json"
        path = given.work / "coverage" / name
        if not path.exists():
            found = covered(
                number, given.prior, given.samples, given.sweeps, given.levels, given.work
            )
            path.parent.mkdir(parents=True, exist_ok=True)
            with atomic(path) as temporary:
                temporary.write_text(json.dumps(found))
            print(number, found, flush=True)
        kept.append(json.loads(path.read_text()))
    for region in REGIONS:
        values = np.array([found[region] for found in kept])
        print(f"{region:12} {values.mean():.1%} ± {1.96 * scipy.stats.sem(values):.1%}")


if __name__ == "__main__":
    main()
