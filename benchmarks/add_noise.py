"""Add correlated coil noise to a 16 x 640 x 368 complex64 slice: speed and memory beside peers.

`numpy` draws two real normals, makes complex128 of them, mixes the coils with a Cholesky factor and
adds; `sigpy` draws with `sigpy.randn` in complex64 and does the same. All three return k-space
with noise of the same covariance. Each tool runs in processes of its own, as the threads of one
slow the calls of another down that follow at once; the processes of the tools take turns, and the
median of all their calls is printed. GB/s counts the slice read once and written once. Memory is
the growth of the peak of a process during its first call, in slices; the result is one of them.

With a CUDA device a second table follows: there the comparison is a plain copy of the slice on the
same GPU, which reads and writes as much.

    python benchmarks/add_noise.py --json add_noise.json

Exits with 1 if an aim is missed.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

SHAPE = (16, 640, 368)
BYTES = 8 * int(np.prod(SHAPE))
FASTER, SLICES = 4.0, 2.0  # aims: speed over numpy; growth of memory, the result included
SEED = 0
ROUNDS = 3


def make_case() -> tuple[np.ndarray, np.ndarray]:
    """Return k-space of white noise (its content does not matter) and a coil covariance."""
    from kspace_denoise import sim

    coils = SHAPE[0]
    empty = np.zeros(SHAPE, np.complex64)
    return sim.noise_like(empty, 2 * np.eye(coils), seed=1), sim.array_covariance(coils, seed=0)


def ours(kspace: np.ndarray, psi: np.ndarray) -> np.ndarray:
    from kspace_denoise import sim

    return sim.add_noise(kspace, psi, seed=SEED)


def plain_numpy(kspace: np.ndarray, psi: np.ndarray) -> np.ndarray:
    draw, coils = np.random.default_rng(SEED).standard_normal, len(psi)
    flat = (coils, kspace[0].size)
    white = (draw(flat) + 1j * draw(flat)) / np.sqrt(2)
    return (kspace + (np.linalg.cholesky(psi) @ white).reshape(kspace.shape)).astype(np.complex64)


def plain_sigpy(kspace: np.ndarray, psi: np.ndarray) -> np.ndarray:
    import sigpy

    white = sigpy.randn((len(psi), kspace[0].size), dtype=np.complex64)
    root = np.linalg.cholesky(psi).astype(np.complex64)
    return kspace + (root @ white).reshape(kspace.shape)


TOOLS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "ours": ours,
    "numpy": plain_numpy,
    "sigpy": plain_sigpy,
}


def alone(tool: str, repeats: int) -> dict[str, Any]:
    """Return the memory of the first call in this process, in slices, and the times of others."""
    from kspace_denoise import sim

    kspace, psi = np.ones(SHAPE, np.complex64), sim.array_covariance(SHAPE[0], seed=0)
    TOOLS[tool](kspace[:, :8, :8].copy(), psi)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    TOOLS[tool](kspace, psi)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 / BYTES
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        TOOLS[tool](kspace, psi)
        times.append(time.perf_counter() - start)
    return {"slices": grown, "seconds": times}


def in_turns(repeats: int) -> dict[str, dict[str, float]]:
    """Return the memory and the median time of every tool, each in `ROUNDS` fresh processes."""
    found: dict[str, list[dict[str, Any]]] = {tool: [] for tool in TOOLS}
    for _ in range(ROUNDS):
        for tool, records in found.items():
            command = [sys.executable, __file__, "--alone", tool, "--repeats", str(repeats)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            records.append(json.loads(done.stdout))
    return {
        tool: {
            "slices": max(record["slices"] for record in records),
            "seconds": float(np.median([t for record in records for t in record["seconds"]])),
        }
        for tool, records in found.items()
    }


def error_of_covariance() -> float:
    """Return the largest deviation of our noise from its covariance, in standard errors."""
    kspace, psi = make_case()
    noise = (ours(kspace, psi) - kspace).reshape(len(psi), -1).astype(np.complex128)
    found = noise @ noise.conj().T / noise.shape[1]
    level = np.diag(psi).real
    return float(np.max(np.abs(found - psi) / np.sqrt(np.outer(level, level) / noise.shape[1])))


def on_gpu(repeats: int) -> dict[str, float] | None:
    """Return the GB/s of our noise and of a copy on the GPU; None without one."""
    import torch

    from kspace_denoise import sim

    if not torch.cuda.is_available():
        return None
    kspace, psi = make_case()
    there = torch.from_numpy(kspace).cuda()
    calls = {"ours": lambda: sim.add_noise(there, psi, seed=SEED), "copy": there.clone}
    rates = {}
    for name, call in calls.items():
        call()
        torch.cuda.synchronize()
        start = time.perf_counter()
        for _ in range(10 * repeats):
            call()
        torch.cuda.synchronize()
        rates[name] = 2 * BYTES * 10 * repeats / (time.perf_counter() - start) / 1e9
    return {**rates, "share_of_bandwidth": rates["ours"] / rates["copy"]}


def run(repeats: int) -> dict[str, Any]:
    """Measure, print and judge."""
    taken = in_turns(repeats)
    table = {
        tool: {
            "ms": 1e3 * row["seconds"],
            "GB_per_s": 2 * BYTES / row["seconds"] / 1e9,
            "ratio": taken["numpy"]["seconds"] / row["seconds"],
            "slices": row["slices"],
        }
        for tool, row in taken.items()
    }
    print(f"{'':8}{'ms':>8}{'GB/s':>8}{'faster than numpy':>20}{'memory (slices)':>18}")
    for tool, row in table.items():
        ms, rate, ratio, grown = row.values()
        print(f"{tool:8}{ms:8.1f}{rate:8.2f}{ratio:20.2f}{grown:18.2f}")
    deviation = error_of_covariance()
    print(
        f"\nlargest deviation from the covariance: {deviation:.2f} standard errors of 256 numbers"
    )
    gpu = on_gpu(repeats)
    print("GPU: " + ("not measured" if gpu is None else json.dumps(gpu)))
    mine = table["ours"]
    aims = {
        f"{FASTER:g} times faster than numpy": mine["ratio"] >= FASTER,
        "at most one copy of the slice beyond the result": mine["slices"] <= SLICES,
    }
    for aim, met in aims.items():
        print(f"{aim:60}{'met' if met else 'MISSED'}")
    return {"tools": table, "deviation": deviation, "gpu": gpu, "aims": aims}


def main() -> None:
    if "OMP_NUM_THREADS" not in os.environ:  # read once, when the libraries are loaded
        environment = {**os.environ, "OMP_NUM_THREADS": str(os.cpu_count())}
        os.execve(sys.executable, [sys.executable, *sys.argv], environment)
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repeats", type=int, default=15, help="timed calls of a process (15)")
    parser.add_argument("--json", type=Path, metavar="OUT", help="write the numbers there")
    parser.add_argument("--alone", choices=list(TOOLS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.alone:
        print(json.dumps(alone(options.alone, options.repeats)))
        return
    found = run(options.repeats)
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n")
    sys.exit(0 if all(found["aims"].values()) else 1)


if __name__ == "__main__":
    main()
