"""A denoiser inside somebody's torch code: tensors without a copy, gradients through it.

How far is a denoised image from the truth that nobody has? Stein's estimate tells, from the image,
its noise and the divergence of the denoiser, which autograd gives. Half a minute on two cores, no
file is needed:

    python examples/in_a_torch_script.py
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

import kspace_denoise as kd
from kspace_denoise import recon, sim
from kspace_denoise.networks import UNetConfig

MATRIX, COILS = (96, 96), 6
PSI = 1e-3 * np.eye(COILS)


def train(steps: int) -> kd.Denoiser:
    """Return a denoiser that has seen noisy scans of other heads alone."""
    heads = [sim.phantom(MATRIX, coils=COILS, seed=s).kspace for s in range(8)]
    scan = kd.Scan(kspace=sim.add_noise(np.stack(heads), PSI, seed=1), noise_covariance=PSI)
    network = UNetConfig(base=8, multipliers=(1, 2, 4), attention=(2,))
    config = kd.TrainConfig(network=network, steps=steps, batch=4, patch=48, learning_rate=3e-3)
    return kd.train("c2s", scan, config=config.replace(warmup=20, symmetries=1), seed=0)


def stein(module: torch.nn.Module, image: Tensor, sigma: Tensor, probes: int = 4) -> float:
    """Return the mean squared error of each real component, in units of the noise variance.

    |D - x|² / 2N - 1 + 2 div D / 2N in SNR units, the divergence by random signs b: mean of b J b.
    """
    image = (image / sigma).requires_grad_()  # sigma = 1 in every real component
    denoised = module(image, 1.0)
    generator = torch.Generator().manual_seed(0)
    divergence = 0.0
    for _ in range(probes):
        signs = torch.randint(0, 2, (2, *image.shape), generator=generator) * 2.0 - 1
        b = torch.complex(*signs)
        along = (b.conj() * denoised).real.sum()
        (gradient,) = torch.autograd.grad(along, image, retain_graph=True)
        divergence += float((gradient.conj() * b).real.sum()) / probes
    count = 2 * image.numel()
    distance = float((denoised - image).detach().abs().square().sum())
    return distance / count - 1 + 2 * divergence / count


def main(steps: int, out: Path) -> dict[str, float]:
    """Run the chain, draw it into `out`, and return the estimate and the truth."""
    head = sim.phantom(MATRIX, coils=COILS, seed=100)
    noisy = recon.whiten(sim.add_noise(head.kspace, PSI, seed=2), PSI)
    kspace = torch.from_dlpack(noisy)  # the same memory: nothing is copied
    assert kspace.data_ptr() == noisy.ctypes.data
    maps = recon.espirit(kspace, calibration=24)
    image, sigma = recon.sense(kspace, maps, noise_covariance=torch.eye(COILS) * 2)[:2]
    clean = recon.sense(torch.from_dlpack(recon.whiten(head.kspace, PSI)), maps).image
    inside = sigma > 0
    level = torch.where(inside, sigma, 1)

    module = train(steps).module()
    with torch.no_grad():
        denoised = module(image, level)
    errors = (denoised - clean).abs().square() / level**2 / 2
    found = {"estimated": stein(module, image, level), "true": float(errors.mean())}
    for name, error in found.items():
        print(f"{name}: {error:.3f} of the noise variance")
    draw({"noisy": image, "denoised": denoised, "clean": clean}, out)
    return found


def draw(images: dict[str, Tensor], path: Path) -> None:
    """Write the images side by side."""
    figure = Figure(figsize=(9.5, 3.6), layout="constrained")
    brightest = np.percentile(images["clean"].abs().numpy(), 99.5)
    for panel, (name, image) in zip(figure.subplots(1, len(images)), images.items(), strict=True):
        panel.imshow(image.abs().numpy(), cmap="gray", vmin=0, vmax=brightest)
        panel.set_title(name)
        panel.axis("off")
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=100, help="of training")
    parser.add_argument("--out", type=Path, default=Path("in_a_torch_script.png"))
    options = parser.parse_args()
    main(options.steps, options.out)
