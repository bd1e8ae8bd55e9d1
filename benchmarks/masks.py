"""Time the undersampling masks, and hold their acceleration and E[P] against many draws.

All kinds on 320 x 320 points at R = 4 and 8 (partial Fourier: 1.25 and 1.6), calibration by the
kind's own rule. Achieved accelerations are those of whole masks; a kind passes if every seed is
within 2 % of what it promises: `equispaced` and `caipi` promise their spacing (the calibration is
on top), `fastmri` the mean. E[P] is compared with the share of draws that took each line or point;
it passes if the largest deviation is one that chance explains (one in a thousand runs). Poisson
discs are also judged by their distances, and by the power that they add near frequency 0 over that
of independent points of the same E[P]. sigpy's generator runs beside.

    python benchmarks/masks.py --json masks.json --picture docs/images/masks.png
    python benchmarks/masks.py --jam        # density at which a grid is full, distance by distance
"""

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
from scipy.stats import binom, norm

from kspace_denoise import sim
from kspace_denoise.fourier import fft2c, ifft2c
from kspace_denoise.sim.sampling import poisson_disc
from kspace_denoise.sim.sampling.fixed_size import systematic
from kspace_denoise.sim.sampling.plan import Plan

SIZE = (320, 320)
ON_TOP = ("equispaced", "caipi")
POINTS = ("gaussian-2d", "poisson", "caipi")
LIMIT = 0.1  # seconds
TOLERANCE = 0.02


def accelerations(kind: str) -> tuple[float, float]:
    return (1.25, 1.6) if kind == "partial-fourier" else (4.0, 8.0)


def measure(kind: str, acceleration: float, seeds: int) -> dict:
    """Return one row: time, achieved accelerations, and E[P] against the draws."""
    seconds, achieved, total = [], [], np.zeros(SIZE)
    for seed in range(seeds):
        start = time.perf_counter()
        mask = sim.mask(kind, SIZE, acceleration, None, seed)
        seconds.append(time.perf_counter() - start)
        achieved.append(sim.achieved_acceleration(mask))
        total += mask
    promised = np.array(achieved)
    if kind in ON_TOP:
        plain = (sim.mask(kind, SIZE, acceleration, 0, seed) for seed in range(seeds))
        promised = np.array([sim.achieved_acceleration(mask) for mask in plain])
    if kind == "fastmri":
        promised = np.array([1 / np.mean(1 / promised)])
    share = np.mean(np.abs(promised / acceleration - 1) <= TOLERANCE)
    probability = compare_probability(kind, acceleration, total / seeds, seeds)
    median = float(np.median(seconds))
    return {
        "kind": kind,
        "acceleration": acceleration,
        "milliseconds": 1e3 * median,
        "slowest_milliseconds": 1e3 * max(seconds),
        "achieved": [float(f(achieved)) for f in (np.min, np.mean, np.max)],
        "within_2_percent": float(share),
        **probability,
        "passed": bool(
            share == 1 and median < LIMIT and probability["largest"] < probability["limit"]
        ),
    }


def compare_probability(kind: str, acceleration: float, share: np.ndarray, draws: int) -> dict:
    """Return the least likely of the counts under E[P], as a normal deviate, and the mean square.

    Counts are binomial; an estimated E[P] may be two of its standard errors off.
    """
    error = np.zeros(SIZE)
    start = time.perf_counter()
    if kind == "poisson":
        found = sim.poisson_probability(SIZE, acceleration, seed=10**6)
        expected, error = (values.astype(float) for values in found)
    else:
        expected = sim.mask_probability(kind, SIZE, acceleration).astype(float)
    seconds = time.perf_counter() - start
    if kind not in POINTS:
        expected, error, share = expected[:1], error[:1], share[:1]
    free = (expected > 0) & (expected < 1)
    nearer = np.clip(share, expected - 2 * error, expected + 2 * error)[free]
    count = np.rint(share[free] * draws)
    tail = np.minimum(binom.cdf(count, draws, nearer), binom.sf(count - 1, draws, nearer))
    largest = norm.isf(np.minimum(tail.min(), 0.5))
    spread = expected * (1 - expected) / draws + error**2
    return {
        "probability_seconds": seconds,
        "largest": float(largest if np.array_equal(share[~free], expected[~free]) else np.inf),
        "limit": float(norm.isf(0.5e-3 / tail.size)),
        "mean_square": float(np.mean((share - expected)[free] ** 2 / spread[free])),
    }


