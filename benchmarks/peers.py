"""Measure ESPIRiT, SENSE and L1-wavelet side by side with BART and sigpy, on the same arrays.

8 coils, 256 x 256, the built-in phantom with simulated coil maps, white noise with Psi = 2 I, a
Poisson-disc mask of R = 4 with a 24 x 24 centre; two threads. SENSE and L1-wavelet get the true
maps. For SENSE every tool minimises the same function with the same lambda: BART and sigpy take
30 iterations, ours stop by their own rule, and `converged` is sigpy after 200. For L1-wavelet all
take 30 iterations at the lambda that suits BART best of 13; ours is scored at its default lambda
too, which has not seen these data. That lambda means the same to all three is shown apart: with
fixed db2 wavelets, and BART's image taken for what it is, one gradient step after the minimiser.

The calls of the tools are interleaved after one call of each to warm up, and the median of the
repeats is printed. A call of BART is a process that reads and writes files (about 10 ms of its
time), a call in Python is not. Peak memory is that of a fresh process that loads the arrays and
makes one call; `beyond` is what it takes more than a process that only imports the tool and loads
the arrays.

    python benchmarks/peers.py --json peers.json

Exits with 1 if an aim is missed. Without `bart` on the PATH its rows and aims are left out.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

SIZE, COILS, CENTRE, ACCELERATION = (256, 256), 8, 24, 4.0
SNR = 30
THREADS = 2
AS_NEAR = 42  # iterations of plain conjugate gradients, to 1e-4
ITERATIONS, CONVERGED = 30, 200
# On data with sigma = 1 per component and maps of unit norm:
LAMBDA_L2 = 0.01
LAMBDAS_L1 = tuple(float(lam) for lam in np.geomspace(0.05, 5, 13).round(3))
TOOLS = ("ours", "bart", "sigpy")
STEPS = ("espirit", "sense", "l1_wavelet")
COSTS = ("wall_ms", "cpu_ms", "peak_mb", "beyond_mb")
# Starts a command and tells its peak memory (kB): a small parent, whose own memory the system
# would else count for the child.
_PEAK = (
    "import resource, subprocess, sys\n"
    "subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)\n"
    "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
)


class Case(NamedTuple):
    """Noisy k-space, whole and sampled, the true maps of unit norm, the image and its object."""

    full: np.ndarray
    kspace: np.ndarray
    mask: np.ndarray
    maps: np.ndarray
    truth: np.ndarray
    object: np.ndarray

    @property
    def reference(self) -> np.ndarray:
        """The image of the fully sampled data."""
        from kspace_denoise.fourier import ifft2c

        return np.sum(self.maps.conj() * ifft2c(self.full), axis=0)


class Row(NamedTuple):
    """What one tool took and returned."""

    wall_ms: float
    cpu_ms: float
    result: np.ndarray


def make_case() -> Case:
    """Simulate the k-space."""
    import sigpy.mri

    from kspace_denoise import sim
    from kspace_denoise.fourier import fft2c

    head = sim.phantom(SIZE, seed=0)
    maps = sim.coil_maps(SIZE, COILS, seed=0)
    kspace = SNR * fft2c(maps * head.image)
    full = sim.add_noise(kspace.astype(np.complex64), 2 * np.eye(COILS), seed=1)
    calib = (CENTRE, CENTRE)
    mask = np.abs(sigpy.mri.poisson(SIZE, ACCELERATION, calib=calib, seed=0)).astype(np.float32)
    strength = np.linalg.norm(maps, axis=0)
    sampled = (full * mask).astype(np.complex64)
    return Case(full, sampled, mask, maps / strength, SNR * strength * head.image, head.mask)


def write_cfl(path: Path, array: np.ndarray) -> None:
    """Write `(coils, y, x)` or `(y, x)` as BART's dimensions x, y, 1, coils."""
    coils, y, x = (1, *array.shape)[-3:]
    path.with_suffix(".hdr").write_text(f"# Dimensions\n{x} {y} 1 {coils}\n")
    array.astype(np.complex64).tofile(path.with_suffix(".cfl"))


def read_cfl(path: Path) -> np.ndarray:
    """Return the array of x, y, 1, coils as `(coils, y, x)`, or `(y, x)` for one coil."""
    x, y, _, coils = map(int, path.with_suffix(".hdr").read_text().split("\n")[1].split()[:4])
    array = np.fromfile(path.with_suffix(".cfl"), np.complex64).reshape(coils, y, x)
    return array if coils > 1 else array[0]


