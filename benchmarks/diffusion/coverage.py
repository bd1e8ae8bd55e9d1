"""How often the truth lies in the bands of split Gibbs sampling, with a trained prior.

Unseen phantom slices, largest magnitude 1, R = 4: of one coil (masks of kind `gsure`), or of 8
(every 4th line and 12 calibration lines, through maps that are known). Noise of `--sigma`.
The band of level p from K samples is mean ± t(K - 1) √(1 + 1/K) std per real component, t Student's
quantile of (1 + p) / 2. Edges, flat tissue and background are told apart by the truth: background
is outside the head, edges are the quarter of the head with the largest gradient. Shares of pixels,
with the 95 % interval of their mean over slices. `--widened-by N`: also with all bands wider by the
one factor with which 90 % of all pixels of N validation slices are in the band of 90 %.

    python -m benchmarks.diffusion.coverage --work WORK --coils 8 --sigma 0.02 --figure coverage.png
    python -m benchmarks.diffusion.coverage --work WORK --sigma 0.4 --samples 8 --widened-by 5

Every slice is kept as it is done; killed, it goes on there.
"""

import argparse
import json
from pathlib import Path
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import scipy.stats

from benchmarks.diffusion.phantoms import FIRST, SHAPE, SIGMA, Numpy, head
from benchmarks.diffusion.priors import STEPS, trained
from benchmarks.diffusion.reconstruct import CASES, scan
from kspace_denoise import recon, sim
from kspace_denoise.formats.atomic import atomic
from kspace_denoise.fourier import fft2c

LEVELS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
REGIONS = ("edges", "flat", "background")
BATCH = 25
"""Samples that are drawn side by side."""
WIDTHS = np.linspace(0, 20, 1001)
"""Half widths of bands, in predictive standard deviations."""

Shares = dict[str, list[float]]
"""Of a region: the share of its pixels in a band of each half width."""


def regions(split: str, number: int) -> dict[str, Numpy]:
    """Return the masks of a slice's regions."""
    drawn = head(split, number)
    gradient = np.hypot(*np.gradient(np.abs(drawn.image)))
    steep = gradient > np.quantile(gradient[drawn.inside], 0.75)
    return {
        "edges": drawn.inside & steep,
        "flat": drawn.inside & ~steep,
        "background": ~drawn.inside,
    }


def off_by(samples: Numpy, truth: Numpy) -> Numpy:
    """Return the errors of the two real components in predictive standard deviations."""
    scale = np.sqrt(1 + 1 / len(samples))
    parts = [(samples.real, truth.real), (samples.imag, truth.imag)]
    return np.stack([np.abs(x.mean(0) - t) / (scale * x.std(0, ddof=1)) for x, t in parts])


def half_width(level: float, samples: int) -> float:
    """Return that of the band of a level, in predictive standard deviations."""
    return float(scipy.stats.t.ppf((1 + level) / 2, samples - 1))


class Measured(NamedTuple):
    """k-space in SNR units of white coils, maps of unit norm, the mask, and the truth."""

    kspace: Numpy
    maps: Numpy
    mask: Numpy
    truth: Numpy


def measured(split: str, number: int, sigma: float, coils: int) -> Measured:
    """Return one slice."""
    if coils == 1:
        kspace, mask, truth = scan(CASES[0], split, number, sigma)
        return Measured(kspace, np.ones((1, *SHAPE), np.complex64), mask, truth)
    drawn = head(split, number)
    first = FIRST[split] + number
    maps = sim.coil_maps(SHAPE, coils, seed=first)
    whitening = recon.whitening_matrix(sim.array_covariance(coils, seed=first))
    maps = np.einsum("ij,jyx->iyx", whitening, maps).astype(np.complex64)
    maps /= np.linalg.norm(maps, axis=0)
    clean = fft2c(maps * drawn.image) / np.float32(sigma)
    mask = sim.mask("equispaced", SHAPE, 4, 12, np.random.default_rng([first, 5]))[:1]
    noisy = sim.add_noise(clean, 2 * np.eye(coils), seed=np.random.default_rng([first, 6]))
    return Measured(noisy * mask, maps, mask.astype(np.float32), drawn.image / np.float32(sigma))


