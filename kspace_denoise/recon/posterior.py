"""What samplers return, and what they share: slice after slice, and a guarded denoiser."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np

from kspace_denoise.arrays import Array, like, namespace, to_torch
from kspace_denoise.random import Seed, numpy_generator
from kspace_denoise.recon.estimate import Denoise, check_denoiser, check_estimate, check_finite
from kspace_denoise.recon.whitened import Whitened, slices_of, whitened, whitened_samples


class Posterior(NamedTuple):
    """Samples of the image given the data: `samples` is `(samples, ..., y, x)`.

    `mean` is `(..., y, x)`, and `std` the standard deviation of each real component there (the
    root of the mean over the two); None of a single sample.
    """

    mean: Array
    std: Array | None
    samples: Array


Draw: TypeAlias = Callable[[Whitened, Denoise, np.random.Generator], Array]
"""Returns samples `(samples, y, x)` of one slice, in torch."""


def sample_slices(
    kspace: Array,
    maps: Array,
    mask: Array | None,
    noise_covariance: Array | None,
    denoise: Denoise,
    draw: Draw,
    samples: int,
    seed: Seed,
    trajectory: Array | None = None,
) -> Posterior:
    """Draw samples slice by slice; arguments and errors are those of `ddrm`."""
    check_denoiser(denoise)
    if trajectory is None:
        white = whitened(kspace, maps, mask, noise_covariance)
    else:
        white = whitened_samples(kspace, maps, mask, noise_covariance, trajectory)
    generator = numpy_generator(seed)
    own = guarded(denoise, kspace)

    def images(piece: Whitened) -> Array:
        # Where all maps are 0 nothing was measured: 0, as in `sense`.
        inside = (piece.maps != 0).any(0)
        if not inside.any():
            return piece.maps.new_zeros((samples, *inside.shape))
        return check_finite(draw(piece, own, generator)) * inside

    drawn = [like(images(piece), kspace) for piece in slices_of(white)]
    stacked = namespace(kspace).stack(drawn, axis=1)
    lead, grid = kspace.shape[:-3], maps.shape[-2:]
    return summary(namespace(kspace).reshape(stacked, (stacked.shape[0], *lead, *grid)))


def down_to_known(levels: Sequence[float], denoise: Denoise) -> list[float]:
    """Return falling noise levels without those below the lowest that a denoiser has learnt.

    That one is the last, then: behind it stands the clean estimate. Denoisers without an attribute
    `smallest` know all levels.
    """
    smallest = float(getattr(denoise, "smallest", 0.0))
    known = [level for level in levels if level > smallest]
    return known if len(known) == len(levels) else [*known, smallest]


def check_sampling_options(noise_covariance: Array, samples: int) -> None:
    """Refuse k-space whose noise is not given, and fewer than one sample.

    Raises:
        ValueError: saying what to give.
    """
    if noise_covariance is None:
        raise ValueError(
            "noise_covariance is None: a sampler needs the noise of the k-space; give Psi, 2 I for "
            "whitened data (recon.estimate_noise measures it)"
        )
    if samples < 1:
        raise ValueError(f"samples is {samples}, expected at least 1")


def summary(samples: Array) -> Posterior:
    """Return samples `(samples, ..., y, x)` with their mean and standard deviation."""
    xp = namespace(samples)
    mean = xp.mean(samples, axis=0)
    count = samples.shape[0]
    if count == 1:
        return Posterior(mean, None, samples)
    power = xp.sum(xp.abs(samples - mean) ** 2, axis=0)
    return Posterior(mean, (power / (2 * (count - 1))) ** 0.5, samples)


def guarded(denoise: Denoise, reference: Array) -> Denoise:
    """Return the denoiser for torch tensors, with a check of what it returns.

    It is asked in the array kind of the reference.
    """

    def asked(x: Array, sigma: float) -> Array:
        given = like(x, reference)
        return to_torch(check_estimate(denoise(given, sigma), given)).to(x.dtype)

    return asked
