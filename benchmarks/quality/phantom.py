"""Phantom subjects at 0.3 T in three contrasts, written as files that are named like M4Raw's."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import kspace_denoise as kd
from benchmarks.quality.m4raw import CONTRASTS, FOLDERS, NOISE_FREE
from benchmarks.quality.volumes import Numpy
from kspace_denoise import sim
from kspace_denoise.demo.phantoms import FIELD, SOURCE_FIELD, mean_snr
from kspace_denoise.fourier import fft2c, ifft2c
from kspace_denoise.scan import Scan

SHAPE, COILS, SLICES = (128, 128), 4, 4
SUBJECTS = {"train": 32, "validation": 6, "test": 6}
REPETITIONS = {
    "train": {"T1": 3, "T2": 3, "FLAIR": 2},
    "validation": {"T1": 6, "T2": 6, "FLAIR": 4},
    "test": {"T1": 6, "T2": 6, "FLAIR": 4},
}
SNR = (6.0, 9.0)
"""Mean SENSE magnitude over sigma in the object; drawn for each subject, even in the logarithm."""
FIRST = {"train": 500_000, "validation": 600_000, "test": 800_000}
"""Number of the first subject, which is its seed: not those of the demo."""
GENERATOR = 2
"""Raise it whenever what is drawn for a subject changes."""


def origin(split: str) -> dict[str, Any]:
    """Return everything that decides what the subjects of a split are."""
    return {
        "split": split,
        "first": FIRST[split],
        "subjects": SUBJECTS[split],
        "repetitions": REPETITIONS[split],
        "slices": SLICES,
        "shape": list(SHAPE),
        "coils": COILS,
        "snr": list(SNR),
        "fields": [SOURCE_FIELD, FIELD],
        "generator": GENERATOR,
    }


def write_study(
    folder: Path, split: str, subjects: int | None = None, shape: tuple[int, int] = SHAPE
) -> None:
    """Write all subjects of a split as M4Raw lays them out, what is there already left alone."""
    count = SUBJECTS[split] if subjects is None else subjects
    for number in range(FIRST[split], FIRST[split] + count):
        for path, scan in _files(folder, split, number, shape):
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                kd.write(path, scan)


def _files(
    folder: Path, split: str, number: int, shape: tuple[int, int]
) -> Iterator[tuple[Path, Scan]]:
    """Yield the files of a subject: repetitions, and the same without noise beside them."""
    generator = np.random.default_rng([number, 1])
    snr = float(np.exp(generator.uniform(*np.log(SNR))))
    psi = sim.array_covariance(COILS, seed=number)
    for name, repetitions in REPETITIONS[split].items():
        source = _source(number, name, snr, psi, shape)
        clean = Scan(kspace=source * (FIELD / SOURCE_FIELD) ** 2, field_strength=FIELD)
        yield folder / NOISE_FREE / FOLDERS[split] / f"{number}_{name}01.h5", clean
        for repetition in range(1, repetitions + 1):
            seed = [number, list(CONTRASTS).index(name), repetition]
            path = folder / FOLDERS[split] / f"{number}_{name}{repetition:02d}.h5"
            yield path, _low_field(source, psi, seed)


def _source(number: int, name: str, snr: float, psi: Numpy, shape: tuple[int, int]) -> Numpy:
    """Return noise-free k-space at 3 T (slices, coils, ky, kx) that has the SNR once at 0.3 T.

    A subject's seeds are the same in all contrasts, and so are anatomy and coils; the phase of
    each contrast is its own.
    """
    heads = [
        sim.phantom(shape, CONTRASTS[name], seed=1000 * number + i, coils=COILS)
        for i in range(SLICES)
    ]
    ratio = FIELD / SOURCE_FIELD
    slices = []
    for index, head in enumerate(heads):
        assert head.kspace is not None
        seed = [number, index, list(CONTRASTS).index(name), 2]
        kspace = fft2c(ifft2c(head.kspace) * _phase(shape, seed))
        slices.append(np.float32(snr / ratio / mean_snr(kspace, psi, head.mask)) * kspace)
    return np.stack(slices).astype(np.complex64)


def _phase(shape: tuple[int, int], seed: list[int]) -> Numpy:
    """Draw a smooth phase factor: constant, linear and quadratic over the field of view."""
    generator = np.random.default_rng(seed)
    y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y])
    weights = generator.normal(0, [np.pi, 1, 1, 0.7, 0.7, 0.7])
    return np.exp(1j * np.tensordot(weights, terms, 1))


def _low_field(source: Numpy, psi: Numpy, seed: list[int]) -> Scan:
    """Add the noise of the source scan, then that of the low field."""
    generator = np.random.default_rng(seed)
    noisy = sim.add_noise(source, psi, seed=generator)
    low = sim.low_field(noisy, psi, field=FIELD, source_field=SOURCE_FIELD, seed=generator)
    return Scan(kspace=low.kspace, noise_covariance=low.noise_covariance, field_strength=FIELD)