def bart_command(step: str, folder: Path, lam: float, *options: str) -> list[str]:
    """Return the call of BART for one step."""
    kspace, maps, out = folder / "kspace", folder / "maps", folder / "out"
    pics = ["bart", "pics", "-S", "-w", "1", "-i", str(ITERATIONS), *options]
    command = {
        "espirit": ["bart", "ecalib", "-m1", f"-r{CENTRE}", kspace, out],
        "sense": [*pics, "-l2", "-r", str(lam), kspace, maps, out],
        "l1_wavelet": [*pics, "-R", f"W:3:0:{lam}", kspace, maps, out],
        "nothing": ["bart", "version"],
    }[step]
    return [str(word) for word in command]


def bart(step: str, case: Case, lam: float, folder: Path, *options: str) -> np.ndarray:
    del case
    command = bart_command(step, folder, lam, *options)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return read_cfl(folder / "out")


def sigpy(step: str, case: Case, lam: float, **options: Any) -> np.ndarray:
    from sigpy.mri import app

    kspace, maps = case.kspace, case.maps
    iterative = {"max_iter": ITERATIONS, "show_pbar": False, **options}
    if step == "espirit":
        return app.EspiritCalib(kspace, calib_width=CENTRE, show_pbar=False).run()
    if step == "sense":
        return app.SenseRecon(kspace, maps, lamda=lam, **iterative).run()
    if step == "l1_wavelet":
        return app.L1WaveletRecon(kspace, maps, lam, **iterative).run()
    return np.zeros(())


def ours(step: str, case: Case, lam: float | None, **options: Any) -> np.ndarray:
    from kspace_denoise import recon

    kspace, maps, mask = case.kspace, case.maps, case.mask
    if step == "espirit":
        return recon.espirit(kspace, calibration=CENTRE)
    if step == "sense":
        return recon.sense(kspace, maps, mask, regularisation=lam).image
    if step == "l1_wavelet":
        fixed = {"iterations": ITERATIONS, "tolerance": 0.0, **options}
        return recon.l1_wavelet(kspace, maps, mask, lam=lam, **fixed)
    import torch  # noqa: F401  what our functions compute with

    return np.zeros(())


def timed(call: Callable[[], np.ndarray], child: bool) -> Row:
    """Return the time of a call, of this process or of the one that it starts."""
    who = resource.RUSAGE_CHILDREN if child else resource.RUSAGE_SELF
    before, start = resource.getrusage(who), time.perf_counter()
    result = call()
    wall, after = time.perf_counter() - start, resource.getrusage(who)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Row(1e3 * wall, 1e3 * cpu, result)


def measure(calls: dict[str, Callable[[], np.ndarray]], repeats: int) -> dict[str, Row]:
    """Call every tool once to warm up, then in turns; return the medians."""
    rows: dict[str, list[Row]] = {tool: [] for tool in calls}
    for _ in range(repeats + 1):
        for tool, call in calls.items():
            rows[tool].append(timed(call, tool == "bart"))
    return {
        tool: Row(
            float(np.median([row.wall_ms for row in taken[1:]])),
            float(np.median([row.cpu_ms for row in taken[1:]])),
            taken[-1].result,
        )
        for tool, taken in rows.items()
    }


def peak_memory(tool: str, step: str, lam: float, folder: Path) -> float:
    """Return the peak memory in MB of a fresh process that makes one call."""
    arrays = str(folder / "case.npz")
    alone = [sys.executable, __file__, "--one-call", tool, step, str(lam), arrays]
    command = bart_command(step, folder, lam) if tool == "bart" else alone
    launch = [sys.executable, "-S", "-c", _PEAK, *command]
    return int(subprocess.run(launch, check=True, capture_output=True).stdout) / 1000


def relative(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))


def cosines(a: np.ndarray, b: np.ndarray, where: np.ndarray) -> dict[str, float]:
    """Compare maps where the object is and both tools give a map."""
    norms = np.linalg.norm(a, axis=0) * np.linalg.norm(b, axis=0)
    both = where & (norms > 0)
    cosine = np.abs(np.sum(a.conj() * b, axis=0))[both] / norms[both]
    return {
        "median": float(np.median(cosine)),
        "percentile_1": float(np.percentile(cosine, 1)),
        "share_compared": float(both.sum() / where.sum()),
    }


