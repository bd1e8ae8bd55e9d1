"""BM3D side by side with the package `bm3d`, on white and on coloured noise: PSNR and seconds.

The package may be used for non-commercial research only, so that it is no dependency of this
project: it runs in a virtual environment of its own, whose python is named by `--peer`.

    python -m venv /tmp/peer && /tmp/peer/bin/pip install bm3d
    OMP_NUM_THREADS=1 python benchmarks/bm3d.py --peer /tmp/peer/bin/python --json bm3d.json

Images of range 0 to 1, real: a photograph (skimage.data.camera, 256 x 256) and the magnitude of two
phantoms (192 x 160). Noise of sigma = 13/255 and 25/255, white, or blurred by a Gaussian of 1.2
pixels and of the same sigma; both are told its spectrum. Complex phantoms with their phase have no
peer: their PSNR is that of the complex image. Everything as it comes, no strength is chosen.
`white on coloured` is ours when the spectrum is not told. PSNR over the whole image, data range 1,
against the noise-free image. Seconds are the median of three calls in turn, one thread each.

`--held-out` measures the same on other phantoms, on which nothing was set (FLAIR and T2w,
160 x 144). `--limits` prints how the limits of distance in a group change the mean PSNR of ours;
`--phase` what non-local means and wavelet shrinkage gain on the complex phantoms by taking the
smooth phase off.
"""

import argparse
import dataclasses
import json
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import mean, median
from time import perf_counter
from typing import NamedTuple

import numpy as np
import torch
from skimage import data, transform

from kspace_denoise import sim
from kspace_denoise.classical import BM3D, NonLocalMeans, Wavelet
from kspace_denoise.classical.bm3d import Profile
from kspace_denoise.fourier import fft2c, ifft2c

LEVELS = (13, 25)  # sigma * 255
WIDTH = 1.2  # of the blur, in pixels
REPEATS = 3
# Denoises one file (noisy, psd or sigma) and prints the seconds. The package of 2024 calls
# numpy.trapz, which numpy 2.4 no longer has.
_PEER = """
import sys, time
import numpy as np
if not hasattr(np, "trapz"):
    np.trapz = np.trapezoid
import bm3d
given = np.load(sys.argv[1])
start = time.perf_counter()
clean = bm3d.bm3d(given["noisy"], given["noise"] if given["noise"].ndim else float(given["noise"]))
print(time.perf_counter() - start)
np.save(sys.argv[2], clean)
"""


class Phantoms(NamedTuple):
    """Phantoms of one shape, each a seed and a contrast."""

    shape: tuple[int, int]
    heads: tuple[tuple[int, str], ...]


TUNED = Phantoms((192, 160), ((0, "T2w"), (1, "T1w")))
HELD_OUT = Phantoms((160, 144), ((11, "FLAIR"), (12, "T2w")))
LIMITS = {"hard_match": (6.0, 10.0, 15.0), "wiener_match": (1.0, 1.5, 2.0)}


class Case(NamedTuple):
    """One noisy image, its noise and what it should have been."""

    name: str
    level: int
    truth: np.ndarray
    noisy: np.ndarray
    spectrum: np.ndarray | None = None

    @property
    def sigma(self) -> float:
        return self.level / 255


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peer", help="python of an environment in which bm3d is installed")
    parser.add_argument("--json", type=Path, help="write the numbers here as well")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--held-out", action="store_true", help="other phantoms")
    which.add_argument("--limits", action="store_true", help="other limits of distance, no peer")
    which.add_argument("--phase", action="store_true", help="other methods, phase on and off")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    found = cases(HELD_OUT if arguments.held_out else TUNED, photograph=not arguments.held_out)
    if arguments.limits or arguments.phase:
        rows = limits(found) if arguments.limits else phases(found)
        print(table(rows))
    else:
        rows = [measure(case, arguments.peer) for case in found]
        print(f"{table(rows)}\n{summary(rows)}")
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1))


def cases(phantoms: Phantoms, photograph: bool) -> list[Case]:
    """Return all noisy images: white, coloured, complex."""
    images = {}
    if photograph:
        images["camera"] = transform.resize(data.camera(), (256, 256), anti_aliasing=True)
    for seed, contrast in phantoms.heads:
        image = np.asarray(sim.phantom(phantoms.shape, contrast=contrast, seed=seed).image)
        images[f"phantom {contrast}"] = image / np.abs(image).max()
    found = []
    for name, image in images.items():
        for level in LEVELS:
            found.append(noisy_case(name, level, np.abs(image), None))
            found.append(noisy_case(name, level, np.abs(image), blurred_spectrum(image.shape)))
            if np.iscomplexobj(image):
                found.append(noisy_case(name, level, image, None))
    return sorted(found, key=lambda case: (kind(case) != "white", kind(case)))


def noisy_case(name: str, level: int, truth: np.ndarray, spectrum: np.ndarray | None) -> Case:
    """Add noise of sigma = `level` / 255 per component."""
    rng = np.random.default_rng(level)
    white = rng.standard_normal((2, *truth.shape))
    noise = white[0] + 1j * white[1]
    if spectrum is not None:
        noise = ifft2c(np.sqrt(spectrum) * fft2c(noise))
    noise = noise if np.iscomplexobj(truth) else noise.real
    single = np.complex64 if np.iscomplexobj(truth) else np.float32
    return Case(name, level, truth, (truth + level / 255 * noise).astype(single), spectrum)


