"""A picture of what samplers say of a slice: g-factor, error, and the spread of the samples.

An unseen phantom slice of 8 coils, every 4th line and 12 calibration lines, noise as in
`multicoil`; CG-SENSE with the λ of 13 whose PSNR is best, and split Gibbs sampling, 8 samples.

    python -m benchmarks.diffusion.picture --work WORK --figure posterior.png
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from benchmarks.diffusion.multicoil import LAMBDAS, SAMPLING, Case, scan
from benchmarks.diffusion.phantoms import Numpy
from benchmarks.diffusion.priors import STEPS, trained
from kspace_denoise import metrics, recon
from kspace_denoise.arrays import to_numpy
from kspace_denoise.cli.methods import METHODS, Settings
from kspace_denoise.stages import known_noise, reconstruct_slice

CASE, NUMBER = Case("phantom", "equispaced", 4), 1
Panel = tuple[str, Numpy, str, float]
"""Title, values, colours and the largest value."""


def panels(prior: str, work: Path, steps: int) -> list[Panel]:
    """Return what is drawn, two rows of four."""
    one, truth = scan(CASE, NUMBER)
    noise, kspace, mask = known_noise(one), np.asarray(one.kspace[0]), one.slice_mask(0)
    plain = Settings(noise, None, 0, 0)

    def image(method: str, settings: Settings) -> dict[str, Numpy]:
        return {k: to_numpy(v) for k, v in METHODS[method].run(kspace, mask, settings).items()}

    def psnr(x: Numpy) -> float:
        return float(metrics.psnr(np.abs(x), truth, data_range=1.0))

    sense = max(
        (image("sense", plain._replace(penalty=lam))["reconstruction"] for lam in LAMBDAS), key=psnr
    )
    maps = reconstruct_slice(kspace, noise, mask).coil_maps
    drawn = image(
        "split-gibbs",
        plain._replace(
            prior=trained(prior, work, steps),
            sampling=SAMPLING["split-gibbs"]._replace(keep_samples=True),
        ),
    )
    mean, spread = drawn["reconstruction"], drawn["posterior_std"]
    errors = [np.abs(np.abs(x) - truth) for x in (sense, mean)]
    amplified = to_numpy(recon.g_factor(maps, mask))
    top, low = float(truth.max()), 0.1
    return [
        ("truth", truth, "gray", top),
        (f"CG-SENSE, {psnr(sense):.1f} dB", np.abs(sense), "gray", top),
        (f"mean of 8 samples, {psnr(mean):.1f} dB", np.abs(mean), "gray", top),
        ("one sample", np.abs(drawn["posterior_samples"][0]), "gray", top),
        ("g-factor", amplified, "viridis", float(np.percentile(amplified[truth > 0.05], 98))),
        ("error of CG-SENSE", errors[0], "magma", low),
        ("error of the mean", errors[1], "magma", low),
        ("spread of the samples", spread, "magma", low),
    ]


def main() -> None:
    """Reconstruct and draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="where trained networks are kept")
    parser.add_argument("--steps", type=int, default=STEPS, help="of the prior's training")
    parser.add_argument("--prior", default="clean", help="of `priors`")
    parser.add_argument("--figure", type=Path, required=True)
    given = parser.parse_args()
    figure, axes = plt.subplots(2, 4, figsize=(13, 6.6), layout="constrained")
    for ax, (title, values, colours, highest) in zip(
        axes.flat, panels(given.prior, given.work, given.steps), strict=True
    ):
        shown = ax.imshow(values, vmin=0, vmax=highest, cmap=colours, interpolation="nearest")
        ax.set_title(title, fontsize=10)
        ax.set_axis_off()
        if colours != "gray":
            figure.colorbar(shown, ax=ax, shrink=0.8)
    figure.savefig(given.figure, dpi=80)


if __name__ == "__main__":
    main()
