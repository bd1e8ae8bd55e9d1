"""Interference of an unshielded room: the simulation beside a real 80 mT scan, and its removal.

The table compares `sim.interference` with the default room (eight seeds) and, if
KSPACE_DENOISE_DATA names the data folder, the scan editer80mT_slice_1, whose outer lines hold
little signal: how much of the coil's power the five detectors explain at one frequency, how coil
and detectors ring, how alike successive readouts are, and what a regression on the detectors leaves
of held-out lines.

`--picture` draws a simulated phantom scan: clean, with interference, and with the regression.

    python benchmarks/interference.py --picture docs/images/interference.png
"""

import argparse
import json
import os
from pathlib import Path

import h5py
import numpy as np

from kspace_denoise import sim
from kspace_denoise.fourier import fft2c, ifft2c

SCAN = "editer80mT_slice_1"
REACH = 7  # 15 samples of every detector
SEEDS = 8
INTERFERENCE, THERMAL = 0.1, 0.004  # sigma in the picture, over its largest pixel


def outer_lines(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return coil (lines, samples) and detectors (detectors, lines, samples) of the real scan."""
    with h5py.File(path) as file:
        coil, detectors = file["kspace"][0, 0], file["emi_kspace"][0]
    outer = np.r_[:20, coil.shape[-1] - 20 : coil.shape[-1]]
    return coil[:, outer].T, np.swapaxes(detectors[..., outer], -1, -2)


def simulated_lines(seed: int) -> tuple[np.ndarray, np.ndarray]:
    kspace = np.zeros((1, 101, 512), np.complex64)
    noisy, detectors, _ = sim.interference(kspace, 1.0, seed, readout_axis=-1)
    outer = np.r_[:20, 81:101]
    return noisy[0, outer], detectors[:, outer]


def coherence(coil: np.ndarray, detectors: np.ndarray) -> np.ndarray:
    """Return the share of the coil's power that the detectors explain, at every frequency."""
    window = np.hanning(coil.shape[-1])
    x, d = (fft2c(part.astype(complex) * window, axes=(-1,)) for part in (coil, detectors))
    cross = np.einsum("dlf,lf->fd", d, x.conj()) / len(x)
    own = np.einsum("dlf,elf->fde", d, d.conj()) / len(x)
    weights = np.linalg.solve(own, cross[..., None])[..., 0]
    share = np.sum(cross.conj() * weights, axis=-1).real / np.mean(np.abs(x) ** 2, axis=0)
    return 1 - (1 - share) * len(x) / (len(x) - len(d))


def shifted(detectors: np.ndarray) -> np.ndarray:
    """Return (lines, samples, detectors x 15): every detector at 15 neighbouring samples."""
    padded = np.pad(detectors, ((0, 0), (0, 0), (REACH, REACH)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * REACH + 1, axis=-1)
    return np.moveaxis(windows, 0, -2).reshape(*detectors.shape[1:], -1)


def regression(coil: np.ndarray, detectors: np.ndarray, train: slice) -> np.ndarray:
    """Return the coil (lines, samples) less what the training lines say the detectors explain."""
    d = shifted(detectors)
    weights = np.linalg.lstsq(d[train].reshape(-1, d.shape[-1]), coil[train].ravel(), rcond=None)[0]
    return coil - d @ weights


def describe(coil: np.ndarray, detectors: np.ndarray) -> dict[str, float]:
    power = np.mean(np.abs(coil) ** 2)
    left = regression(coil, detectors, slice(None, None, 2))[1::2]
    spectrum = np.mean(np.abs(fft2c(coil, axes=(-1,))) ** 2, axis=0)
    spectrum = np.sort(spectrum.reshape(32, -1).mean(axis=1) / power)
    return {
        "coherence_median": float(np.median(coherence(coil, detectors))),
        "coil_correlation_of_neighbouring_samples": correlation(coil[:, 1:], coil[:, :-1]),
        "detector_correlation_of_neighbouring_samples": float(
            np.median([correlation(d[:, 1:], d[:, :-1]) for d in detectors])
        ),
        "coil_correlation_of_neighbouring_readouts": correlation(coil[1:20], coil[:19]),
        "spectrum_highest_band": float(spectrum[-1]),
        "spectrum_lowest_band": float(spectrum[0]),
        "left_by_regression_on_held_out_lines": float(
            np.mean(np.abs(left) ** 2) / np.mean(np.abs(coil[1::2]) ** 2)
        ),
    }


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(np.vdot(a, b)) / (np.linalg.norm(a) * np.linalg.norm(b)))


def draw(path: Path) -> None:
    """Draw the phantom with a coil and five detectors: clean, with interference, cleaned."""
    from matplotlib.figure import Figure

    clean = sim.phantom((256, 256), seed=0, coils=1).kspace
    largest = float(np.abs(ifft2c(clean)).max())
    kspace = sim.add_noise(clean, np.array([[2 * (THERMAL * largest) ** 2]]), seed=0)
    noisy, detectors, record = sim.interference(
        kspace, INTERFERENCE * largest, seed=1, readout_axis=-1
    )
    removed = regression(noisy[0], detectors, slice(None))
    figure = Figure(figsize=(9.5, 6.2), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=(3, 2))
    shown = {"clean": kspace[0], "with interference": noisy[0], "detectors regressed": removed}
    for axes, (name, data) in zip(above.subplots(1, 3), shown.items(), strict=True):
        axes.imshow(np.abs(ifft2c(data)), cmap="gray", vmin=0, vmax=0.8 * largest)
        axes.set_title(name)
        axes.axis("off")
    draw_spectra(
        below.subplots(),
        {"coil": noisy[0], "a detector": detectors[0], "coil, regressed": removed},
        [source["frequency"] for source in record["sources"] if source["kind"] == "line"],
    )
    figure.savefig(path, dpi=70)


def draw_spectra(axes, lines: dict[str, np.ndarray], carriers: list[float]) -> None:
    """Draw power along the readout in the outer quarter of the lines, and the recorded carriers."""
    for name, data in lines.items():
        count, samples = data.shape
        outer = np.r_[: count // 8, count - count // 8 : count]
        power = np.mean(np.abs(fft2c(data[outer], axes=(-1,))) ** 2, axis=0)
        axes.semilogy((np.arange(samples) - samples // 2) / samples, power, label=name)
    for carrier in carriers:
        axes.axvline(carrier, color="0.7", zorder=0)
    axes.set_xlabel("frequency along the readout, cycles per sample (grey: the recorded lines)")
    axes.set_ylabel("power, outer lines")
    axes.legend()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, metavar="OUT")
    parser.add_argument("--picture", type=Path, metavar="FILE")
    options = parser.parse_args()
    simulated = [describe(*simulated_lines(seed)) for seed in range(SEEDS)]
    folder = os.environ.get("KSPACE_DENOISE_DATA")
    real = describe(*outer_lines(Path(folder) / f"{SCAN}.h5")) if folder else None
    print(f"{'':48}{'real':>10}{'simulated, smallest':>22}{'median':>10}{'largest':>10}")
    for key in simulated[0]:
        values = sorted(row[key] for row in simulated)
        found = f"{real[key]:10.3f}" if real else f"{'-':>10}"
        middle = np.median(values)
        print(f"{key:48}{found}{values[0]:22.3f}{middle:10.3f}{values[-1]:10.3f}")
    if options.json:
        options.json.write_text(json.dumps({"real": real, "simulated": simulated}, indent=2) + "\n")
    if options.picture:
        draw(options.picture)


if __name__ == "__main__":
    main()
