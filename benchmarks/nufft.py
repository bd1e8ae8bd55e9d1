"""Measure the non-uniform transforms and CG-SENSE beside finufft, torchkbnufft and sigpy.

8 coils, 256 x 256, the built-in phantom with simulated coil maps, radial spokes of 512 samples;
OMP_NUM_THREADS threads, or as many as there are cores. `transforms` times our operator, coil maps
included, beside a bare finufft plan of the same accuracy on coil images that are made already, and
beside torchkbnufft with 6 points (its default) and 4; errors are relative to finufft in double
precision at 1e-12. `normal` times the Toeplitz operator, and its kernel. `cg_sense` reconstructs
noisy spokes, whitened, with lambda 0.1; the error is that from the converged image (ours,
complex128), and sigpy iterates until it is as near, or 60 times. Calls are interleaved, after one
of each to warm up; medians are printed.

    python benchmarks/nufft.py --json nufft.json
    python benchmarks/nufft.py --device cuda
    python benchmarks/nufft.py --picture docs/images/trajectories.png

Exits with 1 if an aim is missed. `--device cuda` times our operator on a GPU instead; `--picture`
draws the trajectories and their images.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from kspace_denoise import recon, sim
from kspace_denoise.arrays import to_numpy
from kspace_denoise.nufft import Nufft

SIZE, COILS, SPOKES, ACCURACY = (256, 256), 8, 402, 1e-4
SNR, LAMBDA = 30, 0.1
LARGEST_RATIO = 1.2
SIGPY_ITERATIONS = 60
Calls = dict[str, Callable[[], Any]]


class Case(NamedTuple):
    """An image, maps of unit norm, a trajectory, and whitened samples with sigma = 1."""

    image: np.ndarray
    mask: np.ndarray
    maps: np.ndarray
    trajectory: np.ndarray
    samples: np.ndarray


def make_case(kind: str = "radial", readouts: int | None = None, **options: float) -> Case:
    head, maps = sim.phantom(SIZE, seed=0), sim.coil_maps(SIZE, COILS, seed=0)
    psi = sim.array_covariance(COILS, seed=0)
    white = recon.whiten(maps, psi)
    maps, strength = recon.sense_operator.unit_maps(white)
    trajectory = sim.trajectory(kind, SIZE, readouts, **options)
    image = (SNR * strength * head.image).astype(np.complex64)
    samples = Nufft(trajectory, SIZE, accuracy=1e-6).forward(maps * image)
    samples = sim.add_noise(samples, 2 * np.eye(COILS), seed=1)
    return Case(image, head.mask, maps, trajectory, samples)


def relative(a: Any, b: np.ndarray) -> float:
    return float(np.linalg.norm(to_numpy(a).reshape(b.shape) - b) / np.linalg.norm(b))


def interleaved(calls: Calls, repeats: int) -> dict[str, float]:
    """Call each once to warm up, then all in turns; return the median milliseconds."""
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeats + 1):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            taken[name].append(1e3 * (time.perf_counter() - start))
    return {name: float(np.median(times[1:])) for name, times in taken.items()}


def bare_plan(radians: np.ndarray, dtype: str, accuracy: float) -> Any:
    import finufft

    plan = finufft.Plan(2, SIZE, n_trans=COILS, eps=accuracy, isign=-1, dtype=dtype)
    real = np.float32 if dtype == "complex64" else np.float64
    plan.setpts(*radians.astype(real))
    return plan


def transforms(case: Case, repeats: int) -> dict[str, dict[str, float]]:
    """Return times and errors of forward and adjoint."""
    import torchkbnufft

    scale = 1 / np.sqrt(np.prod(SIZE))
    radians = 2 * np.pi * case.trajectory.reshape(-1, 2).T.astype(np.float64) / SIZE[0]
    coil_images = (case.maps * case.image).astype(np.complex64)
    flat = case.samples.reshape(COILS, -1)
    exact = bare_plan(radians, "complex128", 1e-12)
    truth = {
        "forward": scale * exact.execute(coil_images.astype(complex)),
        "adjoint": scale * exact.execute_adjoint(flat.astype(complex)),
    }
    combined = np.sum(case.maps.conj() * truth["adjoint"], axis=0)
    plan = bare_plan(radians, "complex64", ACCURACY)
    operator = recon.NufftOperator(case.maps, case.trajectory, accuracy=ACCURACY)
    forward: Calls = {
        "ours": lambda: operator.forward(case.image),
        "bare finufft": lambda: plan.execute(coil_images),
    }
    adjoint: Calls = {
        "ours": lambda: operator.adjoint(case.samples),
        "bare finufft": lambda: plan.execute_adjoint(flat),
    }
    omega = torch.from_numpy(radians.astype(np.float32))
    images, samples = torch.from_numpy(coil_images)[None], torch.from_numpy(flat)[None]
    for points in (6, 4):
        there = torchkbnufft.KbNufft(SIZE, numpoints=points)
        back = torchkbnufft.KbNufftAdjoint(SIZE, numpoints=points)
        forward[f"torchkbnufft, {points} points"] = lambda there=there: there(images, omega)
        adjoint[f"torchkbnufft, {points} points"] = lambda back=back: back(samples, omega)
    rows: dict[str, dict[str, float]] = {}
    for way, calls in (("forward", forward), ("adjoint", adjoint)):
        times = interleaved(calls, repeats)
        for name, call in calls.items():
            row = rows.setdefault(name, {})
            ours = name == "ours"
            expected = combined if ours and way == "adjoint" else truth[way]
            row[f"{way}_ms"] = times[name]
            row[f"{way}_ratio"] = times["ours"] / times[name]
            row[f"{way}_error"] = relative(call() if ours else to_numpy(call()) * scale, expected)
    return rows


def normal(case: Case, repeats: int) -> dict[str, dict[str, float]]:
    """Return times of the Toeplitz operators, and of building them."""
    import torchkbnufft

    image, maps = torch.from_numpy(case.image), torch.from_numpy(case.maps)
    radians = torch.from_numpy(2 * np.pi * case.trajectory.reshape(-1, 2).T / np.float32(SIZE[0]))
    operator = recon.NufftOperator(maps, case.trajectory)
    toeplitz = torchkbnufft.ToepNufft()
    kernel = torchkbnufft.calc_toeplitz_kernel(radians, SIZE, norm="ortho")
    exact = recon.NufftOperator(case.maps.astype(complex), case.trajectory)
    expected = exact.adjoint(exact.forward(case.image.astype(complex)))
    applied: Calls = {
        "ours": lambda: operator.normal(image),
        "torchkbnufft": lambda: toeplitz(image[None, None], kernel, smaps=maps[None], norm="ortho"),
        "transform and back": lambda: operator.adjoint(operator.forward(image)),
    }
    built: Calls = {
        "ours": lambda: recon.NufftOperator(maps, case.trajectory).parts,
        "torchkbnufft": lambda: torchkbnufft.calc_toeplitz_kernel(radians, SIZE, norm="ortho"),
    }
    times, builds = interleaved(applied, repeats), interleaved(built, 3)
    rows = {name: {"apply_ms": ms} for name, ms in times.items()}
    for name, call in applied.items():
        # torchkbnufft's orthonormal scale counts its doubled grid.
        found = to_numpy(call()) * (4 if name == "torchkbnufft" else 1)
        rows[name] |= {"error": relative(found, expected)}
        if name in builds:
            rows[name] |= {"build_ms": builds[name]}
    return rows


def cg_sense(case: Case, repeats: int) -> dict[str, dict[str, float]]:
    """Return what a reconstruction takes and how far it is from the converged image."""
    options: dict[str, Any] = {"regularisation": LAMBDA}
    converged = recon.cg_sense(
        case.samples.astype(complex), case.maps, case.trajectory, tolerance=1e-10, **options
    ).image

    def ours(tolerance: float) -> np.ndarray:
        found = recon.cg_sense(
            case.samples, case.maps, case.trajectory, tolerance=tolerance, **options
        )
        return found.image

    calls = {"ours": lambda: ours(1e-4), "ours, tolerance 1e-3": lambda: ours(1e-3)}
    times = interleaved(calls, repeats)
    rows = {
        name: {"time_ms": times[name], "error": relative(call(), converged)}
        for name, call in calls.items()
    }
    return rows | sigpy_until(case, converged, [row["error"] for row in rows.values()])


def sigpy_until(
    case: Case, converged: np.ndarray, targets: list[float]
) -> dict[str, dict[str, float]]:
    """Iterate sigpy's SenseRecon until it is as near as each target, or 60 times."""
    from sigpy.mri.app import SenseRecon

    def app() -> Any:
        return SenseRecon(
            case.samples, case.maps, lamda=LAMBDA, coord=case.trajectory, show_pbar=False
        )

    app().alg.update()  # compiles
    start = time.perf_counter()
    run = app()
    spent = time.perf_counter() - start
    rows: dict[str, dict[str, float]] = {}
    for iteration in range(SIGPY_ITERATIONS):
        start = time.perf_counter()
        run.alg.update()
        spent += time.perf_counter() - start
        row = {"time_ms": 1e3 * spent, "iterations": iteration + 1}
        row["error"] = relative(run.x, converged)
        # A row is the first iteration that reaches its target, or the last one.
        for name, target in zip(("sigpy", "sigpy, as tolerance 1e-3"), targets, strict=True):
            if name not in rows or rows[name]["error"] > target:
                rows[name] = row
        if all(rows[name]["error"] <= target for name, target in zip(rows, targets, strict=True)):
            break
    return rows


