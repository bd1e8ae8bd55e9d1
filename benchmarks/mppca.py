"""MPPCA beside mrtrix's dwidenoise and dipy's mppca: time, noise level, error.

The diffusion phantom, 30 directions and 4 volumes of b = 0, with white noise of known level:
complex images for ours and dwidenoise (which tells √2 times the level of a component: divided
here), and their real parts for all three. Error and noise level are told over the true sigma of a
component, inside the brain. dwidenoise's time includes reading and writing NIfTI, some 0.1 s.

    apt-get install mrtrix3
    python benchmarks/mppca.py

Takes two minutes on 2 cores.
"""

import argparse
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import torch

from kspace_denoise import formats
from kspace_denoise.classical import mppca
from kspace_denoise.scan import Images
from kspace_denoise.sim import diffusion_phantom, gradient_scheme

Numpy: TypeAlias = np.ndarray[Any, Any]

SIGMA = 0.08
REPEATS = 3


class Denoised(NamedTuple):
    """Denoised volumes and the map of the noise level per real component."""

    image: Numpy
    sigma: Numpy


def ours(data: Numpy) -> Denoised:
    """Return what our MPPCA makes of it."""
    found = mppca(data)
    return Denoised(found.image, found.sigma)


def paper(data: Numpy) -> Denoised:
    """Return what ours makes of it by the paper."""
    found = mppca(data, paper=True)
    return Denoised(found.image, found.sigma)


def dwidenoise(data: Numpy) -> Denoised:
    """Return what mrtrix makes of it."""
    with tempfile.TemporaryDirectory() as folder:
        names = [str(Path(folder) / name) for name in ("in.nii", "out.nii", "noise.nii")]
        formats.write(names[0], Images(data=data))
        command = ["dwidenoise", "-quiet", names[0], names[1], "-noise", names[2]]
        subprocess.run(command, check=True, capture_output=True)
        image, noise = (formats.read_images(name).data for name in names[1:])
    return Denoised(image, noise.real / (np.sqrt(2) if np.iscomplexobj(data) else 1))


def dipy(data: Numpy) -> Denoised:
    """Return what dipy makes of it."""
    from dipy.denoise.localpca import mppca as of_dipy

    image, sigma = of_dipy(data.T, patch_radius=2, return_sigma=True)
    return Denoised(image.T, sigma.T)


def best_time(run: Callable[[Numpy], Denoised], data: Numpy) -> tuple[float, Denoised]:
    """Return the shortest of some times, and the result."""
    seconds = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        found = run(data)
        seconds.append(time.perf_counter() - started)
    return min(seconds), found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shape", type=int, nargs=3, default=(16, 80, 64), help="slices y x")
    options = parser.parse_args()
    scan = diffusion_phantom(tuple(options.shape), gradient_scheme(30), seed=0)
    generator = np.random.default_rng(0)
    noise = generator.standard_normal((2, *scan.image.shape))
    noisy = (scan.image + SIGMA * (noise[0] + 1j * noise[1])).astype(np.complex64)
    print(f"{noisy.shape}, {torch.get_num_threads()} threads, sigma {SIGMA}")
    print("| data | method | s | error, σ | noise map, median, σ |")
    print("| --- | --- | ---: | ---: | ---: |")
    runs: dict[str, Callable[[Numpy], Denoised]] = {"ours": ours, "ours, as in the paper": paper}
    if shutil.which("dwidenoise"):
        runs["dwidenoise"] = dwidenoise
    for kind, data, truth in (
        ("complex", noisy, scan.image),
        ("real part", np.ascontiguousarray(noisy.real), scan.image.real),
    ):
        parts = np.sqrt(2) if kind == "complex" else 1
        more = {"dipy": dipy} if kind == "real part" else {}
        for name, run in {**runs, **more}.items():
            seconds, found = best_time(run, data)
            error = np.sqrt(np.mean(np.abs(found.image - truth)[:, scan.mask] ** 2)) / parts / SIGMA
            level = np.median(found.sigma[scan.mask]) / SIGMA
            print(f"| {kind} | {name} | {seconds:.2f} | {error:.3f} | {level:.4f} |", flush=True)


if __name__ == "__main__":
    main()
