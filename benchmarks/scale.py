"""What fastMRI costs: rates measured on this machine, and the hours that follow from them.

fastMRI's raw data are 1.6 TB; they are taken for slices of 15 coils and 640 x 368, 28 MB each. On
one phantom slice of that size it is measured how long it takes to read it, to simulate a low field
and write the result, to make its SENSE image (coil maps and all), to train on a crop of an image
that is read from a cache on disk, and to denoise it, in eight passes and in one. Reading and SENSE
images are work for the cores of a CPU, one slice each; training and denoising are done on the
device. Waiting is the share of training in which nothing was computed for want of a batch, from
images that no longer stood in memory when training began.

    python benchmarks/scale.py
    python benchmarks/scale.py --device cuda

Takes 3 minutes on 2 cores. A GPU is supposed to have 16 cores beside it. Eight times the machine
takes an eighth of the time where files are shared between processes; that training does so, whose
gradients are added up at every step, is an assumption.
"""

import argparse
import dataclasses
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

import kspace_denoise as kd
from kspace_denoise import provenance, sim
from kspace_denoise.scan import Images, Scan
from kspace_denoise.stages import known_noise, reconstruct_slice
from kspace_denoise.training.config import TrainConfig

TOTAL = 1.6e12  # bytes of fastMRI
COILS, SHAPE = 15, (640, 368)
FIELDS = 3.0, 0.3
EPOCHS = 10
"""How often training sees every slice, as a crop."""
CHECKSUMS = "the inputs' checksums behind it, by one core"
CORES = {"cpu": os.cpu_count() or 1, "cuda": 16}
SIZES = {"cpu": (4, 64, 50), "cuda": (64, 128, 100)}  # batch, crop, steps
WARM = 10
IMAGES = 1500
"""Slices in the cache that training is measured on: more than it draws, as systems read ahead."""


def seconds(work: Callable[[], object], repeats: int = 3) -> float:
    """Return the fastest of several runs."""
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return min(times)


def forget(path: Path) -> None:
    """Have the system drop a file from memory, so that it is read from disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def on_cores(folder: Path) -> dict[str, float]:
    """Return the seconds per slice of what one core does."""
    psi = 1e-3 * sim.array_covariance(COILS, seed=1)
    clean = np.asarray(sim.phantom(SHAPE, seed=1, coils=COILS).kspace)[None]
    scan = Scan(
        kspace=sim.add_noise(clean, psi, seed=0), noise_covariance=psi, field_strength=FIELDS[0]
    )
    path, low = folder / "scan.h5", folder / "low.h5"
    kd.write(path, scan)

    def simulate() -> sim.LowField:
        return sim.low_field(scan.kspace[:], psi, field=FIELDS[1], source_field=FIELDS[0], seed=1)

    lower = simulate()
    simulated = Scan(kspace=lower.kspace, noise_covariance=lower.noise_covariance)

    def write() -> None:
        kd.write(low, simulated)
        with low.open("rb") as file:
            os.fsync(file.fileno())

    def read() -> None:
        forget(path)
        found = kd.read(path)
        assert isinstance(found, Scan)
        found.kspace[0]

    noise, threads = known_noise(scan), torch.get_num_threads()
    torch.set_num_threads(1)
    found = {
        "read": seconds(read),
        "simulate": seconds(simulate),
        "write": seconds(write),
        "checksum": seconds(lambda: provenance.sha256(path)),
        "SENSE image": seconds(lambda: reconstruct_slice(scan.kspace[0], noise), 2),
    }
    torch.set_num_threads(threads)
    return found


def on_device(folder: Path, device: str) -> dict[str, float]:
    """Return the seconds per crop and per slice of the network, and the share of waiting."""
    batch, patch, steps = SIZES[device]
    config = TrainConfig(steps=WARM + steps, batch=batch, patch=patch, compile=device == "cuda")
    heads = [np.asarray(sim.phantom(SHAPE, seed=s).image, np.complex64) for s in range(4)]
    data = np.stack([8 * heads[i % 4] / np.abs(heads[i % 4]).mean() for i in range(IMAGES)])
    data += sim.add_noise(np.zeros((1, *SHAPE), np.complex64), 2 * np.eye(1), seed=0)
    images = Images(data=data, sigma=1.0)
    cache = folder / "cache"
    kd.train("c2s", images, config=config.replace(steps=1, compile=False), cache=cache)
    for path in cache.iterdir():
        forget(path)
    seen: dict[int, tuple[float, float]] = {}
    denoiser = kd.train(
        "c2s", images, config=config, cache=cache, device=device,
        report=lambda progress: seen.update({progress.step: (progress.seconds, progress.waited)}),
    )  # fmt: skip
    first, last = seen[WARM], seen[WARM + steps]
    spent = last[0] - first[0]
    slices = np.asarray(images.data[: 2 if device == "cpu" else 16])
    once = dataclasses.replace(denoiser, config=denoiser.config.replace(symmetries=1))
    once(slices[:1], 1.0)
    return {
        "training, per crop": spent / steps / batch,
        "waiting, share of training": (last[1] - first[1]) / spent,
        "denoising": seconds(lambda: denoiser(slices, 1.0), 2) / len(slices),
        "denoising in one pass": seconds(lambda: once(slices, 1.0), 2) / len(slices),
    }


def hours(rates: dict[str, float], cores: int) -> dict[str, dict[str, float]]:
    """Return the hours of each task on one device and so many cores, by what they are spent on."""
    device = TOTAL / (COILS * SHAPE[0] * SHAPE[1] * 8) / 3600
    core = device / cores
    images = {"read": core * rates["read"], "SENSE image": core * rates["SENSE image"]}
    return {
        "simulate a low field": {
            "read": core * rates["read"],
            "simulate": core * rates["simulate"],
            "write": core * rates["write"],
        },
        "make the SENSE images, once": images,
        f"train, {EPOCHS} crops of every slice": {
            "network": EPOCHS * device * rates["training, per crop"]
        },
        CHECKSUMS: {"checksum": device * rates["checksum"]},
        "denoise": {**images, "network": device * rates["denoising"]},
        "denoise in one pass": {**images, "network": device * rates["denoising in one pass"]},
    }


def show(rates: dict[str, Any], device: str) -> None:
    where = torch.cuda.get_device_name() if device == "cuda" else "CPU"
    print(f"{where}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    batch, patch, _ = SIZES[device]
    print(f"crops of {patch} x {patch} in batches of {batch}\n\n| per slice | seconds |")
    print("| --- | ---: |")
    for name, value in rates.items():
        print(f"| {name} | {value:.4f} |")
    cores = CORES[device]
    print(f"\n| hours for 1.6 TB | 1 {where}, {cores} cores | 8, {8 * cores} cores | mostly |")
    print("| --- | ---: | ---: | --- |")
    for name, parts in hours(rates, cores).items():
        total = sum(parts.values())
        most = max(parts, key=lambda part: parts[part])
        eighth = total if name == CHECKSUMS else total / 8
        print(f"| {name} | {total:.1f} | {eighth:.1f} | {most} ({parts[most] / total:.0%}) |")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cpu", choices=tuple(SIZES))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        rates = {**on_cores(Path(name)), **on_device(Path(name), options.device)}
    show(rates, options.device)
    if options.json:
        options.json.write_text(json.dumps(rates, indent=1))


if __name__ == "__main__":
    main()