def on_gpu(case: Case, repeats: int) -> dict[str, dict[str, float]]:
    """Return the times of our operator and of CG-SENSE on a GPU."""
    maps, image = torch.from_numpy(case.maps).cuda(), torch.from_numpy(case.image).cuda()
    samples = torch.from_numpy(case.samples).cuda()
    operator = recon.NufftOperator(maps, case.trajectory)

    def finished(call: Callable[[], Any]) -> Callable[[], None]:
        def run() -> None:
            call()
            torch.cuda.synchronize()

        return run

    calls = {
        "forward": finished(lambda: operator.forward(image)),
        "adjoint": finished(lambda: operator.adjoint(samples)),
        "normal": finished(lambda: operator.normal(image)),
        "cg_sense": finished(
            lambda: recon.cg_sense(samples, maps, case.trajectory, regularisation=LAMBDA)
        ),
    }
    return {name: {"time_ms": ms} for name, ms in interleaved(calls, repeats).items()}


def judge(tables: dict[str, dict[str, dict[str, float]]]) -> dict[str, bool]:
    bare = tables["transforms"]["bare finufft"]
    aims = {
        f"{way} at most {LARGEST_RATIO} times bare finufft": bare[f"{way}_ratio"] <= LARGEST_RATIO
        for way in ("forward", "adjoint")
    }
    for name in [name for name in tables if name.startswith("cg_sense")]:
        table = tables[name]
        for ours, theirs in (
            ("ours", "sigpy"),
            ("ours, tolerance 1e-3", "sigpy, as tolerance 1e-3"),
        ):
            aims[f"{name}, {ours}: faster than sigpy"] = (
                table[ours]["time_ms"] <= table[theirs]["time_ms"]
            )
    return aims


