"""Sampling from any measurement whose singular value decomposition is known."""

from typing import Literal

from kspace_denoise.arrays import Array, like, to_torch
from kspace_denoise.random import Seed, numpy_generator
from kspace_denoise.recon.ddrm import PRIOR, draw_ddrm, trusted, with_better_data
from kspace_denoise.recon.diffusion_levels import relative_levels
from kspace_denoise.recon.estimate import Denoise, check_denoiser, check_finite
from kspace_denoise.recon.posterior import Posterior, down_to_known, guarded, summary
from kspace_denoise.recon.spectral import SpectralOperator, noise_of_components
from kspace_denoise.recon.split_gibbs import couplings_of, draw_split_gibbs

Sampler = Literal["split-gibbs", "ddrm"]
_LEVELS, _ETA, _ETA_B, _STEPS = 50, 0.85, 1.0, 8  # the defaults of `ddrm` and `split_gibbs`


def restore(
    data: Array,
    operator: SpectralOperator,
    denoise: Denoise,
    *,
    sigma: float,
    rms: float,
    sampler: Sampler = "split-gibbs",
    steps: int | None = None,
    sweeps: int = 30,
    samples: int = 8,
    seed: Seed = 0,
) -> Posterior:
    """Draw images from one measurement with white noise: of erased pixels, say, or noise alone.

    `ddrm` and `split_gibbs` are this for k-space, whose noise they whiten first.

    Args:
        data: what `operator.seen` takes: images `(y, x)` of `PixelSampling`.
        operator: `PixelSampling`, `FourierSampling`, or one that follows `SpectralOperator`, of
            torch tensors where the data are.
        denoise: as for `ddrm`; it is asked in the array kind of the data.
        sigma: noise of the data per real component.
        rms: root mean square of the magnitude of the image, in its unit.
        sampler: "split-gibbs", which draws the posterior, or "ddrm".
        steps: of each sweep (8), or of DDRM (50).
        sweeps: of split Gibbs sampling.
        samples: how many images are drawn.
        seed: integer or generator.

    Raises:
        TypeError: if the denoiser is none, or returns another kind.
        ValueError: if sigma or rms is not positive, an option is out of its range, or the denoiser
            returns another shape.
    """
    check_denoiser(denoise)
    _check(sigma, rms, sampler, samples, sweeps, steps)
    seen = operator.seen(to_torch(data))
    nsr = noise_of_components(operator, sigma).expand(seen.shape)
    generator, own, component = numpy_generator(seed), guarded(denoise, data), rms / 2**0.5
    if sampler == "ddrm":
        relative = relative_levels(steps or _LEVELS, "geometric")
        levels = down_to_known([x * component for x in relative], denoise)
        nsr = trusted(nsr, PRIOR * component)
        drawn = draw_ddrm(operator, seen, nsr, own, levels, _ETA, _ETA_B, samples, generator)
        drawn = with_better_data(operator, drawn, seen, nsr, levels[-1])
    else:
        couplings, each = couplings_of(component, float(nsr.min()), sweeps), steps or _STEPS
        drawn = draw_split_gibbs(operator, seen, nsr, own, couplings, each, samples, generator)
    return Posterior(*(None if x is None else like(x, data) for x in summary(check_finite(drawn))))


def _check(
    sigma: float, rms: float, sampler: str, samples: int, sweeps: int, steps: int | None
) -> None:
    if not (0 < sigma < float("inf") and 0 < rms < float("inf")):
        raise ValueError(f"sigma is {sigma} and rms {rms}, expected positive numbers")
    if sampler not in ("split-gibbs", "ddrm"):
        raise ValueError(f"sampler is {sampler!r}, expected 'split-gibbs' or 'ddrm'")
    if samples < 1 or sweeps < 2 or (steps is not None and steps < 2):
        raise ValueError(
            f"samples is {samples}, sweeps {sweeps} and steps {steps}, expected at least 1, 2 and 2"
        )
