"""Find the lambda of `recon.l1_wavelet` and `recon.tv` that suits simulated heads best.

Two phantoms (T2w, T1w), 8 coils, 128 x 128, white noise with Psi = 2 I, three signal-to-noise
ratios, five samplings. Lambda is a factor times sqrt(sampled share of k-space); printed is, for
each factor, the error against the noise-free image over that of the factor best for the case,
averaged over the phantoms. The default of the package is the factor without a bad case.

    python benchmarks/default_lambda.py --json default_lambda.json
"""

import argparse
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import sigpy.mri

from kspace_denoise import recon, sim
from kspace_denoise.fourier import fft2c

SIZE = (128, 128)
COILS, CENTRE = 8, 24
SNRS = (5, 15, 50)
FACTORS = {
    "l1_wavelet": (0.3, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 3.0),
    "tv": (0.15, 0.25, 0.4, 0.6, 0.8, 1.0, 1.4, 2.0),
}
METHODS: dict[str, Callable[..., np.ndarray]] = {
    "l1_wavelet": partial(recon.l1_wavelet, iterations=30),
    "tv": partial(recon.tv, iterations=30, tolerance=1e-3),
}


def samplings() -> dict[str, np.ndarray]:
    poisson = partial(sigpy.mri.poisson, SIZE, calib=(CENTRE, CENTRE), seed=11)
    return {
        "full": np.ones(SIZE, np.float32),
        "poisson 4": np.abs(poisson(4.0)).astype(np.float32),
        "poisson 8": np.abs(poisson(8.0)).astype(np.float32),
        "lines 2": sim.mask("random", SIZE, 2, CENTRE, seed=0).astype(np.float32),
        "lines 4": sim.mask("random", SIZE, 4, CENTRE, seed=0).astype(np.float32),
    }


def errors(method: str, snr: float, mask: np.ndarray) -> np.ndarray:
    """Return the relative errors `(phantoms, factors)`."""
    rows = []
    for seed, contrast in ((11, "T2w"), (12, "T1w")):
        head = sim.phantom(SIZE, contrast, seed=seed)
        maps = sim.coil_maps(SIZE, COILS, seed=seed)
        kspace = (snr * fft2c(maps * head.image)).astype(np.complex64)
        kspace = sim.add_noise(kspace, 2 * np.eye(COILS), seed=seed) * mask
        truth = snr * head.image
        images = [
            METHODS[method](kspace, maps, mask, lam=factor * float(np.sqrt(mask.mean())))
            for factor in FACTORS[method]
        ]
        weight = np.linalg.norm(maps, axis=0)  # the error in SNR units, as the image was denoised
        norm = np.linalg.norm(weight * truth)
        rows.append([np.linalg.norm(weight * (image - truth)) / norm for image in images])
    return np.array(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), default=list(METHODS))
    parser.add_argument("--json", type=Path, metavar="OUT", help="write the numbers there")
    options = parser.parse_args()
    found: dict[str, dict[str, list[float]]] = {}
    for method in options.methods:
        found[method] = {}
        factors = "".join(f"{factor:8.2f}" for factor in FACTORS[method])
        print(f"\n{method:22}{'least error':>12}{factors}")
        for name, mask in samplings().items():
            for snr in SNRS:
                error = errors(method, snr, mask)
                least = error.min(axis=1, keepdims=True)
                ratio = np.mean(error / least, axis=0)
                found[method][f"{name}, SNR {snr}"] = ratio.tolist()
                numbers = "".join(f"{value:8.3f}" for value in ratio)
                print(f"{name:12} SNR {snr:<5}{least.mean():12.4f}{numbers}", flush=True)
        worst = np.max(list(found[method].values()), axis=0)
        print(f"{'worst':34}" + "".join(f"{value:8.3f}" for value in worst))
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