def image_errors(image: np.ndarray, case: Case) -> dict[str, float]:
    return {
        "fully sampled": relative(image, case.reference),
        "noise-free": relative(image, case.truth),
    }


def agreement(step: str, rows: dict[str, Row], case: Case) -> dict[str, dict[str, Any]]:
    """Return the errors of every tool against the truth and its differences from the others."""
    found: dict[str, dict[str, Any]] = {}
    converged = sigpy(step, case, LAMBDA_L2, max_iter=CONVERGED) if step == "sense" else None
    for tool, row in rows.items():
        peers = {other: rows[other].result for other in rows if other != tool}
        if step == "espirit":
            compared = {"truth": case.maps, **peers}
            found[tool] = {n: cosines(row.result, m, case.object) for n, m in compared.items()}
            continue
        found[tool] = image_errors(row.result, case)
        found[tool] |= {other: relative(row.result, image) for other, image in peers.items()}
        if converged is not None:
            found[tool]["converged"] = relative(row.result, converged)
    return found


def best_of_bart(case: Case, folder: Path) -> tuple[float, dict[str, float]]:
    """Return the lambda nearest to the fully sampled image, and the least error of each kind.

    Raises:
        RuntimeError: if the best lambda is at an end of the list.
    """
    images = [bart("l1_wavelet", case, lam, folder) for lam in LAMBDAS_L1]
    errors = [image_errors(image, case) for image in images]
    least: dict[str, float] = {}
    for kind in errors[0]:
        values = [error[kind] for error in errors]
        best = int(np.argmin(values))
        if best in (0, len(values) - 1):
            raise RuntimeError(f"BART's best lambda against {kind} is at an end of the list")
        least[kind] = values[best]
        if kind == "fully sampled":
            lam = LAMBDAS_L1[best]
    return lam, least


def same_lambda(case: Case, lam: float, folder: Path | None) -> dict[str, float]:
    """Return how far the fixed-wavelet images of the peers are from ours, at convergence."""
    from kspace_denoise.recon import SenseOperator

    options = {"random_shifts": False, "iterations": CONVERGED}
    image = ours("l1_wavelet", case, lam, **options)
    theirs = sigpy("l1_wavelet", case, lam, wave_name="db2", max_iter=CONVERGED)
    found = {"sigpy": relative(theirs, image)}
    if folder:
        operator = SenseOperator(case.maps, case.mask)
        stepped = image + 0.95 * operator.adjoint(case.kspace - operator.forward(image))
        theirs = bart("l1_wavelet", case, lam, folder, "-n", "-i", str(CONVERGED))
        found |= {"bart": relative(theirs, stepped), "bart's last step": relative(stepped, image)}
    return found


def as_near(case: Case, lam: float, repeats: int) -> dict[str, float]:
    """Return what sigpy takes until it is as near to its converged image as ours has to be."""
    name = "sigpy"
    row = measure({name: partial(sigpy, "sense", case, lam, max_iter=AS_NEAR)}, repeats)[name]
    converged = sigpy("sense", case, lam, max_iter=CONVERGED)
    return {"wall ms": row.wall_ms, "converged": relative(row.result, converged)}


def judge(step: str, table: dict[str, dict[str, Any]]) -> dict[str, bool]:
    """Return the aims of one step and whether they are met."""
    mine, bart_row, sigpy_row = table["ours"], table.get("bart"), table["sigpy"]
    aims: dict[str, bool] = {}
    if step == "espirit":
        for peer in sorted(set(table) - {"ours"}):
            aims[f"ESPIRiT's median |cosine| to {peer} at least 0.999"] = (
                mine[peer]["median"] >= 0.999
            )
        if bart_row:
            aims["ESPIRiT no slower than BART"] = mine["wall_ms"] <= bart_row["wall_ms"]
    elif step == "sense":
        aims["SENSE three times faster than sigpy"] = 3 * mine["wall_ms"] <= sigpy_row["wall_ms"]
        aims["SENSE within 1e-4 of sigpy, converged"] = mine["converged"] <= 1e-4
    else:
        aims["L1-wavelet in half sigpy's time"] = 2 * mine["wall_ms"] <= sigpy_row["wall_ms"]
        if bart_row:
            for kind, least in table["bart, its best lambda"].items():
                error = table["ours, default lambda"][kind]
                aims[f"L1-wavelet at BART's error (to 1 %), {kind}"] = error <= 1.01 * least
    return aims