def covered(split: str, number: int, given: argparse.Namespace) -> Shares:
    """Return the coverage in every region of a slice, and of all, for each half width."""
    kspace, maps, mask, truth = measured(split, number, given.sigma, given.coils)
    rms = recon.signal_rms(kspace, mask)
    denoise = trained(given.prior, given.work, given.training).prior(rms, bfloat16=True)
    drawn = [
        recon.split_gibbs(
            kspace, maps, mask, denoise, noise_covariance=2 * np.eye(given.coils),
            seed=1000 * number + first,
            samples=min(BATCH, given.samples - first), sweeps=given.sweeps, steps=given.steps,
        ).samples
        for first in range(0, given.samples, BATCH)
    ]  # fmt: skip
    off = off_by(np.concatenate(drawn), truth)
    everywhere = {**regions(split, number), "all": np.ones(SHAPE, bool)}
    return {
        region: (
            np.searchsorted(np.sort(off[:, where].ravel()), WIDTHS, "right") / off[:, where].size
        ).tolist()
        for region, where in everywhere.items()
    }


def kept(split: str, number: int, given: argparse.Namespace) -> Shares:
    """Return the coverage of a slice, counted now or before."""
    how = f"{split} {given.prior}_{given.training} {given.coils} {given.sigma:g} {given.samples}"
    path = given.work / "coverage" / f"{how} {given.sweeps}x{given.steps} {number}.json"
    if not path.exists():
        found = covered(split, number, given)
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic(path) as temporary:
            temporary.write_text(json.dumps(found))
        half = half_width(0.9, given.samples)
        print(
            number, {k: f"{np.interp(half, WIDTHS, v):.1%}" for k, v in found.items()}, flush=True
        )
    shares: Shares = json.loads(path.read_text())
    return shares


def collected(split: str, slices: int, given: argparse.Namespace) -> dict[str, Numpy]:
    """Return the coverage of every region, `(slices, half widths)`."""
    found = [kept(split, number, given) for number in range(slices)]
    return {region: np.array([one[region] for one in found]) for region in (*REGIONS, "all")}


def at(shares: Numpy, half: Numpy) -> Numpy:
    """Return the coverage at chosen half widths, `(slices, levels)`."""
    return np.array([np.interp(half, WIDTHS, one) for one in shares])


def show(title: str, shares: dict[str, Numpy], half: Numpy) -> None:
    """Print the coverage of the bands of all levels."""
    print(f"| {title} | " + " | ".join(f"{level:.0%}" for level in LEVELS) + " |")
    print("| --- " * (len(LEVELS) + 1) + "|")
    for region in REGIONS:
        each = at(shares[region], half)
        ends = 1.96 * scipy.stats.sem(each, axis=0)
        cells = [f"{m:.1%} ± {e:.1%}" for m, e in zip(each.mean(axis=0), ends, strict=True)]
        print(f"| {region} | " + " | ".join(cells) + " |")


def draw(mean: dict[str, Numpy], path: Path) -> None:
    """Plot the share of the pixels in the bands against the level of these."""
    figure, axes = plt.subplots(figsize=(4.5, 4.2), layout="constrained")
    ends = [LEVELS[0], 1]
    axes.fill_between(ends, [e - 0.05 for e in ends], [e + 0.05 for e in ends], color="0.9")
    axes.plot(ends, ends, color="0.5", linewidth=1)
    for region, marker in zip(REGIONS, "os^", strict=True):
        axes.plot(LEVELS, mean[region], marker=marker, label=region)
    axes.set(xlabel="level of the band", ylabel="share of pixels in it", xlim=(0.48, 1))
    axes.legend(frameon=False)
    figure.savefig(path, dpi=120)
    plt.close(figure)


def main() -> None:
    """Draw, count and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="where results are kept")
    parser.add_argument("--prior", default="clean", help="of `priors`")
    parser.add_argument("--training", type=int, default=STEPS, help="steps of the prior's training")
    parser.add_argument("--split", default="test", choices=("validation", "test"))
    parser.add_argument("--sigma", type=float, default=SIGMA)
    parser.add_argument("--coils", type=int, default=1)
    parser.add_argument("--samples", type=int, default=100)
    parser.add_argument("--slices", type=int, default=50)
    parser.add_argument("--sweeps", type=int, default=10)
    parser.add_argument("--steps", type=int, default=5, help="of each sweep")
    parser.add_argument("--widened-by", type=int, metavar="N", help="validation slices")
    parser.add_argument("--figure", type=Path, help="draw the coverage of all levels here")
    given = parser.parse_args()
    shares = collected(given.split, given.slices, given)
    half = np.array([half_width(level, given.samples) for level in LEVELS])
    show("as they are", shares, half)
    if given.widened_by:
        everywhere = collected("validation", given.widened_by, given)["all"].mean(axis=0)
        factor = float(np.interp(0.9, everywhere, WIDTHS)) / half_width(0.9, given.samples)
        show(f"{factor:.2f} times as wide", shares, factor * half)
    if given.figure:
        draw({region: at(each, half).mean(axis=0) for region, each in shares.items()}, given.figure)


if __name__ == "__main__":
    main()
