"""Bring a 16-channel phantom scan down to the SNR of its body-coil twin; compare the noise.

Both scans are of the same slice of the same phantom. The noise of the array scan is measured in the
scan itself (covariance and receiver profile), `sim.low_field` scales the scan down with it until
its SNR is that of the body coil, and one piece of code measures the noise of all of them in the air
around the phantom. As a control, the same is done with white noise of the same mean power: no
covariance, no profile. Only numbers are printed; `--picture` draws the images for your own eyes.

SNR is the mean over the phantom of the magnitude (root sum of squares of whitened coils, noise bias
removed) over its noise, whose sigma per real component is 1 times the receiver profile.

    KSPACE_DENOISE_DATA=... python benchmarks/twin_snr.py --json twin_snr.json
"""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.ndimage import binary_dilation
from scipy.special import ndtr

import kspace_denoise as kd
from kspace_denoise import recon, sim
from kspace_denoise.fourier import fft2c, ifft2c
from kspace_denoise.stages import known_noise

ARRAY, TWIN = "pulseq3T_phantom_16ch_headarray", "pulseq3T_phantom_2ch_bodycoil"
MARGIN = 8  # pixels around the phantom that are not called air
BANDS = 16
LIMIT = 4.5  # standard errors
SAME_SNR, SAME_PROFILE = 0.02, 0.06


class Noisy(NamedTuple):
    """K-space `(coils, ky, kx)` and what its own air says about its noise."""

    kspace: np.ndarray
    covariance: np.ndarray
    profile: np.ndarray

    def images(self) -> np.ndarray:
        """Return whitened coil images in units of the mean noise, readout along the last axis."""
        return ifft2c(recon.whiten(self.kspace, self.covariance))


def measured(kspace: np.ndarray) -> Noisy:
    """Return the k-space with covariance and profile estimated in it."""
    found = recon.estimate_noise(kspace, readout_axis=-1)
    flat = np.ones((1, kspace.shape[-1]), np.float32)
    return Noisy(kspace, found.covariance, flat if found.profile is None else found.profile)


def magnitude(scan: Noisy) -> np.ndarray:
    """Return the combined magnitude without its noise bias, in units of the mean noise."""
    square = np.sum(np.abs(scan.images()) ** 2, axis=0)
    return np.sqrt(np.maximum(square - 2 * len(scan.kspace) * scan.profile**2, 0))


def phantom_of(scan: Noisy) -> np.ndarray:
    image = magnitude(scan)
    return image > 0.25 * np.percentile(image, 95)


def snr_of(scan: Noisy, phantom: np.ndarray) -> float:
    sigma = np.broadcast_to(scan.profile, phantom.shape)
    return float(np.mean(magnitude(scan)[phantom]) / np.median(sigma[phantom]))


def lagged(noise: np.ndarray, air: np.ndarray, axis: int) -> tuple[float, float]:
    """Return |correlation| of neighbours in the air along an axis, over its standard error."""
    late, early = (np.take(noise, range(i, noise.shape[axis] - 1 + i), axis) for i in (1, 0))
    both = np.take(air, range(1, air.shape[axis]), axis) & np.take(
        air, range(air.shape[axis] - 1), axis
    )
    products = (late * early.conj())[:, both]
    correlation = abs(products.mean()) / np.mean(np.abs(noise[:, air]) ** 2)
    return float(correlation), float(correlation * np.sqrt(products.size))


def spectrum(noise: np.ndarray, air: np.ndarray, axis: int) -> tuple[float, float]:
    """Return the spread of the air's noise power over bands of k-space, and that of chance."""
    power = np.abs(fft2c(noise * air)) ** 2
    along = power.mean(axis=tuple({0, 1, 2} - {axis % 3}))
    bands = along.reshape(BANDS, -1).mean(axis=1)
    return float(np.std(bands / bands.mean())), float(np.sqrt(BANDS / (air.sum() * len(noise))))


def statistics(scan: Noisy, phantom: np.ndarray, air: np.ndarray) -> dict:
    """Return what the air says: everything relative to circular Gaussian noise of its profile."""
    images = scan.images().astype(np.complex128)
    counted = np.maximum(air.sum(axis=0), 1)
    column = np.sqrt(np.sum(np.abs(images) ** 2 * air, axis=(0, 1)) / (len(images) * counted))
    column /= np.sqrt(np.mean(column**2))
    noise = images / column
    noise /= np.sqrt(np.mean(np.abs(noise[:, air]) ** 2))
    samples = noise[:, air]
    parts = np.sort(np.concatenate([samples.real, samples.imag]).ravel()) * np.sqrt(2)
    steps = (np.arange(parts.size) + 0.5) / parts.size
    circularity = abs(np.mean(samples**2))
    kurtosis = float(np.mean(np.abs(samples) ** 4))
    by_ky, by_kx = spectrum(noise, air, -2), spectrum(noise, air, -1)
    correlation = scan.covariance / np.sqrt(np.outer(*2 * [np.diag(scan.covariance).real]))
    np.fill_diagonal(correlation, 0)
    phase, readout = lagged(noise, air, -2), lagged(noise, air, -1)
    root = np.sqrt(samples.size)
    return {
        "snr": snr_of(scan, phantom),
        "samples": samples.size,
        "profile": column.tolist(),
        # A standard deviation from N complex samples is uncertain by 1/sqrt(4 N) of itself.
        "profile_error": float(np.sqrt(np.mean(column**2 / (4 * len(images) * counted)))),
        "profile_edges": float(np.mean(column[[0, 1, -2, -1]])),
        "profile_middle": float(np.mean(column[52:76])),
        "coil_correlation_largest": float(np.abs(correlation).max()),
        "lag1_phase_encoding": phase[0],
        "lag1_readout": readout[0],
        "circularity": float(circularity),
        "kurtosis": kurtosis,
        "kolmogorov": float(np.abs(ndtr(parts) - steps).max()),
        "spectrum_ky_spread": by_ky[0],
        "spectrum_kx_spread": by_kx[0],
        "spectrum_spread_of_chance": by_ky[1],
        "in_standard_errors": {
            "lag1_phase_encoding": phase[1],
            "lag1_readout": readout[1],
            "circularity": float(circularity * root / np.sqrt(2)),
            "kurtosis": abs(kurtosis - 2) * root / 2,
        },
    }


