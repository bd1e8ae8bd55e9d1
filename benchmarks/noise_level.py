"""How well `recon.estimate_sigma` tells the noise of images: how often it answers, and how wrong.

    python benchmarks/noise_level.py

Phantoms in three contrasts, of two sizes, noise of 1 to 20 % of the brightest pixel; magnitudes
of one coil and of four, complex images, real ones; with air, with the air blanked, cut down to
the middle third, filtered, interpolated, with noise that drifts along an axis. Where it is uneven
the level to be found is its root mean square in the head. Beside it the wavelet rule of
scikit-image, which the Corruption2Self paper uses, on the same images.
"""

import argparse
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from scipy import ndimage
from skimage.restoration import estimate_sigma as wavelet_rule

from kspace_denoise import recon, sim
from kspace_denoise.fourier import fft2c, ifft2c

Numpy: TypeAlias = np.ndarray[Any, Any]
LEVELS = (0.01, 0.03, 0.05, 0.1, 0.2)
FIRST = 1000  # the rules of refusal were settled on heads 0 to 3


def noise(rng: np.random.Generator, shape: tuple[int, ...]) -> Numpy:
    """Draw complex noise of level 1 per real component."""
    return rng.standard_normal(shape) + 1j * rng.standard_normal(shape)


def middle(image: Numpy) -> Numpy:
    """Cut out the middle third."""
    y, x = (n // 3 for n in image.shape)
    return image[y:-y, x:-x]


def interpolated(image: Numpy) -> Numpy:
    """Fill k-space with zeros up to twice the matrix."""
    return 2 * ifft2c(np.pad(fft2c(image), [(n // 2, n // 2) for n in image.shape]))


def profiles(shape: tuple[int, int]) -> dict[str, Numpy]:
    """Return relative noise levels over an image by what they are."""
    y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    return {
        "0.5 to 1.5 along x": 1 + x / 2,
        "0.75 to 1.2 along x": 0.975 + 0.225 * x,
        "0.75 to 1.2 along y": 0.975 + 0.225 * y,
        "0.88 to 1.12 along y": 1 + 0.12 * y,
        "0.95 to 1.05 along y": 1 + 0.05 * y,
        "0.4 at the edges along x, as behind a receiver filter": 1 - 0.6 * x**2,
    }


def uneven(
    truth: Numpy, head: Numpy, sigma: float, rng: np.random.Generator
) -> Iterator[tuple[str, Numpy, float]]:
    """Yield images of uneven noise, what they are, and its level in the head."""
    for name, profile in profiles(truth.shape).items():
        noisy = truth + sigma * profile * noise(rng, truth.shape)
        level = sigma * float(np.sqrt(np.mean(profile[head > 0] ** 2)))
        yield f"magnitude, noise {name}", np.abs(noisy), level
        yield f"complex, noise {name}", noisy, level
        real = np.abs(truth) + sigma * profile * rng.standard_normal(truth.shape)
        yield f"real, noise {name}", real, level


def cases(truth: Numpy, head: Numpy, sigma: float, rng: np.random.Generator) -> dict[str, Numpy]:
    """Return images of noise level sigma by what they are."""
    noisy = truth + sigma * noise(rng, truth.shape)
    parts = truth / 2 + sigma * noise(rng, (4, *truth.shape))
    return {
        "magnitude": np.abs(noisy),
        "magnitude, air blanked": np.abs(noisy) * head,
        "magnitude, middle third": middle(np.abs(noisy)),
        "magnitude, interpolated": np.abs(interpolated(noisy)),
        "magnitude, four coils": np.sqrt(np.sum(np.abs(parts) ** 2, axis=0)),
        "magnitude, four coils, told one": np.sqrt(np.sum(np.abs(parts) ** 2, axis=0)),
        "complex": noisy,
        "complex, air blanked": noisy * head,
        "complex, middle third": middle(noisy),
        "real": np.abs(truth) + sigma * rng.standard_normal(truth.shape),
        "real, negatives cut": np.clip(
            np.abs(truth) + sigma * rng.standard_normal(truth.shape), 0, None
        ),
        "magnitude, smoothed": ndimage.gaussian_filter(np.abs(noisy), 1),
    }


class Answer(NamedTuple):
    """An estimate over the true level, NaN where there is none, and whether its interval holds."""

    ratio: float
    holds: bool = False


def answer(image: Numpy, coils: int, sigma: float) -> Answer:
    """Ask for the level of an image whose true one is sigma."""
    try:
        found = recon.estimate_sigma(image, coils)
    except recon.NoiseNotFound:
        return Answer(float("nan"))
    low, high = found.interval
    return Answer(found.sigma / sigma, low <= sigma / found.sigma <= high)


def row(name: str, found: list[Answer], naive: list[float]) -> str:
    """Return a row of the table, errors in per cent."""
    errors = np.abs(np.array([one.ratio for one in found]) - 1)
    answered = errors[np.isfinite(errors)]
    held = sum(one.holds for one in found)
    typical, worst = "-", "-"
    if answered.size:
        typical, worst = (f"{100 * f(answered):.1f}" for f in (np.median, np.max))
    usual = f"{100 * np.median(np.abs(np.array(naive) - 1)):.0f}" if naive else "-"
    return f"| {name} | {answered.size} of {errors.size} | {held} | {typical} | {worst} | {usual} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=2)
    seeds = parser.parse_args().seeds
    found: dict[str, list[Answer]] = {}
    naive: dict[str, list[float]] = {}
    rule: Callable[..., Any] = wavelet_rule
    for seed in range(FIRST, FIRST + seeds):
        rng = np.random.default_rng(seed)
        for contrast in ("T1w", "T2w", "FLAIR"):
            for side in (128, 256):
                drawn = sim.phantom((side, side), contrast=contrast, seed=seed)
                truth, head = np.asarray(drawn.image), np.asarray(drawn.mask)
                truth = truth / np.abs(truth).max()
                for sigma in LEVELS:
                    even = cases(truth, head, sigma, rng).items()
                    images = [(name, image, sigma) for name, image in even]
                    for name, image, level in [*images, *uneven(truth, head, sigma, rng)]:
                        coils = 4 if name == "magnitude, four coils" else 1
                        found.setdefault(name, []).append(answer(image, coils, level))
                        if not np.iscomplexobj(image):
                            naive.setdefault(name, []).append(float(rule(image)) / level)
    print(
        "| image | answered | inside the interval | error, median % | worst % "
        "| wavelet rule, median % |"
    )
    print("| --- | --- | --- | --- | --- | --- |")
    for name, values in found.items():
        print(row(name, values, naive.get(name, [])))


if __name__ == "__main__":
    main()
