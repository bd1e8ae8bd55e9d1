"""Training by two processes that torchrun starts, against one: steps per second, as ratios.

Every process has one thread; beside them one process with two threads, which is how a single
process uses two cores. All train the default network on the same batches, so that all find the same
weights. The median of three rounds in turn, after 10 steps that are not counted.

    python benchmarks/two_processes.py

Takes 3 minutes on 2 cores, on which nothing else should run. With `--device cuda`, on a computer of
two GPUs or more, each process has its own.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

import numpy as np

import kspace_denoise as kd
from kspace_denoise.cli.common import resolve_device
from kspace_denoise.training.config import TrainConfig
from kspace_denoise.training.processes import torchrun

WARM, TIMED, ROUNDS = 10, 60, 3
CASES = {"1 process, 1 thread": (1, 1), "1 process, 2 threads": (1, 2), "2 processes": (2, 1)}


def alone(device: str) -> None:
    """Train in this process, among those that torchrun started; the first one prints its pace."""
    data = np.random.default_rng(0).standard_normal((8, 160, 160, 2)).astype(np.float32)
    images = kd.Images(data=8 * data.view(np.complex64)[..., 0], sigma=1.0)
    seconds = {}
    device = resolve_device(device)
    with torchrun(device) as these:
        kd.train(
            "c2s", images, config=TrainConfig(steps=WARM + TIMED), device=device,
            report=lambda progress: seconds.update({progress.step: progress.seconds}),
        )  # fmt: skip
    if these.first:
        print(json.dumps(TIMED / (seconds[WARM + TIMED] - seconds[WARM])))


def pace(processes: int, threads: int, device: str) -> float:
    """Return steps per second."""
    words = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    done = subprocess.run(
        [sys.executable, *words, __file__, "--alone", "--device", device],
        env=os.environ | {"OMP_NUM_THREADS": str(threads)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(done.stderr)
    return float(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.alone:
        alone(options.device)
        return
    rounds = [{n: pace(*c, options.device) for n, c in CASES.items()} for _ in range(ROUNDS)]
    print("| processes | steps/s | over 1 process, 1 thread, in each round |")
    print("| --- | ---: | --- |")
    for name in CASES:
        rate = statistics.median(one[name] for one in rounds)
        ratios = ", ".join(f"{one[name] / one['1 process, 1 thread']:.2f}" for one in rounds)
        print(f"| {name} | {rate:.2f} | {ratios} |")
    if options.json:
        options.json.write_text(json.dumps(rounds, indent=1))


if __name__ == "__main__":
    main()