def brought_down(scan: Noisy, target: float, phantom: np.ndarray, field: float) -> Noisy:
    """Return the scan at the SNR `target`, with more of its own noise."""
    low = sim.low_field(
        scan.kspace,
        scan.covariance,
        field * target / snr_of(scan, phantom),
        field,
        seed=0,
        noise_profile=scan.profile,
    )
    return measured(low.kspace)


def with_white_noise(scan: Noisy, target: float, phantom: np.ndarray) -> Noisy:
    """Return the scan with as much noise, but the same in all coils and pixels."""
    ratio = snr_of(scan, phantom) / target
    power = np.trace(scan.covariance).real / len(scan.covariance)
    psi = (ratio**2 - 1) * power * np.eye(len(scan.covariance))
    return measured(sim.add_noise(scan.kspace, psi, seed=0))


def show(rows: dict[str, dict]) -> None:
    names = [
        key for key in next(iter(rows.values())) if key not in ("profile", "in_standard_errors")
    ]
    print(f"{'':28}" + "".join(f"{name:>22}" for name in rows))
    for key in names:
        print(f"{key:28}" + "".join(f"{row[key]:22.4g}" for row in rows.values()))
        if key in next(iter(rows.values()))["in_standard_errors"]:
            errors = "".join(f"{row['in_standard_errors'][key]:22.1f}" for row in rows.values())
            print(f"{'  in standard errors':28}" + errors)


def compare_profiles(rows: dict[str, dict], twin: dict) -> None:
    """Add the root-mean-square difference of every profile from the twin's, and that of chance."""
    for row in rows.values():
        difference = np.array(row["profile"]) - np.array(twin["profile"])
        chance = np.hypot(row["profile_error"], 0 if row is twin else twin["profile_error"])
        row["profile_from_twin"] = float(np.sqrt(np.mean(difference**2)))
        row["profile_from_twin_by_chance"] = float(chance)


def judge(twin: dict, low: dict) -> dict[str, bool]:
    """Tell where the scan brought down can be told from its twin."""
    edges = low["profile_edges"] / low["profile_middle"]
    expected = twin["profile_edges"] / twin["profile_middle"]
    return {
        "snr": abs(low["snr"] / twin["snr"] - 1) < SAME_SNR,
        "profile": abs(edges / expected - 1) < SAME_PROFILE,
        **{key: value < LIMIT for key, value in low["in_standard_errors"].items()},
    }


def draw(path: Path, scans: dict[str, Noisy]) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4 * len(scans), 4), layout="constrained")
    for axes, (name, scan) in zip(figure.subplots(1, len(scans)), scans.items(), strict=True):
        axes.imshow(np.log10(1 + magnitude(scan)), cmap="gray")
        axes.set_title(name)
        axes.axis("off")
    figure.savefig(path, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, metavar="OUT")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="a picture of the real scans")
    options = parser.parse_args()
    folder = os.environ.get("KSPACE_DENOISE_DATA")
    if not folder or not Path(folder).is_dir():
        sys.exit("no data folder: set KSPACE_DENOISE_DATA")
    files = {name: kd.read(Path(folder) / f"{name}.h5") for name in (ARRAY, TWIN)}
    known = {name: known_noise(scan) for name, scan in files.items()}
    array, twin = (
        Noisy(files[name].kspace[0], known[name].covariance, known[name].profile)
        for name in (ARRAY, TWIN)
    )
    phantom = phantom_of(array) | phantom_of(twin)
    air = ~binary_dilation(phantom, iterations=MARGIN)
    target = snr_of(twin, phantom)
    scans = {
        "body coil": twin,
        "array": array,
        "array brought down": brought_down(array, target, phantom, files[ARRAY].field_strength),
        "with white noise": with_white_noise(array, target, phantom),
    }
    rows = {name: statistics(scan, phantom, air) for name, scan in scans.items()}
    compare_profiles(rows, rows["body coil"])
    show(rows)
    passed = judge(rows["body coil"], rows["array brought down"])
    print("brought down like its twin: " + ", ".join(f"{k} {v}" for k, v in passed.items()))
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n")
    if options.picture:
        draw(options.picture, scans)
    sys.exit(0 if all(passed.values()) else 1)


if __name__ == "__main__":
    main()