def draw(path: Path) -> None:
    """Draw the trajectories, and what gridding and CG-SENSE make of 6-fold fewer readouts."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 9.6), layout="compressed")
    axes = figure.subplots(4, 4)
    kinds: tuple[tuple[str, int, int, dict[str, float]], ...] = (
        ("radial", 67, 24, {}),
        ("golden-angle", 67, 24, {}),
        ("spiral", 5, 2, {"density": 2.0}),
        ("rosette", 67, 12, {}),
    )
    for column, (kind, readouts, shown, options) in zip(axes.T, kinds, strict=True):
        case = make_case(kind, readouts, **options)
        few = sim.trajectory(kind, SIZE, shown, **options)
        for line in few:
            column[0].plot(line[:, 1], line[:, 0], color="tab:blue", linewidth=0.6)
        column[0].set(aspect="equal", xticks=(-128, 0, 128), yticks=(-128, 0, 128))
        factor = sim.trajectory_acceleration(kind, SIZE, readouts, **options)
        column[0].set_title(f"{kind}, {shown} readouts", fontsize=9)
        column[0].tick_params(labelsize=7)
        gridded = recon.gridding(case.samples, case.trajectory, SIZE)
        gridded = np.sum(case.maps.conj() * gridded, axis=0)
        sensed = recon.cg_sense(case.samples, case.maps, case.trajectory, regularisation=LAMBDA)
        top = np.percentile(abs(case.image), 99.5)
        object_norm = np.linalg.norm(case.image[case.mask > 0])
        for panel, title, image in (
            (column[1], f"gridding, R = {factor:.1f}", gridded),
            (column[2], "CG-SENSE", sensed.image),
        ):
            error = np.linalg.norm((image - case.image)[case.mask > 0]) / object_norm
            panel.imshow(abs(image), cmap="gray", vmin=0, vmax=top)
            panel.set_title(f"{title}, error {error:.2f}", fontsize=9)
            panel.set_axis_off()
        column[3].imshow(abs(sensed.image - case.image), cmap="gray", vmin=0, vmax=top / 5)
        column[3].set_title("error of CG-SENSE, 5 times", fontsize=9)
        column[3].set_axis_off()
    figure.savefig(path, dpi=90)


def show(name: str, table: dict[str, dict[str, float]]) -> None:
    print(f"\n{name}")
    for row, numbers in table.items():
        text = ", ".join(f"{key} {value:.4g}" for key, value in numbers.items())
        print(f"  {row:28}{text}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=15, help="timed calls of each (15)")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--json", type=Path, metavar="OUT", help="write the numbers there")
    parser.add_argument("--picture", type=Path, metavar="OUT", help="draw a picture, only")
    options = parser.parse_args()
    if options.picture:
        draw(options.picture)
        return
    case = make_case(readouts=SPOKES)
    if options.device == "cuda":
        tables = {"on a GPU": on_gpu(case, options.repeats)}
        aims: dict[str, bool] = {}
    else:
        tables = {
            "transforms": transforms(case, options.repeats),
            "normal": normal(case, options.repeats),
            f"cg_sense, {SPOKES} spokes": cg_sense(case, 3),
            "cg_sense, 100 spokes": cg_sense(make_case(readouts=100), 3),
        }
        aims = judge(tables)
    for name, table in tables.items():
        show(name, table)
    print()
    for aim, met in aims.items():
        print(f"{aim:66}{'met' if met else 'MISSED'}")
    if options.json:
        options.json.write_text(json.dumps({"tables": tables, "aims": aims}, indent=2) + "\n")
    sys.exit(0 if all(aims.values()) else 1)


if __name__ == "__main__":
    main()
