"""Compare phantoms brought down from 3 T with the same phantoms scanned at the low field directly.

A direct scan draws the head with its relaxation times at the low field, scales it by a² and adds
the noise of the law, drawn apart. The simulation takes the noisy scan at 3 T down: by one
relaxation factor, computed for white matter, or by a map of them. The factors are those of the
tissue tables, which is what a user knows, or of the head's own tissues, which scatter by 3 % around
the tables; the latter show the error of the method alone. Printed are the largest errors of all
heads:

    cov      noise covariance, entries relative to the levels of their two coils
    SNR      white matter over sigma, by the head's own factor or map, and by the table's factor
    WM-GM    contrast of white matter and cortex, (WM - GM) / (WM + GM), difference in points
    CSF-WM   likewise, of CSF and white matter
    RMSE     image over the head, relative to its root mean square, without noise

by one factor (of the table), by the map of the table, and by the map of the head's own tissues.

    python benchmarks/low_field.py --json low_field.json --picture docs/images/low_field.png
"""

import argparse
import json
import sys
from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl
import numpy as np

from kspace_denoise import recon, sim
from kspace_denoise.fourier import ifft2c
from kspace_denoise.sim.contrast import spin_echo
from kspace_denoise.sim.noise_law import CROSSOVER_FIELD

SOURCE = 3.0
FIELDS = (1.5, 0.55, 0.3, 0.055)
LAWS = ("body", "mixed")
CONTRASTS = ("T1w", "T2w", "PDw")
SIZE, COILS, SNR = (128, 128), 4, 100
ACCEPTED = 0.02
CROSSOVER = {"body": 0.01, "mixed": CROSSOVER_FIELD}  # the body law shall not warn here
PAIRS = {"wm_gm": ("white", "cortex"), "csf_wm": ("csf", "white")}


class Case(NamedTuple):
    """A head at both fields, noise-free k-space `(coils, ky, kx)` in the unit of the source."""

    head: sim.Phantom
    source: np.ndarray
    direct: np.ndarray
    psi: np.ndarray
    contrast: str
    field: float


def draw(contrast: str, field: float, seed: int, snr: float = SNR) -> Case:
    """Scan the same head at both fields; `snr` is about that of a coil at the source field."""
    high, low = (sim.phantom(SIZE, contrast, tesla, seed, COILS) for tesla in (SOURCE, field))
    direct = low.kspace * (high.scale / low.scale) * (field / SOURCE) ** 2
    psi = sim.array_covariance(COILS, seed=seed) / snr**2
    return Case(high, high.kspace, direct.astype(np.complex64), psi, contrast, field)


def factor(case: Case, mode: str, times: str) -> float | np.ndarray:
    """Return the factor of white matter, or the map of factors, of the table or of the head."""
    sequence, own = spin_echo(case.contrast), case.head.relaxation
    if mode == "one":
        tissue = own["white"] if times == "own" else "white"
        return sim.relaxation_factor(sequence, tissue, case.field, SOURCE)
    names = own if times == "own" else None
    parts = case.head.tissues
    return sim.relaxation_map(parts, sequence, case.field, SOURCE, names=names, undefined=1.0)


def simulate(case: Case, law: str, f: float | np.ndarray, draws: int, seed: int) -> sim.LowField:
    """Return the low-field result of `draws` noisy scans of the head."""
    source = np.broadcast_to(case.source, (draws, *case.source.shape))
    noisy = sim.add_noise(source, case.psi, seed)
    return sim.low_field(
        noisy,
        case.psi,
        case.field,
        SOURCE,
        seed + 1,
        relaxation_factor=f,
        noise_law=law,
        crossover_field=CROSSOVER[law],
    )


def law_of(psi: np.ndarray, field: float, law: str) -> np.ndarray:
    """Return the covariance of the direct scan's noise, written out once more."""
    a, r = field / SOURCE, (CROSSOVER[law] / SOURCE) ** 1.5
    c = r / (1 + r) if law == "mixed" else 0.0
    return (1 - c) * a**2 * psi + c * np.sqrt(a) * np.diag(np.diag(psi))


def level(image: np.ndarray, head: sim.Phantom, tissue: str) -> float:
    """Return the mean over the voxels that a tissue fills."""
    return float(image[head.tissues[tissue] > 0.97].mean())


def compare(contrast: str, field: float, law: str, seed: int, draws: int) -> dict[str, float]:
    """Return the errors of one head."""
    case = draw(contrast, field, seed)
    images = ifft2c(case.source) * (field / SOURCE) ** 2
    truth = recon.rss(ifft2c(case.direct))
    target = law_of(case.psi, field, law)
    errors = {}
    for mode in ("one", "map"):
        f = factor(case, mode, "own")
        noise = ifft2c(simulate(case, law, f, draws, 100 * seed).kspace) - images * f
        found = recon.noise_covariance(np.moveaxis(noise, 1, 0))
        scale = np.sqrt(np.outer(np.diag(target), np.diag(target)).real)
        errors[f"{mode}_covariance"] = float(np.max(np.abs(found - target) / scale))
        louder = np.sqrt(np.trace(found).real / np.trace(target).real)
        for times in ("own", "table"):
            image = recon.rss(images * factor(case, mode, times))
            white = level(image, case.head, "white") / level(truth, case.head, "white")
            errors[f"{mode}_{times}_snr"] = abs(white / louder - 1)
            errors |= contrasts(f"{mode}_{times}", case.head, image, truth)
    return errors


