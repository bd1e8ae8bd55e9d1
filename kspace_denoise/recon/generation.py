"""Images out of nothing: what a denoiser of every noise level believes in."""

import itertools
from collections.abc import Callable, Sequence

import numpy as np

from kspace_denoise.arrays import Array
from kspace_denoise.random import Seed, complex_normal, numpy_generator
from kspace_denoise.recon.diffusion_levels import check_levels, ddpm_levels
from kspace_denoise.recon.estimate import Denoise, check_denoiser, check_estimate, check_finite
from kspace_denoise.recon.posterior import down_to_known


def generate(
    denoise: Denoise,
    shape: tuple[int, int],
    *,
    rms: float = 1.0,
    steps: int = 50,
    eta: float = 0.0,
    samples: int = 8,
    seed: Seed = 0,
    levels: Sequence[float] | None = None,
) -> Array:
    """Draw images `(samples, y, x)`, complex64 of numpy, from the prior of a denoiser.

    From pure noise down through noise levels: by DDIM (`eta` = 0; Song, Meng, Ermon, ICLR 2021), by
    the ancestral sampling of DDPM (1; Ho et al., NeurIPS 2020), or between.

    Args:
        denoise: `denoise(x, sigma)` returns the clean images of x `(samples, y, x)`, as
            `Denoiser.prior(rms)` does; sigma is the noise of x per real component.
        shape: `(y, x)`.
        rms: root mean square of the magnitude of the images, the unit of the levels.
        steps: how many of the levels of DDPM's linear schedule, the strongest one among them; 10
            to 100 are usual.
        eta: how much of the noise is new in each step, 0 to 1.
        samples: number of images.
        seed: integer or generator.
        levels: noise levels in the unit of the image in place of `steps`, falling, without 0; none
            is asked for below the smallest that the denoiser has learnt.

    Raises:
        TypeError: if the denoiser is none, or returns another kind than complex arrays of numpy.
        ValueError: if an option is out of its range, or the denoiser returns another shape, or
            values that are not finite.
    """
    check_denoiser(denoise)
    if not 0 <= eta <= 1:
        raise ValueError(f"eta is {eta}, expected 0 to 1")
    if len(shape) != 2:
        raise ValueError(f"shape is {shape}, expected (y, x)")
    if samples < 1 or not 0 < rms < float("inf"):
        raise ValueError(
            f"samples is {samples} and rms {rms}, expected at least 1 and a positive number"
        )
    every = (
        check_levels(levels)
        if levels is not None
        else [rms * x for x in ddpm_levels(steps, to_last=True)]
    )
    falling = down_to_known(every, denoise)
    generator, image = numpy_generator(seed), np.zeros(1, np.complex64)

    def noise() -> Array:
        return complex_normal((samples, *shape), image, generator)

    drawn = ddim(denoise, falling[0] * noise(), falling, eta, noise)
    return check_finite(drawn)


def ddim(
    denoise: Denoise, x: Array, levels: Sequence[float], eta: float, noise: Callable[[], Array]
) -> Array:
    """Return clean images of images of noise level `levels[0]`.

    x' = D + √(d'² - s²) (x - D) / d + s n, s = η d' √(1 - d'² / d²), from the level d to d'. Behind
    the last level stands D itself.
    """
    for level, following in itertools.pairwise(levels):
        clean = check_estimate(denoise(x, level), x)
        added = eta * following * (1 - (following / level) ** 2) ** 0.5
        kept = (following**2 - added**2) ** 0.5 / level
        x = clean + kept * (x - clean) + added * noise()
    return check_estimate(denoise(x, levels[-1]), x)
