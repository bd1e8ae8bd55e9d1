"""Inference of DDM2 from an image's own state against the whole chain, on one slice.

The paper's chain goes through all 1000 steps of its schedule from pure noise; from the matched
state it begins where the noise of the image is. The default asks its network once for each of
eight symmetries. Both networks are our small U-Net. Times do not depend on weights: those here are
untrained. States are matched to slices of the diffusion phantom in the paper's unit, with the true
image as the noise model.

    python benchmarks/ddm2_inference.py
    python benchmarks/ddm2_inference.py --device cuda

Takes three minutes on 2 cores.
"""

import argparse
import time

import numpy as np
import torch

import kspace_denoise as kd
from kspace_denoise.dmri import corrupted, shuffled
from kspace_denoise.dmri.networks import diffusion_network
from kspace_denoise.dmri.schedule import signal_left
from kspace_denoise.dmri.state import matched_state
from kspace_denoise.dmri.volumes import Volumes
from kspace_denoise.objectives.ddm2 import DDM2

SIZE = 112
SIGMAS = (0.16, 0.08, 0.04, 0.02)


def chain_seconds(level: float, device: str) -> float:
    """Return the time of the paper's chain from a noise level down."""
    method, config = DDM2.paper(), kd.TrainConfig(paper=True)
    network = diffusion_network(config, method)
    start = torch.zeros(1, 1, SIZE, SIZE)
    first = torch.tensor([level])
    generator = torch.Generator(device).manual_seed(0)
    started = time.perf_counter()
    shuffled.from_state(network, start, first, method, config, device, generator).cpu()
    return time.perf_counter() - started


def default_seconds(device: str) -> float:
    """Return the time of the default's one question, with its eight symmetries."""
    method, config = DDM2(), kd.TrainConfig()
    network = diffusion_network(config, method)
    image = torch.randn(1, 4, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    volumes = Volumes(image, torch.zeros(1, 1, dtype=torch.long))
    levels = torch.full((1, 4), 0.3)
    started = time.perf_counter()
    corrupted.denoised(network, volumes, image, levels, config, device)
    return (time.perf_counter() - started) / 4


def matched_levels() -> dict[float, tuple[int, float]]:
    """Return the step and the level of typical slices by the noise of the phantom."""
    scheme = kd.sim.gradient_scheme(6, 1000.0, 1)
    phantom = kd.sim.diffusion_phantom((3, SIZE, SIZE), scheme, seed=0)
    truth = torch.from_numpy(np.abs(phantom.image[scheme.bval > 0])).flatten(0, 1)
    left = signal_left("rev_warmup70")
    found = {}
    for sigma in SIGMAS:
        noise = torch.randn(truth.shape, generator=torch.Generator().manual_seed(1))
        noisy = truth + sigma * noise
        half = noisy.amax() / 2
        state = matched_state(noisy / half - 1, truth / half - 1, left)
        signal = float(state.signal.median())
        step = int((left - signal).abs().argmin())
        found[sigma] = (step, float((1 - signal**2) ** 0.5 / signal))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cpu")
    device = parser.parse_args().device
    chain_seconds(0.1, device)  # the first call is slower
    whole = chain_seconds(10.0, device)
    print(f"{SIZE} x {SIZE}, {torch.get_num_threads()} threads, {device}")
    print("| inference | steps | s per slice | times as fast |")
    print("| --- | ---: | ---: | ---: |")
    print(f"| the whole chain | 1000 | {whole:.2f} | 1 |")
    for sigma, (step, level) in matched_levels().items():
        seconds = chain_seconds(level, device)
        print(
            f"| from the state of σ = {sigma:g} | {step} | {seconds:.2f} | {whole / seconds:.1f} |"
        )
    default_seconds(device)
    once = default_seconds(device)
    print(f"| the default | 1, of 8 symmetries | {once:.3f} | {whole / once:.0f} |")


if __name__ == "__main__":
    main()
