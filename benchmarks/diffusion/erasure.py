"""Generation by priors from images with erased patches and noise, by a Fréchet distance.

As the CelebA experiment of GSURE-Diffusion: a grid of 8 x 8 patches of each phantom slice, each
erased with probability p, noise of sigma (largest magnitude 1). GSURE and naive training on such
images, and the oracle, trained on clean ones, generate magnitudes by DDIM of 20 steps, in bfloat16.
The distance is that of Gaussians (Dowson and Landau, 1982) fitted to wavelet statistics of the
images, not the Inception distance of the paper: logarithms of mean and root mean square of the
details on 4 scales, along the axes (both together, as oracle and naive training turn images, and
GSURE does not) and across, in units of their spread over phantoms. All end at the lowest level
that GSURE can learn of a case; `phantoms` is the distance of other unseen phantoms, `noisy
phantoms` with noise of that level. The picture shows the middle case.

    python -m benchmarks.diffusion.erasure --work WORK --json erasure.json --figure erasure.png
"""

import argparse
import dataclasses
import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pywt
import scipy.linalg
import torch

import kspace_denoise as kd
from benchmarks.diffusion.phantoms import FIRST, SHAPE, TRAINING, Numpy, head
from benchmarks.diffusion.priors import settings
from kspace_denoise import recon, sim
from kspace_denoise.denoiser import build_network
from kspace_denoise.objectives import GSURE
from kspace_denoise.random import complex_normal
from kspace_denoise.recon.diffusion_levels import ddpm_levels
from kspace_denoise.recon.spectral import PixelSampling
from kspace_denoise.training.spectra import Spectra, Spectrum
from kspace_denoise.training.train import train
from kspace_denoise.training.trainer import Trainer

CASES = ((0.2, 0.01), (0.4, 0.02), (0.6, 0.03))
PATCHES, STEPS, SAMPLES, LEVELS, BATCH = 8, 1500, 256, 20, 16