def contrasts(key: str, head: sim.Phantom, image: np.ndarray, truth: np.ndarray) -> dict:
    """Return the errors of a noise-free image."""
    errors = {}
    for name, (first, second) in PAIRS.items():
        found, expected = (
            (level(part, head, first) - level(part, head, second))
            / (level(part, head, first) + level(part, head, second))
            for part in (image, truth)
        )
        errors[f"{key}_{name}"] = abs(found - expected)
    inside = truth[head.mask]
    error = np.mean((image[head.mask] - inside) ** 2) / np.mean(inside**2)
    return errors | {f"{key}_rmse": float(np.sqrt(error))}


def row(contrast: str, field: float, law: str, heads: int, draws: int) -> dict:
    """Return the largest errors over the heads."""
    errors = [compare(contrast, field, law, seed, draws) for seed in range(heads)]
    worst = {key: max(error[key] for error in errors) for key in errors[0]}
    judged = ("one_covariance", "map_covariance", "one_own_snr", "map_own_snr")
    passed = max(worst[key] for key in judged) < ACCEPTED
    return {"contrast": contrast, "field_T": field, "law": law, **worst, "passed": passed}


COLUMNS = ("one_covariance", "map_covariance", "one_own_snr", "map_own_snr", "one_table_snr")
COLUMNS += tuple(
    f"{mode}_{times}_{name}"
    for name in ("wm_gm", "csf_wm", "rmse")
    for mode, times in (("one", "table"), ("map", "table"), ("map", "own"))
)
HEAD = (
    f"{'':21}{'cov':>12}{'SNR':>18}{'WM-GM':>20}{'CSF-WM':>20}{'RMSE':>20}\n"
    f"{'':7}{'field':>6}  {'law':6}{'one':>6}{'map':>6}{'one':>6}{'map':>6}{'table':>6}  "
    + f"{'one':>6}{'map':>6}{'own':>6}  "
    * 3
)


def show(entry: dict) -> str:
    text = f"{entry['contrast']:7}{entry['field_T']:6g}  {entry['law']:6}"
    for n, key in enumerate(COLUMNS):
        text += ("  " if n in (5, 8, 11) else "") + f"{100 * entry[key]:6.1f}"
    return text + ("   ok" if entry["passed"] else "   FAILED")


def draw_picture(path: Path, contrast: str = "T1w", seed: int = 5, snr: float = 500) -> None:
    """Draw a head at each field: scanned there, brought down, and what is wrong with that."""
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    titles = ("scanned there", "one factor", "tissue map", "one factor, error", "map, error")
    figure, axes = plt.subplots(len(FIELDS), 5, figsize=(10, 7.5), layout="constrained")
    for line, field in zip(axes, FIELDS, strict=True):
        case = draw(contrast, field, seed, snr)
        maps = recon.espirit(case.source)
        target = law_of(case.psi, field, "mixed")
        direct = sim.add_noise(case.direct, target, seed=7)
        factors = [factor(case, mode, "table") for mode in ("one", "map")]
        found = [simulate(case, "mixed", f, 1, 9).kspace[0] for f in factors]
        shown = [np.abs(recon.sense(part, maps, None, target).image) for part in (direct, *found)]
        images = ifft2c(case.source) * (field / SOURCE) ** 2
        truth = recon.rss(ifft2c(case.direct))
        unit = level(truth, case.head, "white")
        brightest = 1.6 * np.median(shown[0][case.head.tissues["white"] > 0.97])
        for axis, image in zip(line, shown, strict=False):
            axis.imshow(image, cmap="gray", vmin=0, vmax=brightest)
        for axis, f in zip(line[3:], factors, strict=True):
            error = (recon.rss(images * f) - truth) / unit
            drawn = axis.imshow(error, cmap="RdBu_r", vmin=-0.5, vmax=0.5)
        line[0].set_ylabel(f"{field:g} T")
    for axis, title in zip(axes[0], titles, strict=True):
        axis.set_title(title, fontsize=10)
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[])
    figure.colorbar(drawn, ax=axes[:, 3:], label="error / white matter", shrink=0.5, pad=0.02)
    figure.savefig(path, dpi=72)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--heads", type=int, default=4)
    parser.add_argument("--draws", type=int, default=4)
    parser.add_argument("--json", type=Path, metavar="OUT")
    parser.add_argument("--picture", type=Path, metavar="OUT")
    options = parser.parse_args()
    rows = []
    print("percent, largest of", options.heads, "heads\n" + HEAD)
    for contrast in CONTRASTS:
        for field in FIELDS:
            for law in LAWS:
                rows.append(row(contrast, field, law, options.heads, options.draws))
                print(show(rows[-1]), flush=True)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n")
    if options.picture:
        draw_picture(options.picture)
    sys.exit(0 if all(entry["passed"] for entry in rows) else 1)


if __name__ == "__main__":
    main()
