"""A denoiser inside a reconstruction with sigpy: the noise goes in, and comes out with the image.

sigpy estimates the coil maps and solves SENSE, as in its own tutorials. What this package adds is
the noise: whitening by the covariance of a noise scan before, the noise map of that very
reconstruction after, and a denoiser that is told it. Ten seconds on two cores, no file is needed:

    python examples/in_a_sigpy_script.py
"""

import argparse
from pathlib import Path

import numpy as np
import sigpy.mri as mr
from matplotlib.figure import Figure

import kspace_denoise as kd
from kspace_denoise import recon, sim

MATRIX, COILS = (96, 96), 6


def reconstruct(kspace: np.ndarray, maps: np.ndarray) -> np.ndarray:
    """Return the image that sigpy makes of whitened k-space."""
    return mr.app.SenseRecon(kspace, maps, lamda=0.01, show_pbar=False).run()


def main(out: Path) -> dict[str, float]:
    """Run the chain, draw it into `out`, and return the PSNR of both images."""
    # A scan, of which every other line was acquired, and a noise scan with the gradients off.
    psi = 2e-3 * sim.array_covariance(COILS, seed=0)
    head = sim.phantom(MATRIX, coils=COILS, seed=0)
    mask = sim.mask("equispaced", shape=MATRIX, acceleration=2, calibration=24, seed=0)
    kspace = sim.add_noise(head.kspace, psi, seed=1) * mask
    noise = sim.add_noise(np.zeros((COILS, 100, 100), np.complex64), psi, seed=2)

    # 1. Whiten, so that every coil has the same, independent noise: sigma = 1 per component.
    measured = recon.noise_covariance(noise)
    white = recon.whiten(kspace, measured) * mask

    # 2. sigpy's own reconstruction.
    maps = mr.app.EspiritCalib(white, calib_width=24, show_pbar=False).run()
    image = reconstruct(white, maps)

    # 3. The noise map of that reconstruction, whatever it does: it is given noise to reconstruct.
    inside = np.abs(maps).any(axis=0)
    sigma = recon.noise_map(
        lambda x: reconstruct(x, maps), white, np.eye(COILS) * 2, replicas=20, mask=mask, seed=3
    )

    # 4. A denoiser that is told the map: here BM3D, or kd.load("c2s.safetensors").
    denoised = kd.classical.BM3D()(image, np.where(inside, sigma, 0))

    clean = reconstruct(recon.whiten(head.kspace, measured), maps)
    scores = {
        name: kd.metrics.psnr(
            np.abs(x), np.abs(clean), data_range=float(np.abs(clean).max()), mask=inside
        )
        for name, x in (("sigpy", image), ("denoised", denoised))
    }
    for name, score in scores.items():
        print(f"{name}: {score:.1f} dB")
    draw({"clean": clean, "sigpy": image, "sigma": sigma, "denoised": denoised}, out)
    return scores


def draw(images: dict[str, np.ndarray], path: Path) -> None:
    """Write the images side by side."""
    figure = Figure(figsize=(12, 3.4), layout="constrained")
    brightest = np.percentile(np.abs(images["clean"]), 99.5)
    for panel, (name, image) in zip(figure.subplots(1, len(images)), images.items(), strict=True):
        top = np.percentile(image, 99.5) if name == "sigma" else brightest
        panel.imshow(np.abs(image), cmap="viridis" if name == "sigma" else "gray", vmin=0, vmax=top)
        panel.set_title(name)
        panel.axis("off")
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("in_a_sigpy_script.png"))
    main(parser.parse_args().out)