def degraded(erased: float, sigma: float) -> tuple[Numpy, Numpy]:
    """Return images with noise, 0 where erased, and the mask of what is left."""
    generator = np.random.default_rng([FIRST["train"], int(100 * erased)])
    images = np.stack([head("train", number).image for number in range(TRAINING)])
    kept = generator.random((TRAINING, PATCHES, PATCHES)) >= erased
    mask = np.kron(kept, np.ones((1, SHAPE[0] // PATCHES, SHAPE[1] // PATCHES))).astype(bool)
    if sigma:
        images = sim.add_noise(images[:, None], np.array([[2 * sigma**2]]), seed=generator)[:, 0]
    return images * mask, mask


def gsure(erased: float, sigma: float, work: Path, steps: int) -> kd.Denoiser:
    """Return a prior from degraded images; their root mean square is that of the pixels left."""
    path = work / f"erasure_gsure_{erased}_{steps}.safetensors"
    if path.exists():
        return kd.load(path)
    seen, masks = degraded(erased, sigma)
    spectra = []
    for image, mask in zip(seen, masks, strict=True):
        if mask.any():
            rms = float(np.sqrt(np.mean(np.abs(image[mask]) ** 2) - 2 * sigma**2))
            density = np.full(SHAPE, 1 - erased, np.float32)
            spectra.append(Spectrum(image, mask, sigma, rms, density))
    data = Spectra.collect(spectra, PixelSampling(torch.ones(1)))
    config = settings(steps, {"smallest": data.largest_noise * 1.001})
    config = config.replace(network=dataclasses.replace(config.network, phase_width=0.0))
    objective = GSURE(smallest=data.largest_noise * 1.001)
    network = build_network(config.network, 2)
    checkpoint = path.with_suffix(".checkpoint")
    trainer = Trainer(network, objective, data, config, checkpoint=checkpoint)
    if checkpoint.exists():
        trainer.resume()
    network.load_state_dict(trainer.run())
    found = kd.Denoiser(network, objective, "gsure", "after-sense", config, {"steps": steps})
    found.save(path)
    checkpoint.unlink()
    return found


def naive(erased: float, sigma: float, work: Path, steps: int) -> kd.Denoiser:
    """Return a prior that takes the degraded images for clean; erased == 0: the oracle."""
    path = work / f"erasure_naive_{erased}_{steps}.safetensors"
    if path.exists():
        return kd.load(path)
    images = degraded(erased, sigma)[0]
    images = images[np.abs(images).any(axis=(1, 2))]
    checkpoint = path.with_suffix(".checkpoint")
    found = train(
        "diffusion",
        kd.Images(data=images, sigma=1e-3),
        config=settings(steps, {"smallest": 0.03}),
        checkpoint=checkpoint,
        resume=checkpoint.exists(),
    )
    found.save(path)
    checkpoint.unlink()
    return found


def features(images: Numpy) -> Numpy:
    """Return wavelet statistics of magnitudes `(n, y, x)` of root mean square 1, `(n, 16)`."""
    images = images / np.sqrt(np.mean(images**2, axis=(1, 2), keepdims=True))
    _, *details = pywt.wavedec2(images, "db2", level=4, mode="periodization")
    found = []
    for horizontal, vertical, diagonal in details:
        for band in (np.concatenate([horizontal, vertical], axis=2), diagonal):
            size = np.abs(band)
            found += [np.log(size.mean(axis=(1, 2))), 0.5 * np.log((size**2).mean(axis=(1, 2)))]
    return np.stack(found, axis=1)


def frechet(a: Numpy, b: Numpy) -> float:
    """Return the squared Fréchet distance of Gaussians fitted to two sets of features."""
    first, second = (np.cov(x, rowvar=False) for x in (a, b))
    joint = scipy.linalg.sqrtm(first @ second).real
    shift = np.sum((a.mean(axis=0) - b.mean(axis=0)) ** 2)
    return float(shift + np.trace(first + second - 2 * joint))


def generated(prior: kd.Denoiser, samples: int, lowest: float) -> Numpy:
    """Return magnitudes drawn from a prior, by levels down to the lowest."""
    denoise = prior.prior(1.0, bfloat16=True)
    levels = [level for level in ddpm_levels(LEVELS) if level > lowest] + [lowest]
    drawn = [
        recon.generate(denoise, SHAPE, levels=levels, samples=BATCH, seed=seed)
        for seed in range(samples // BATCH)
    ]
    return np.abs(np.concatenate(drawn))


def picture(rows: dict[str, Numpy], path: Path) -> None:
    """Write a few images of each row."""
    figure, axes = plt.subplots(len(rows), 6, figsize=(9, 1.55 * len(rows)), layout="constrained")
    for line, (name, images) in zip(axes, rows.items(), strict=True):
        line[0].set_ylabel(name)
        for axis, image in zip(line, images, strict=False):
            axis.imshow(image, cmap="gray")
            axis.set(xticks=[], yticks=[])
    figure.savefig(path, dpi=100)


def main() -> None:
    """Train, generate, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="where trained networks are kept")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--samples", type=int, default=SAMPLES)
    parser.add_argument("--json", type=Path, help="write the numbers here as well")
    parser.add_argument("--figure", type=Path, help="write some of the images here")
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    unseen = np.stack([np.abs(head("test", n).image) for n in range(given.samples)])
    reference = features(unseen)
    spread = reference.std(axis=0)

    def distance(images: Numpy) -> float:
        return frechet(features(images) / spread, reference / spread)

    others = np.stack([head("test", n).image for n in range(given.samples, 2 * given.samples)])
    table = {"phantoms": distance(np.abs(others))}
    shown = {"phantoms": np.abs(others)}
    oracle = naive(0.0, 0.0, given.work, given.steps)
    for erased, sigma in CASES:
        ours = gsure(erased, sigma, given.work, given.steps)
        lowest = ours.prior(1.0).smallest
        priors = {
            "oracle": oracle,
            "gsure": ours,
            "naive": naive(erased, sigma, given.work, given.steps),
        }
        for name, prior in priors.items():
            drawn = generated(prior, given.samples, lowest)
            table[f"{name} {erased} {sigma}"] = distance(drawn)
            if (erased, sigma) == CASES[1]:
                shown[name] = drawn
        rms = np.sqrt(np.mean(np.abs(others) ** 2, axis=(1, 2), keepdims=True))
        noise = complex_normal(others.shape, others, np.random.default_rng(1))
        table[f"noisy phantoms {erased} {sigma}"] = distance(np.abs(others + lowest * rms * noise))
    for name, value in table.items():
        print(f"{name:28} {value:.2f}")
    if given.figure:
        picture(shown, given.figure)
    if given.json:
        given.json.write_text(json.dumps(table, indent=1))


if __name__ == "__main__":
    main()
