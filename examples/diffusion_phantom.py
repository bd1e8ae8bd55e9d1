"""A diffusion scan whose tensors are known, noisy, and denoised by MPPCA.

    python examples/diffusion_phantom.py

Draws a brain with crossing fibres, scans it in 30 directions, adds complex noise and denoises all
volumes together. Writes `diffusion_phantom.png`, and the noisy scan as `diffusion_phantom.nii.gz`
with its b-values and directions beside it. Takes a few seconds; needs the extra `dmri`.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import kspace_denoise as kd
from kspace_denoise import sim

SIGMA = 0.1  # of each real component; the mean magnitude at b = 0 is 1
FOLDER = Path()


def colour_fa(tensor: np.ndarray) -> np.ndarray:
    """Return the main direction of diffusion as a colour, as bright as it is anisotropic."""
    values, vectors = np.linalg.eigh(tensor)
    apart = values - values.mean(axis=-1, keepdims=True)
    power = np.maximum((values**2).sum(axis=-1), 1e-12)
    anisotropy = np.sqrt(1.5 * (apart**2).sum(axis=-1) / power)
    return np.clip(np.abs(vectors[..., 2]) * anisotropy[..., None], 0, 1)


scheme = sim.gradient_scheme(directions=30, bval=1000, b0=4)
truth = sim.diffusion_phantom((5, 96, 80), scheme, seed=0)

generator = np.random.default_rng(1)
noise = generator.standard_normal((2, *truth.image.shape))
noisy = (truth.image + SIGMA * (noise[0] + 1j * noise[1])).astype(np.complex64)
scan = kd.Images(data=noisy, sigma=SIGMA, bval=scheme.bval, bvec=scheme.bvec)
kd.write(FOLDER / "diffusion_phantom.nii.gz", scan)

found = kd.classical.mppca(noisy)
for name, image in (("noisy", noisy), ("MPPCA", found.image)):
    error = np.sqrt(np.mean(np.abs(image - truth.image)[:, truth.mask] ** 2) / 2)
    print(f"{name}: error {error / SIGMA:.3f} sigma per component")
print(f"sigma {SIGMA}, found {np.median(found.sigma[truth.mask]):.4f}")

middle, weighted = 2, 3
figure, axes = plt.subplots(1, 5, figsize=(15, 3.8), layout="constrained")
pictures = {
    "b = 0": np.abs(truth.image[0, middle]),
    "b = 1000": np.abs(truth.image[weighted, middle]),
    "the same, noisy": np.abs(noisy[weighted, middle]),
    "MPPCA": np.abs(found.image[weighted, middle]),
    "fibres": colour_fa(truth.tensor[middle]) * truth.mask[middle, ..., None],
}
for axis, (title, picture) in zip(axes, pictures.items(), strict=True):
    axis.imshow(picture, cmap="gray", vmin=0, vmax=None if title == "b = 0" else 0.9)
    axis.set_title(title)
    axis.set_axis_off()
figure.savefig(FOLDER / "diffusion_phantom.png", dpi=80)
