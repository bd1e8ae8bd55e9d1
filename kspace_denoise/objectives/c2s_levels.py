"""Corruption2Self: how much noise is added in training, and what each amount weighs."""

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

Levels = Literal["log-normal", "uniform"]
Weights = Literal["equalised", "power"]
Unit = Literal["batch", "sigma", "peak", "distance"]


def log_normal_levels(sigma: Tensor, spread: float, generator: torch.Generator) -> Tensor:
    """Draw τ = σ_d exp(spread · N(0, 1)) for images of noise level `sigma` (batch,)."""
    return sigma * torch.exp(
        spread * torch.randn(sigma.shape, generator=generator, device=sigma.device)
    )


def uniform_levels(
    sigma: Tensor, maximum: Tensor | float, generator: torch.Generator, reparameterise: bool = True
) -> Tensor:
    """Draw τ, the noise that is added, for images of noise level `sigma` (batch,).

    Reparameterised, as in the paper, τ is uniform in (0, maximum]. Otherwise, for the paper's
    ablation, the total level σ_t = √(τ² + σ_d²) is uniform in (σ_d, maximum].

    Raises:
        ValueError: if the total level is to be drawn, and the maximum is no larger than sigma.
    """
    draws = 1 - torch.rand(sigma.shape, generator=generator, device=sigma.device)
    if reparameterise:
        return maximum * draws  # (0, T]: τ = 0 has no gradient
    above = (maximum - sigma) * draws
    if not bool((above > 0).all()):
        raise ValueError(
            f"images of noise level {float(sigma.max()):.3g} have no level between that and the "
            f"maximum {float(torch.as_tensor(maximum).min()):.3g}: raise maximum"
        )
    return (above * (above + 2 * sigma)).sqrt()


def equalised_weight(sigma: Tensor, tau: Tensor) -> Tensor:
    """Return (τ² + σ_d²) / (τ σ_d)²: every draw of every image has the same regression noise.

    Where the image is known much better than its noise, X_d given X_t has the variance
    τ² σ_d² / (τ² + σ_d²): what no network can predict, and the weight divides out.
    """
    return (tau**2 + sigma**2) / (tau * sigma) ** 2


def largest_distance(images: Sequence[Tensor]) -> float:
    """Return the largest Euclidean distance between training images, without their noise.

    Song & Ermon, NeurIPS 2020, technique 1: the largest noise level should be about that. `images`
    (y, x) are in SNR units (sigma = 1 per real component) and are compared in units of their root
    mean square, as a network sees them; only images of one shape are compared. The noise adds
    N (σ_a² + σ_b²) per real component to a squared distance over N pixels, which is subtracted.

    Raises:
        ValueError: if no two images have the same shape.
    """
    shapes = {image.shape for image in images}
    groups = [[image for image in images if image.shape == shape] for shape in shapes]
    squares = [_largest_square(group) for group in groups if len(group) > 1]
    if not squares:
        raise ValueError(
            f"the largest distance between images needs two of one shape, got {len(images)} "
            "images of different shapes: give maximum as a number instead"
        )
    return math.sqrt(max(0.0, *squares))


def typical_peak(images: Sequence[Tensor]) -> float:
    """Return the median over images of the largest magnitude, in units of the root mean square.

    That is 1 for images scaled to [0, 1], as the paper's are.
    """
    peaks = [image.abs().max() / _rms(image) for image in images]
    return float(torch.stack(peaks).median())


def _largest_square(images: list[Tensor]) -> float:
    components = 2 if images[0].is_complex() else 1
    scales = torch.stack([_rms(image) for image in images])
    rows = torch.stack([image.flatten() for image in images]) / scales[:, None]
    power = rows.abs().square().sum(dim=1)
    noise = components * rows.shape[1] / scales**2
    products = (rows @ rows.conj().T).real
    squares = power[:, None] + power - 2 * products - noise[:, None] - noise
    squares.fill_diagonal_(0)
    return float(squares.max())


def _rms(image: Tensor) -> Tensor:
    return image.abs().square().mean().sqrt()
