"""GSURE of several coils: the error of an image, judged in the k-space of each scan.

The components that coils see differ from scan to scan, so no weights by component exist. But with
maps of unit norm and D the probability of each sample, E[Aᴴ D⁻¹ A] = 1 over the masks, and

    |D^-½ (A f - y)|² + 2 σ² tr(D⁻¹ A ∂f/∂y)

over what was sampled is, in the mean and up to a constant, the squared error |f - x|² of the whole
image: Stein's lemma in k-space. The state z that f sees is made, level by level, of those
components of the scan that are less noisy than the level; the others are noise of that level.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from kspace_denoise.objectives.coil_batch import CoilBatch, Measured
from kspace_denoise.objectives.divergence import (
    Derivative,
    inner,
    rademacher_like,
    with_trace,
)
from kspace_denoise.objectives.noise_like import noise_like
from kspace_denoise.recon.spectral import noise_of_components


class State(NamedTuple):
    """An image at the noise level of the diffusion, and the vectors of its trace."""

    image: Tensor
    left: Tensor
    right: Tensor


def squared_error_of_coils(
    network: nn.Module,
    batch: CoilBatch,
    level: Tensor,
    generator: torch.Generator,
    derivative: Derivative = "difference",
) -> Tensor:
    """Return for each image |D^-½ (A f - y)|² + 2 σ² tr(D⁻¹ A ∂f/∂y) per pixel.

    Less `constant_of_coils` it is, in the mean, |D^-½ A (f - x)|², and over the masks |f - x|², as
    far as f does not depend on the mask.

    Raises:
        ValueError: if some samples are never taken, or sigma is not positive.
    """
    _check(batch)
    states = [
        state_of(scan, float(d), generator) for scan, d in zip(batch.scans, level, strict=True)
    ]
    images, left, right = (torch.stack(parts) for parts in zip(*states, strict=True))

    def estimate(z: Tensor) -> Tensor:
        clean: Tensor = network(z, level)
        return clean

    clean, trace = with_trace(estimate, images, left, right, level, derivative)
    errors = [
        _residual(scan, image) + 2 * scan.sigma**2 * part.sum()
        for scan, image, part in zip(batch.scans, clean, trace, strict=True)
    ]
    return torch.stack(errors) / clean[0].numel()


def state_of(scan: Measured, level: float, generator: torch.Generator) -> State:
    """Return the image at a noise level, white whatever the scan shows, and a probe of its trace.

    Its derivative by the k-space is B = V 1[nsr ≤ d] Σ⁺ Uᴴ; with signs b at the samples the probe
    is left = Aᴴ D⁻¹ b, right = B b.
    """
    nsr = noise_of_components(scan.shown, scan.sigma)
    shown = nsr <= level
    seen = torch.where(shown, scan.shown.seen(scan.kspace), 0)
    added = torch.where(shown, level**2 - nsr**2, level**2).clamp(min=0).sqrt()
    image = scan.shown.image(seen + added * noise_like(seen, generator))
    signs = rademacher_like(scan.kspace, generator)
    right = scan.shown.image(torch.where(shown, scan.shown.seen(signs), 0))
    return State(image, scan.operator.adjoint(signs / scan.density), right)


def constant_of_coils(batch: CoilBatch) -> Tensor:
    """Return what `squared_error_of_coils` has too much: the noise of the k-space, per pixel."""
    return torch.stack([_noise(scan) for scan in batch.scans])


def _check(batch: CoilBatch) -> None:
    for scan in batch.scans:
        if not bool((scan.density > 0).all()):
            raise ValueError(
                "the masks never take some samples (density 0): nothing can be learnt of them; "
                "take masks whose probability is positive everywhere"
            )
        if not 0 < scan.sigma < float("inf"):
            raise ValueError(f"sigma of a scan is {scan.sigma}, expected a positive number")


def _noise(scan: Measured) -> Tensor:
    coils, *grid = scan.kspace.shape
    kept = torch.ones(grid, device=scan.kspace.device)
    if scan.operator.mask is not None:
        kept = kept * scan.operator.mask
    return 2 * coils * scan.sigma**2 * (kept / scan.density).mean()


def _residual(scan: Measured, image: Tensor) -> Tensor:
    missed = scan.operator.forward(image) - scan.kspace
    return (inner(missed, missed) / scan.density).sum()