def judge_discs(acceleration: float, seeds: int) -> dict:
    """Return the share of pairs nearer than their radius, and the power near frequency 0."""
    plan = Plan(SIZE, acceleration, 0)
    radius = poisson_disc.least_distance(plan)
    expected = sim.mask_probability("poisson", SIZE, acceleration, 0)
    y, x = np.indices(SIZE) - 160
    low = (np.hypot(y, x) < 16) & (np.hypot(y, x) > 0)
    weights = expected.ravel() * (plan.total / expected.sum(dtype=float))
    near, power = np.zeros(2), np.zeros(2)
    for seed in range(seeds):
        generator = np.random.default_rng(seed)
        disc = poisson_disc.draw_poisson(plan, generator)
        plain = systematic(np.minimum(weights, 1), generator).reshape(SIZE)
        for i, drawn in enumerate((disc, plain)):
            near[i] += too_near(drawn, radius) / seeds
            power[i] += np.mean(np.abs(fft2c(drawn - expected + 0j))[low] ** 2) / seeds
    return {
        "acceleration": acceleration,
        "adjacent_allowed": float(np.mean(radius == 1)),
        "largest_radius": float(radius.max()),
        "too_near": float(near[0]),
        "too_near_if_independent": float(near[1]),
        "power_near_0": float(power[0] / power[1]),
    }


def too_near(drawn: np.ndarray, radius: np.ndarray) -> float:
    """Return the share of samples with another nearer than the smaller of the two radii."""
    reach = int(radius.max())
    bad = np.zeros(drawn.shape, dtype=bool)
    for y in range(-reach, reach + 1):
        for x in range(-reach, reach + 1):
            other, far = (np.roll(a, (y, x), (0, 1)) for a in (drawn, radius))
            bad |= drawn & other & ((y, x) != (0, 0)) & (np.hypot(y, x) < np.minimum(radius, far))
    return bad.sum() / drawn.sum()


def measure_sigpy(acceleration: float, seeds: int) -> dict:
    """Return time and achieved accelerations of sigpy's generator, compiled before."""
    from sigpy.mri import poisson

    poisson((32, 32), 2, seed=0)
    block = (round(0.08 * 320) if acceleration <= 6 else round(0.04 * 320),) * 2
    seconds, achieved = [], []
    for seed in range(seeds):
        start = time.perf_counter()
        mask = poisson(SIZE, acceleration, calib=block, crop_corner=False, seed=seed)
        seconds.append(time.perf_counter() - start)
        achieved.append(mask.size / np.count_nonzero(mask))
    return {
        "kind": "sigpy poisson",
        "acceleration": acceleration,
        "milliseconds": 1e3 * float(np.median(seconds)),
        "slowest_milliseconds": 1e3 * max(seconds),
        "achieved": [float(f(achieved)) for f in (np.min, np.mean, np.max)],
        "within_2_percent": float(np.mean(np.abs(np.array(achieved) / acceleration - 1) <= 0.02)),
    }


def jam(levels: int) -> None:
    """Print the density at which discs of one radius fill the grid, without a density to follow."""
    generator = np.random.default_rng(0)
    size = (512, 512)
    for index in range(1, levels):
        level = np.full(size[0] * size[1], index)
        order = generator.permutation(level.size).astype(np.int32)
        density = poisson_disc._fill(size, level, order, np.arange(level.size)).mean()
        squared = poisson_disc._DISTANCES[index]
        print(f"distance sqrt({squared:3d})  density {density:.4f}  R = {1 / density:6.2f}")


