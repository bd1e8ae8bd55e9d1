"""From raw multi-coil k-space to a denoised image, with nothing but noisy data to learn from.

Under a minute on two cores; no file is needed, since the scans are of built-in phantoms:

    python examples/denoise_raw_kspace.py
"""

import argparse
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import kspace_denoise as kd
from kspace_denoise import recon, sim
from kspace_denoise.fourier import ifft2c
from kspace_denoise.networks import UNetConfig

MATRIX, COILS = (96, 96), 4
NAMES = ("truth", "noisy", "non-local means", "Corruption2Self")


def measure(heads: range, psi: np.ndarray) -> tuple[np.ndarray, kd.Scan]:
    """Scan one slice of each head: return its noise-free k-space, and what a scanner records."""
    slices = [sim.phantom(MATRIX, contrast="T2w", coils=COILS, seed=head) for head in heads]
    clean = np.stack([piece.kspace for piece in slices])  # (slices, coils, ky, kx)
    noisy = sim.add_noise(clean, psi, seed=heads.start)
    return clean, kd.Scan(kspace=noisy, noise_covariance=psi)


def small_training(steps: int) -> kd.TrainConfig:
    """Return a small network and a short run, for a first look. The defaults are larger."""
    network = UNetConfig(base=8, multipliers=(1, 2, 4), attention=(2,))
    return kd.TrainConfig(
        network=network, steps=steps, batch=4, patch=48, learning_rate=3e-3, warmup=20
    )


def psnr_inside(image: np.ndarray, truth: np.ndarray, inside: np.ndarray) -> float:
    """Return the PSNR of the magnitude inside the head, in dB; the range is the truth's maximum."""
    data_range = float(truth[inside].max())
    return kd.metrics.psnr(np.abs(image), truth, data_range=data_range, mask=inside)


def draw(images: list[np.ndarray], scores: list[float | None], path: Path) -> None:
    """Write the first slice of every image, side by side on one grey scale."""
    figure = Figure(figsize=(12, 3.4), layout="constrained")
    panels = figure.subplots(1, len(images))
    brightest = np.percentile(images[0][0], 99.5)
    for panel, image, name, score in zip(panels, images, NAMES, scores, strict=True):
        panel.imshow(np.abs(image[0]), cmap="gray", vmin=0, vmax=brightest)
        panel.set_title(name if score is None else f"{name}, {score:.1f} dB")
        panel.axis("off")
    figure.savefig(path, dpi=120)


def main(steps: int, out: Path) -> dict[str, float]:
    """Run the chain, draw it into `out`, and return the PSNR of every image by its name."""
    # 1. The noise. Psi[i, j] = E[n_i conj(n_j)] says how strong it is in every coil and how the
    #    coils share it. A real scan brings it along as a noise scan: recon.noise_covariance(noise).
    psi = 0.007 * sim.array_covariance(COILS, seed=0)

    # 2. Raw k-space: two dozen heads to learn from, four others to judge by. Only the noisy scans
    #    go any further; the noise-free k-space of the four is kept for the score at the end.
    _, training_scan = measure(range(24), psi)
    clean, scan = measure(range(1000, 1004), psi)

    # 3. Learn from the noisy scan alone. Every slice is whitened, its coil maps are estimated, and
    #    its SENSE image is divided by its noise map: the network sees images with sigma = 1.
    config = small_training(steps)
    denoiser = kd.train("c2s", training_scan, stage="after-sense", config=config, seed=0)

    # 4. Denoise the unseen scan: the same chain, then one pass of the network. `.sigma` is the
    #    noise map of the noisy image, per real component, in the unit of the raw data.
    result = kd.denoise(scan, denoiser, stage="after-sense")
    classical = kd.denoise(scan, kd.classical.NonLocalMeans(), stage="after-sense")

    # 5. Score. SENSE images have the intensities of the root sum of squares, so that of the
    #    noise-free k-space is the truth that their magnitude is compared with.
    truth = recon.rss(ifft2c(clean))
    inside = kd.metrics.object_mask(truth)
    snr = float(np.mean(truth[inside]) / np.median(result.sigma[inside]))
    images = [truth, result.noisy, classical.image, result.image]
    scores = [psnr_inside(image, truth, inside) for image in images[1:]]
    draw(images, [None, *scores], out)

    print(f"{len(scan.kspace)} unseen slices, SNR {snr:.1f}, PSNR of the magnitude in the head:")
    for name, score in zip(NAMES[1:], scores, strict=True):
        print(f"  {name:16} {score:5.1f} dB")
    print(f"picture: {out}")
    return dict(zip(NAMES[1:], scores, strict=True))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--steps", type=int, default=400, help="training steps (400)")
    parser.add_argument("--out", type=Path, default=Path("denoise_raw_kspace.png"))
    arguments = parser.parse_args()
    main(arguments.steps, arguments.out)