def show(name: str, row: dict[str, Any]) -> None:
    numbers = [
        f"{key} {value['median']:.5f} (1 %: {value['percentile_1']:.4f})"
        if isinstance(value, dict)
        else f"{key} {value:.4g}"
        for key, value in row.items()
        if key not in COSTS
    ]
    costs = "".join(f"{row[key]:9.0f}" for key in COSTS) if COSTS[0] in row else " " * 36
    print(f"  {name:22}{costs}   {', '.join(numbers)}", flush=True)


def run_step(
    step: str, case: Case, folder: Path, idle: dict[str, float], repeats: int
) -> dict[str, Any]:
    """Measure one step with the tools of `idle`, their memory before it; return its rows."""
    lam = LAMBDA_L2
    least: dict[str, float] = {}
    if step == "l1_wavelet":
        lam = 0.75
        if "bart" in idle:
            lam, least = best_of_bart(case, folder)
    print(f"\n{step}, lambda {lam}" if step != "espirit" else "\nespirit")
    print(f"{'':24}{'wall ms':>9}{'CPU ms':>9}{'peak MB':>9}{'beyond':>9}   relative to")
    calls = {"ours": ours, "sigpy": sigpy, "bart": partial(bart, folder=folder)}
    rows = measure({tool: partial(calls[tool], step, case, lam) for tool in idle}, repeats)
    table: dict[str, Any] = {}
    for tool, agreed in agreement(step, rows, case).items():
        peak = peak_memory(tool, step, lam, folder)
        costs = (*rows[tool][:2], peak, peak - idle[tool])
        table[tool] = dict(zip(COSTS, costs, strict=True)) | agreed
    if step == "sense":
        table[f"sigpy, {AS_NEAR} iterations"] = as_near(case, lam, repeats)
    if step == "l1_wavelet":
        table["ours, default lambda"] = image_errors(ours(step, case, None), case)
        if least:
            table["bart, its best lambda"] = least
        table["fixed db2, ours to"] = same_lambda(case, lam, folder if least else None)
    for name, row in table.items():
        show(name, row)
    return table


def run(steps: list[str], repeats: int) -> tuple[dict[str, Any], dict[str, bool]]:
    """Measure the steps; return the tables and the aims."""
    tools = [tool for tool in TOOLS if tool != "bart" or shutil.which("bart")]
    if "bart" not in tools:
        print("BART is not on the PATH: its rows and aims are left out")
    case = make_case()
    tables: dict[str, Any] = {}
    aims: dict[str, bool] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.savez(folder / "case.npz", **case._asdict())
        write_cfl(folder / "kspace", case.kspace)
        write_cfl(folder / "maps", case.maps)
        idle = {tool: peak_memory(tool, "nothing", 0.0, folder) for tool in tools}
        for step in steps:
            tables[step] = run_step(step, case, folder, idle, repeats)
            aims |= judge(step, tables[step])
    return tables, aims


def main() -> None:
    if "OMP_NUM_THREADS" not in os.environ:  # read once, when the libraries are loaded
        environment = {**os.environ, "OMP_NUM_THREADS": str(THREADS)}
        os.execve(sys.executable, [sys.executable, *sys.argv], environment)
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--steps", nargs="+", choices=STEPS, default=list(STEPS))
    parser.add_argument("--repeats", type=int, default=7, help="timed calls of each tool (7)")
    parser.add_argument("--json", type=Path, metavar="OUT", help="write the numbers there")
    parser.add_argument("--one-call", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one_call:
        tool, step, lam, path = options.one_call
        {"ours": ours, "sigpy": sigpy}[tool](step, Case(**np.load(path)), float(lam))
        return
    tables, aims = run(options.steps, options.repeats)
    print()
    for aim, met in aims.items():
        print(f"{aim:60}{'met' if met else 'MISSED'}")
    if options.json:
        options.json.write_text(json.dumps({"steps": tables, "aims": aims}, indent=2) + "\n")
    sys.exit(0 if all(aims.values()) else 1)


if __name__ == "__main__":
    main()
