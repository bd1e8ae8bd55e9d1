"""Training of the C2S U-Net: images per second and memory, beside a plain float32 loop.

`plain` is the textbook loop of `plain_unet.py`; `ours` is the trainer that `kspace-denoise train`
runs. Both train the default network on the same complex images, each in processes of its own that
take turns; the median of the rounds is printed. The share of the peak counts the operations of
convolutions and matrix products of each network, forward and backward, against the rate of a large
float32 matrix product in the same run (on a GPU: a bfloat16 one). Memory is the largest resident
size of the process, less that before the network was made; on a GPU the largest allocated.

With a CUDA device the same two are run there (ours in bfloat16, channels-last, with fused
attention, compiled), with larger batches.

    python benchmarks/training_speed.py --json training_speed.json

Exits with 1 if an aim is missed. Takes 3 minutes on 2 cores.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

sys.path.insert(0, str(Path(__file__).parent))
from plain_unet import PlainLoop, PlainUNet

from kspace_denoise.denoiser import build_network
from kspace_denoise.networks import UNetConfig
from kspace_denoise.objectives import C2S
from kspace_denoise.training.ahead import Ahead
from kspace_denoise.training.config import TrainConfig
from kspace_denoise.training.images import NoisyImages
from kspace_denoise.training.parts import Parts
from kspace_denoise.training.trainer import Trainer

TOOLS = ("plain", "ours")
AIMS = {"cpu": 2.3, "cuda": 3.0}
SIZES = {"cpu": (4, 64, 30), "cuda": (64, 128, 50)}  # batch, patch, steps timed
WARM = {"cpu": 5, "cuda": 20}
ROUNDS = 3
SNR = 8.0


def images() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return SNR * torch.randn(8, 160, 160, dtype=torch.complex64, generator=generator)


def plain_network() -> PlainUNet:
    shape = UNetConfig()
    network = PlainUNet(shape.base, shape.multipliers, shape.heads, 2)
    ours = build_network(shape, 2)
    assert weights(network) == weights(ours), "the plain network must be the same network"
    return network


def plain(device: str) -> Callable[[], None]:
    network = plain_network().to(device)
    loop = PlainLoop(network, images().to(device) / SNR, 1 / SNR)
    batch, patch, _ = SIZES[device]
    return lambda: loop.step(batch, patch)


def ours(device: str) -> Callable[[], None]:
    batch, patch, _ = SIZES[device]
    config = TrainConfig(steps=10**6, batch=batch, patch=patch, compile=device == "cuda")
    noisy = NoisyImages.from_arrays(list(images().numpy()))
    trainer = Trainer(build_network(config.network, 2), C2S(), noisy, config, device=device)
    parts = Parts(trainer._compiled, trainer.objective, device, config.parts).__enter__()
    batches = Ahead(trainer._batch)
    return lambda: trainer._step(parts, batches.take(trainer.progress.step))


def weights(network: torch.nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def operations(tool: str, patch: int) -> float:
    """Return the floating-point operations of one image, forward and backward."""
    level = torch.ones(1)
    # Fused attention is not counted on a CPU; its definition has the same products.
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        if tool == "plain":
            answer = plain_network()(torch.randn(1, 2, patch, patch), level)
        else:
            x = torch.randn(1, patch, patch, dtype=torch.complex64)
            answer = build_network(UNetConfig(), 2)(x, level)
        answer.abs().sum().backward()
    return float(counter.get_total_flops())


def alone(tool: str, device: str) -> dict[str, float]:
    """Time one tool in this process."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    step = {"plain": plain, "ours": ours}[tool](device)
    batch, _, steps = SIZES[device]
    for _ in range(WARM[device]):
        step()
    wait(device)
    started = time.perf_counter()
    for _ in range(steps):
        step()
    wait(device)
    seconds = (time.perf_counter() - started) / steps
    memory = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    if device == "cuda":
        memory = torch.cuda.max_memory_allocated() / 2**20
    return {"images_per_second": batch / seconds, "memory_mib": memory}


def peak(device: str) -> float:
    """Return the rate of a large matrix product, operations per second."""
    size, dtype = (2048, torch.float32) if device == "cpu" else (8192, torch.bfloat16)
    a = torch.randn(size, size, device=device, dtype=dtype)
    rates = []
    for _ in range(8):
        wait(device)
        started = time.perf_counter()
        a @ a
        wait(device)
        rates.append(2 * size**3 / (time.perf_counter() - started))
    return max(rates)


def wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def in_process(*arguments: str) -> Any:
    command = [sys.executable, __file__, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def measure(device: str) -> dict[str, Any]:
    rounds = [{tool: in_process("--alone", tool, device) for tool in TOOLS} for _ in range(ROUNDS)]
    best = in_process("--peak", device)
    result: dict[str, Any] = {"device": device, "threads": torch.get_num_threads(), "peak": best}
    for tool in TOOLS:
        rate = statistics.median(r[tool]["images_per_second"] for r in rounds)
        memory = statistics.median(r[tool]["memory_mib"] for r in rounds)
        flops = operations(tool, SIZES[device][1])
        result[tool] = {
            "images_per_second": rate,
            "memory_mib": memory,
            "operations": flops,
            "share_of_peak": rate * flops / best,
        }
    ratios = [r["ours"]["images_per_second"] / r["plain"]["images_per_second"] for r in rounds]
    return {**result, "ratios": ratios, "ratio": statistics.median(ratios), "aim": AIMS[device]}


def show(result: dict[str, Any]) -> None:
    batch, patch, _ = SIZES[result["device"]]
    print(
        f"\n{result['device']}, batches of {batch} x {patch}², "
        f"peak {result['peak'] / 1e9:.0f} GFLOP/s"
    )
    print("| loop | images/s | MFLOP per image | of the peak | memory (MiB) |")
    print("| --- | --- | --- | --- | --- |")
    for tool in TOOLS:
        row = result[tool]
        print(
            f"| {tool} | {row['images_per_second']:.1f} | {row['operations'] / 1e6:.0f} "
            f"| {row['share_of_peak']:.0%} | {row['memory_mib']:.0f} |"
        )
    print(f"ratio {result['ratio']:.2f} (asked {result['aim']}); rounds {result['ratios']}")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--json", type=Path)
    parser.add_argument("--alone", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--peak", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.alone:
        print(json.dumps(alone(*arguments.alone)))
        return 0
    if arguments.peak:
        print(json.dumps(peak(arguments.peak)))
        return 0
    devices = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    results = [measure(device) for device in devices]
    for result in results:
        show(result)
    if "cuda" not in devices:
        print("\nGPU: not measured, as this machine has none")
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1))
    return int(any(result["ratio"] < result["aim"] for result in results))


if __name__ == "__main__":
    sys.exit(main())
