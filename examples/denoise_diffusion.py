"""A diffusion scan denoised by DDM2, trained on the scan itself, and its fibres.

    python examples/denoise_diffusion.py

Simulates a noisy scan in 20 directions, trains for a minute, denoises, and fits the diffusion
tensor. Writes the denoiser and `denoise_diffusion.png`: a volume and the fibres in colour, noisy,
by MPPCA and by DDM2, beside the truth. Takes two minutes on a laptop; needs the extra `dmri`.
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import kspace_denoise as kd
from kspace_denoise import sim
from kspace_denoise.dmri.classical import with_mppca
from kspace_denoise.dmri.tensor import fit_tensor

SIGMA = 0.12  # of each real component; the mean magnitude at b = 0 is 1
SHAPE = (2, 80, 72)
FOLDER = Path()

parser = argparse.ArgumentParser(
    description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
)
parser.add_argument("--minutes", type=float, default=1.0, help="of training")
options = parser.parse_args()

scheme = sim.gradient_scheme(directions=20, bval=1000, b0=3)
truth = sim.diffusion_phantom(SHAPE, scheme, seed=0)

generator = np.random.default_rng(1)
noise = generator.standard_normal((2, *truth.image.shape))
noisy = (truth.image + SIGMA * (noise[0] + 1j * noise[1])).astype(np.complex64)
scan = kd.Images(data=noisy, bval=scheme.bval, bvec=scheme.bvec)

# The noise level is found by MPPCA; every volume learns from the others of its shell.
denoiser = kd.train_volumes("ddm2", scan, kd.TrainConfig(minutes=options.minutes))
denoiser.save(FOLDER / "denoise_diffusion.safetensors")

clean = {
    "truth": kd.Images(data=truth.image, bval=scheme.bval, bvec=scheme.bvec),
    "noisy": scan,
    "MPPCA": with_mppca(scan),
    "DDM2": denoiser(scan),
}

middle, weighted = 1, int(np.argmax(scheme.bval > 0))
figure, axes = plt.subplots(2, len(clean), figsize=(12, 6.8), layout="constrained")
for column, (name, images) in enumerate(clean.items()):
    error = np.abs(images.data - truth.image)[scheme.bval > 0][:, truth.mask]
    print(f"{name}: error {np.sqrt(np.mean(error**2) / 2) / SIGMA:.3f} sigma per component")
    axes[0, column].imshow(np.abs(images.data[weighted, middle]), cmap="gray", vmin=0, vmax=0.9)
    axes[0, column].set_title(name)
    axes[1, column].imshow(fit_tensor(images, truth.mask).colour[middle])
for axis in axes.flat:
    axis.set_axis_off()
figure.savefig(FOLDER / "denoise_diffusion.png", dpi=80)
