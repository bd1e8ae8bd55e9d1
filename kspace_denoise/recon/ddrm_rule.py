"""DDRM: the rule by which each spectral component goes from one noise level to the next.

Kawar et al., Denoising Diffusion Restoration Models, NeurIPS 2022. Here in images whose noise
grows (a state of DDPM divided by √ᾱ), and with n a draw of N(0, 1) per real component.
"""

from typing import NamedTuple

from kspace_denoise.arrays import Array, namespace


class Step(NamedTuple):
    """z' = clean · x0 + state · z + data · ȳ + noise · n, coefficients of every component."""

    clean: Array
    state: Array
    data: Array
    noise: Array


def ddrm_start(level: float, nsr: Array) -> tuple[Array, Array]:
    """Return the factor of ȳ and the level of the noise that make the first state.

    `nsr` holds sigma / s of every component, infinite where nothing is seen.
    """
    xp = namespace(nsr)
    seen = nsr < level
    one = xp.ones_like(nsr)
    mean = xp.where(seen, one, 0 * one)
    return mean, xp.where(seen, level**2 - xp.where(seen, nsr, 0 * one) ** 2, level**2 * one) ** 0.5


def ddrm_step(level: float, following: float, nsr: Array, eta: float, eta_b: float) -> Step:
    """Return the step from the noise level `level` to the next one; 0 ends with the clean image.

    Where nothing is seen the state keeps a share of its own noise; where the data are noisier than
    the state they lend theirs; where they are better they replace a share of the clean estimate.
    """
    xp = namespace(nsr)
    keep = (1 - eta**2) ** 0.5 * following
    noisier = nsr >= following
    state = xp.where(xp.isinf(nsr), keep / level, 0.0)
    data = xp.where(noisier, keep / nsr, eta_b)
    added = xp.clip(following**2 - eta_b**2 * nsr**2, 0.0) ** 0.5
    noise = xp.where(noisier, eta * following, added)
    return Step(1 - state - data, state, data, noise)
