"""DDM2 and what it is compared with on the diffusion phantom, at four noise levels.

Thirty directions of b = 1000 and four volumes of b = 0, complex, with white noise. Methods that
take real images get the real part beside the smooth phase, which is put back. PSNR and SSIM are of
the magnitudes of b = 1000 inside the brain (SSIM: of slices that are 0 outside), data range: the
largest true magnitude there. Tensors are fitted by dipy to the volumes of b = 1000 that a method
returns, with the noisy ones of b = 0 for all, against the fit of the true images, over white
matter. SNR and CNR are by the paper's rule. Nothing here was used to choose a setting: those were
chosen on the phantom of seed 100.

    python -m benchmarks.diffusion_mri
    python -m benchmarks.diffusion_mri --seeds 1 2 --sigmas 0.16 0.02 --neighbours 10 --few
    python -m benchmarks.diffusion_mri --table

Takes two and a half hours on 2 cores; the options choose a part. What is done is kept in --out and
not done again.
"""

import argparse
import json
import time
import warnings
from pathlib import Path

import numpy as np

from benchmarks.diffusion_mri.case import STEPS, Case, case
from benchmarks.diffusion_mri.methods import (
    ABLATIONS,
    ALONE,
    DDM2_ALONE,
    LIMITED,
    SLOW,
    TRAINED,
    Denoise,
)
from benchmarks.diffusion_mri.scored import scores
from benchmarks.diffusion_mri.tables import print_tables

SIGMAS = (0.16, 0.08, 0.04, 0.02)
ALL = 29
NEIGHBOURS = (1, 10, ALL)
FEW = {
    "noisy",
    "noisy-real",
    "mppca",
    "mppca-real",
    "patch2self-ols",
    "patch2self-mlp",
    "patch2self",
}
FEW |= set(DDM2_ALONE)
OUT = Path("docs/diffusion_mri_results")


def run(name: str, method: Denoise, given: Case, seed: int, out: Path) -> None:
    """Run one method and keep its scores, unless that was done before."""
    file = out / f"phantom-{given.sigma:g}-n{given.count}-{name}-seed{seed}.json"
    if file.exists():
        return
    started = time.perf_counter()
    found = method(given)
    seconds = given.seconds or time.perf_counter() - started
    row = {"method": name, "sigma": given.sigma, "neighbours": given.count, "seed": seed}
    row |= {"seconds": seconds, "steps": STEPS if name in TRAINED else None}
    row |= scores(found, given)
    file.write_text(json.dumps(row, indent=1) + "\n")
    images = out / "kept" / f"{file.stem}.npy"  # for scores that are thought of later
    images.parent.mkdir(exist_ok=True)
    np.save(images, np.abs(found.data).astype(np.float16))
    print(
        f"{file.stem}: {row['psnr_db']:.2f} dB, FA error {row['fa_rms']:.3f}, {seconds:.0f} s",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sigmas", type=float, nargs="*", default=SIGMAS)
    parser.add_argument("--neighbours", type=int, nargs="*", default=NEIGHBOURS)
    parser.add_argument("--seeds", type=int, nargs="*", default=(0,))
    parser.add_argument("--few", action="store_true", help="leave out the slow methods")
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--table", action="store_true", help="print what is there")
    options = parser.parse_args()
    if options.table:
        print_tables(options.out)
        return
    warnings.simplefilter("ignore")  # scikit-learn's, on perceptrons that stop early
    options.out.mkdir(parents=True, exist_ok=True)

    def run_all(methods: dict[str, Denoise], sigma: float, count: int, seed: int) -> None:
        for name, method in methods.items():
            if name in FEW or not options.few:
                run(name, method, case(sigma, count, seed, options.out), seed, options.out)

    for seed in options.seeds:
        for sigma in options.sigmas:
            run_all(ALONE, sigma, 0, seed)
            for count in options.neighbours:
                run_all(LIMITED if count < ALL else DDM2_ALONE, sigma, count, seed)
        if max(SIGMAS) in options.sigmas:
            for count in options.neighbours:
                if count < ALL:
                    run_all(ABLATIONS, max(SIGMAS), count, seed)
            run_all(SLOW, max(SIGMAS), 0, seed)


if __name__ == "__main__":
    main()
