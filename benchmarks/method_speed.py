"""What a training step and a slice cost with every method, and with every network.

Trained methods train the default network, networks are trained as Corruption2Self; all with the
default batch and crops, on phantoms of 4 coils and 128 x 128. All denoise 4 slices as they do by
default: trained ones as the mean over eight symmetries, of all draws or grids that a method takes.
One process, which should be alone on its machine; the warm-up of 10 steps and of one slice is not
counted.

    python benchmarks/method_speed.py

Takes 5 minutes on 2 cores.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch

import kspace_denoise as kd
from kspace_denoise import sim
from kspace_denoise.classical import CLASSICAL
from kspace_denoise.networks import ARCHITECTURES, network_config
from kspace_denoise.objectives import METHODS
from kspace_denoise.scan import Scan
from kspace_denoise.training.config import TrainConfig

Numpy: TypeAlias = np.ndarray[Any, Any]

SHAPE, COILS, SLICES, SNR = (128, 128), 4, 4, 8.0
WARM, TIMED = 10, 30
PRIORS = ("diffusion", "gsure")  # no denoisers of one noise level


def scans() -> tuple[Scan, Scan, Scan]:
    """Return two noisy repetitions and the clean scan."""
    heads = [sim.phantom(SHAPE, seed=700_000 + i, coils=COILS) for i in range(SLICES)]
    clean = np.stack([head.kspace for head in heads])
    psi = np.eye(COILS) * 2 * np.mean([np.abs(h.image[h.mask]).mean() for h in heads]) ** 2 / SNR**2
    noisy = (sim.add_noise(clean, psi, seed=seed) for seed in (0, 1))
    first, second = (Scan(kspace=one, noise_covariance=psi) for one in noisy)
    return first, second, Scan(kspace=clean)


def images() -> Numpy:
    """Return noisy complex slices, sigma 1."""
    heads = [sim.phantom(SHAPE, seed=700_000 + i) for i in range(SLICES)]
    clean = np.stack([SNR * h.image / np.abs(h.image[h.mask]).mean() for h in heads])
    return np.asarray(sim.add_noise(clean[:, None], 2 * np.eye(1), seed=2)[:, 0], np.complex64)


def per_slice(denoiser: Callable[[Numpy, float], object], slices: Numpy) -> float:
    """Return the seconds of a slice, without those of the first one."""
    denoiser(slices[:1], 1.0)
    started = time.perf_counter()
    denoiser(slices, 1.0)
    return (time.perf_counter() - started) / len(slices)


def trained(method: str, architecture: str, device: str) -> dict[str, Any]:
    """Train and denoise with one method and network; return the seconds of both."""
    network = network_config({"architecture": architecture})
    config = TrainConfig(steps=WARM + TIMED, network=network, compile=device == "cuda")
    first, second, clean = scans()
    targets = {"nothing": None, "repetition": second, "clean": clean}[METHODS[method].pair]
    seconds = {}
    denoiser = kd.train(
        method, first, config=config, targets=targets, device=device,
        report=lambda progress: seconds.update({progress.step: progress.seconds}),
    )  # fmt: skip
    return {
        "method": method,
        "network": architecture,
        "weights": sum(p.numel() for p in denoiser.network.parameters()),
        "step": (seconds[WARM + TIMED] - seconds[WARM]) / TIMED,
        "slice": per_slice(denoiser, images()),
    }


def classical(method: str) -> dict[str, Any]:
    """Denoise with a method that needs no training, on the CPU; of the slowest one slice."""
    slices = images()[: 1 if method == "dip" else SLICES]
    return {"method": method, "network": None, "slice": per_slice(CLASSICAL[method](), slices)}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cpu", help="cpu or cuda (default: %(default)s)")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    cases = [(method, "unet") for method in METHODS if method not in PRIORS]
    cases += [("c2s", name) for name in ARCHITECTURES if name != "unet"]
    print(f"{options.device}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    print("| method | network | weights, million | ms per step | s per slice |")
    print("| --- | --- | ---: | ---: | ---: |")
    rows = []
    for method in CLASSICAL:
        rows.append(classical(method))
        print(f"| {method} | | | | {rows[-1]['slice']:.2f} |", flush=True)
    for method, name in cases:
        row = trained(method, name, options.device)
        rows.append(row)
        millions, step = row["weights"] / 1e6, 1000 * row["step"]
        print(
            f"| {method} | {name} | {millions:.2f} | {step:.0f} | {row['slice']:.2f} |", flush=True
        )
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