def draw_picture(path: Path) -> None:
    """Write a gallery: mask, E[P] and the magnitude of the point spread at R = 4, on 96 x 96."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    size, columns = (96, 96), 6
    figure, axes = plt.subplots(6, columns, figsize=(11.5, 12.4), layout="constrained")
    for axis in axes.flat:
        axis.set_axis_off()
    for i, kind in enumerate(sim.MASKS):
        acceleration = 4 / 3 if kind == "partial-fourier" else 4
        block = 9 if kind == "gsure" else None  # 30 of 320
        mask = sim.mask(kind, size, acceleration, block, seed=1)
        column = axes[3 * (i // columns) :, i % columns]
        real = sim.achieved_acceleration(mask)
        column[0].set_title(f"{kind}\n{mask.sum()} samples, R = {real:.2f}", fontsize=9)
        column[0].imshow(mask, cmap="gray", interpolation="nearest")
        expected = sim.mask_probability(kind, size, acceleration, block)
        probability = column[1].imshow(expected, vmin=0, vmax=1, cmap="viridis")
        spread = np.abs(ifft2c(mask.astype(np.complex64)))
        decibel = 20 * np.log10(np.maximum(spread / spread.max(), 1e-3))
        if kind in POINTS:
            power = column[2].imshow(decibel, vmin=-60, vmax=0, cmap="magma")
        else:
            column[2].set_axis_on()
            column[2].plot(decibel[48], color="black", linewidth=0.8)
            column[2].set(ylim=(-60, 2), xlim=(0, 95), xticks=[], yticks=(-60, -40, -20, 0))
            column[2].tick_params(labelsize=7, direction="in", pad=2)
            column[2].set_box_aspect(1)
    for axis, image, label in ((axes[4, 5], probability, "E[P]"), (axes[5, 5], power, "dB")):
        figure.colorbar(image, cax=axis.inset_axes([0.05, 0.05, 0.1, 0.9]), label=label)
    axes[5, 5].text(0.6, 0.5, "point\nspread", transform=axes[5, 5].transAxes, fontsize=9)
    figure.savefig(path, dpi=90)
    plt.close(figure)


def show(row: dict) -> str:
    least, mean, most = row["achieved"]
    probability = ""
    if "largest" in row:
        probability = (
            f"{row['largest']:9.2f}{row['limit']:7.2f}{row['mean_square']:8.3f}"
            f"{'ok' if row['passed'] else 'FAILED':>8}"
        )
    return (
        f"{row['kind']:20}{row['acceleration']:5g}{row['milliseconds']:9.2f}"
        f"{row['slowest_milliseconds']:9.1f}{least:9.3f}{mean:8.3f}{most:8.3f}"
        f"{row['within_2_percent']:9.1%}{probability}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=1000)
    parser.add_argument("--sigpy-seeds", type=int, default=6)
    parser.add_argument("--json", type=Path, metavar="OUT")
    parser.add_argument("--picture", type=Path, metavar="PNG")
    parser.add_argument("--jam", action="store_true", help="print the densities of full grids only")
    options = parser.parse_args()
    if options.jam:
        return jam(33)
    if options.picture:
        draw_picture(options.picture)
    print(
        f"{'kind':20}{'R':>5}{'ms':>9}{'slowest':>9}{'R min':>9}{'mean':>8}{'max':>8}{'in 2 %':>9}"
        f"{'E[P] off':>9}{'limit':>7}{'mean²':>8}"
    )
    rows = []
    for kind in sim.MASKS:
        for acceleration in accelerations(kind):
            rows.append(measure(kind, acceleration, options.seeds))
            print(show(rows[-1]), flush=True)
    peers = [measure_sigpy(r, options.sigpy_seeds) for r in (4, 8) if options.sigpy_seeds]
    for peer in peers:
        print(show(peer), flush=True)
    discs = [judge_discs(r, 8) for r in (2, 2.75, 4, 8)]
    for disc in discs:
        print(", ".join(f"{key} {value:.4g}" for key, value in disc.items()))
    if options.json:
        result = {"masks": rows, "peers": peers, "discs": discs}
        options.json.write_text(json.dumps(result, indent=2) + "\n")
    return sys.exit(0 if all(row["passed"] for row in rows) else 1)


if __name__ == "__main__":
    main()