def blurred_spectrum(shape: tuple[int, ...]) -> np.ndarray:
    """Return the power of white noise blurred by a Gaussian, mean 1, DC at n // 2."""
    ky, kx = ((np.arange(n) - n // 2) / n for n in shape)
    power = np.exp(-((2 * np.pi * WIDTH) ** 2) * (ky[:, None] ** 2 + kx**2))
    return power / power.mean()


def measure(case: Case, peer: str | None) -> dict[str, object]:
    """Denoise one image by all."""
    seconds: dict[str, list[float]] = {"ours": [], "peer": []}
    scores: dict[str, float | None] = {"peer": None, "white on coloured": None}
    for _ in range(REPEATS):
        clean, took = timed(lambda: BM3D(spectrum=case.spectrum)(case.noisy, case.sigma))
        scores["ours"] = psnr(clean, case.truth)
        seconds["ours"].append(took)
        if peer and not np.iscomplexobj(case.truth):
            clean, took = by_peer(case, peer)
            scores["peer"] = psnr(clean, case.truth)
            seconds["peer"].append(took)
    if case.spectrum is not None:
        scores["white on coloured"] = psnr(BM3D()(case.noisy, case.sigma), case.truth)
    scores["noisy"] = psnr(case.noisy, case.truth)
    scores["nlm"] = psnr(NonLocalMeans()(case.noisy, case.sigma), case.truth)
    times = {f"{who} s": median(took) if took else None for who, took in seconds.items()}
    return {"image": case.name, "sigma * 255": case.level, "noise": kind(case), **scores, **times}


def limits(found: list[Case]) -> list[dict[str, object]]:
    """Return the mean PSNR over the real images with white noise, one limit changed at a time."""
    white = [case for case in found if kind(case) == "white"]
    rows: list[dict[str, object]] = []
    for name, values in LIMITS.items():
        for value in values:
            denoiser = BM3D(profile=dataclasses.replace(Profile(), **{name: value}))
            scores = [psnr(denoiser(c.noisy, c.sigma), c.truth) for c in white]
            rows.append({"limit": name, "sigma² per pixel": value, "mean PSNR": mean(scores)})
    return rows


def phases(found: list[Case]) -> list[dict[str, object]]:
    """Return the PSNR of complex images with their phase left on, and taken off."""
    return [
        {
            "image": case.name,
            "sigma * 255": case.level,
            "method": make.method,
            **{
                name: psnr(make(phase_width=width)(case.noisy, case.sigma), case.truth)
                for name, width in (("phase on", 0.0), ("phase off", 4.0))
            },
        }
        for case in found
        if kind(case) == "white, complex"
        for make in (NonLocalMeans, Wavelet)
    ]


def kind(case: Case) -> str:
    """Return what kind of image and noise this is."""
    if np.iscomplexobj(case.truth):
        return "white, complex"
    return "white" if case.spectrum is None else "coloured"


def by_peer(case: Case, python: str) -> tuple[np.ndarray, float]:
    """Return the image of the package and its seconds, the start of python not among them."""
    noise: object = case.sigma
    if case.spectrum is not None:  # the power of the unscaled FFT, DC first
        first = np.roll(case.spectrum, [-(n // 2) for n in case.spectrum.shape], (0, 1))
        noise = first * case.sigma**2 * case.truth.size
    with tempfile.TemporaryDirectory() as folder:
        given, result = Path(folder, "given.npz"), Path(folder, "clean.npy")
        np.savez(given, noisy=case.noisy.astype(np.float64), noise=noise)
        command = [python, "-c", _PEER, str(given), str(result)]
        answer = subprocess.run(command, check=True, capture_output=True, text=True)
        return np.load(result), float(answer.stdout.split()[-1])


def timed(call: Callable[[], np.ndarray]) -> tuple[np.ndarray, float]:
    start = perf_counter()
    result = call()
    return result, perf_counter() - start


def psnr(image: np.ndarray, truth: np.ndarray) -> float:
    """Return the PSNR over the whole image, data range 1."""
    return -10 * float(np.log10(np.mean(np.abs(image - truth) ** 2)))


def table(rows: list[dict[str, object]]) -> str:
    """Return a Markdown table."""
    columns = list(rows[0])
    lines = [columns, ["---"] * len(columns)]
    lines += [[_cell(name, row[name]) for name in columns] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def summary(rows: list[dict[str, object]]) -> str:
    """Return the differences from the peer in words."""
    lines = []
    for noise in ("white", "coloured"):
        pairs = [row for row in rows if row["noise"] == noise and row["peer"] is not None]
        if pairs:
            ahead = [row["ours"] - row["peer"] for row in pairs]
            faster = mean(row["peer s"] for row in pairs) / mean(row["ours s"] for row in pairs)
            lines.append(
                f"{noise}: ours - peer {min(ahead):+.2f} to {max(ahead):+.2f} dB, "
                f"mean {mean(ahead):+.2f}; {faster:.1f} times as fast"
            )
    return "\n".join(lines)


def _cell(name: str, value: object) -> str:
    if value is None:
        return "not measured" if name.startswith("peer") else "-"
    if name == "mean PSNR":
        return f"{value:.3f}"
    return f"{value:.2f}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
