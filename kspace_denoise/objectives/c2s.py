"""Corruption2Self: learn the clean image from noisy images alone (Tu et al., ICLR 2025).

The noisy image X_d (noise level σ_d) is corrupted further, X_t = X_d + τ Z. The network h is
trained so that D = λ_out h(X_t, t) + (1 - λ_out) X_t predicts X_d; the reparameterisation makes
h = E[X_tg | X_t], the image at the target level σ_tg (0: clean), although that is never seen. At
inference h(X_d, σ_d), in one pass and without the skip (at τ = 0, D is the identity).

This is the variance-exploding form. The variance-preserving one is the same objective: with
X_d, X_t and D scaled as there, D - X_d is the one here divided by √(1 + σ_d²), so only the weights
of images with different σ_d against each other change.
"""

import dataclasses
from typing import Literal

import torch
from torch import Tensor, nn

from kspace_denoise.objectives.batch import Batch


@dataclasses.dataclass(frozen=True)
class C2S:
    """Hyper-parameters, and the equations that use them.

    `levels="log-normal"` draws τ = σ_d exp(spread · N(0, 1)) and weighs the loss by
    (τ² + σ_d²) / (τ σ_d)², which gives every draw of every image the same regression noise: the
    level at which inference happens is trained. `levels="uniform"` is the paper's rule: τ in
    (0, maximum], in the unit of the batch, weight (τ² + σ_d²)^alpha; `C2S.paper()` holds the
    paper's values.
    `target` is σ_tg / σ_d, the share of the noise that is left in on purpose (0 to 1).
    """

    levels: Literal["log-normal", "uniform"] = "log-normal"
    spread: float = 1.0
    maximum: float = 10.0
    alpha: float = 0.0
    target: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.target <= 1:
            raise ValueError(f"target is {self.target}, expected a share of the noise, 0 to 1")
        if self.levels not in ("log-normal", "uniform"):
            raise ValueError(f"levels is {self.levels!r}, expected 'log-normal' or 'uniform'")
        if self.spread <= 0 or self.maximum <= 0:
            raise ValueError(
                f"spread is {self.spread} and maximum {self.maximum}, expected positive numbers"
            )

    @classmethod
    def paper(cls) -> "C2S":
        """Return the paper's noise levels: uniform up to 10 (M4Raw), unit weight."""
        return cls(levels="uniform", maximum=10.0, alpha=0.0)

    def loss(self, network: nn.Module, batch: Batch, generator: torch.Generator) -> Tensor:
        """Return ½ E[w |D - X_d|²] per pixel (eq. 7 of the paper)."""
        tau = self.draw_levels(batch.sigma, generator)
        noisier = batch.image + _pixelwise(tau) * _noise_like(batch.image, generator)
        clean = network(noisier, total_level(batch.sigma, tau))
        predicted = reparameterise(clean, noisier, batch.sigma, tau, self.target)
        error = (predicted - batch.image).abs().square().mean(dim=(-2, -1))
        return 0.5 * (self.weight(batch.sigma, tau) * error).mean()

    def denoise(self, network: nn.Module, x: Tensor, sigma: Tensor) -> Tensor:
        """Return h(X_d, σ_d) for images (batch, y, x) of level `sigma` (batch,)."""
        clean: Tensor = network(x, sigma)
        return clean

    def draw_levels(self, sigma: Tensor, generator: torch.Generator) -> Tensor:
        """Draw one extra noise level τ for each image."""
        if self.levels == "uniform":
            draws = torch.rand(sigma.shape, generator=generator, device=sigma.device)
            return self.maximum * (1 - draws)  # (0, T]: τ = 0 has no gradient
        draws = torch.randn(sigma.shape, generator=generator, device=sigma.device)
        return sigma * torch.exp(self.spread * draws)

    def weight(self, sigma: Tensor, tau: Tensor) -> Tensor:
        """Return the loss weight w(τ) of each image."""
        if self.levels == "uniform":
            return (tau**2 + sigma**2) ** self.alpha
        return (tau**2 + sigma**2) / (tau * sigma) ** 2


def total_level(sigma: Tensor, tau: Tensor) -> Tensor:
    """Return the noise level σ_t = √(τ² + σ_d²) of X_t."""
    return (tau**2 + sigma**2).sqrt()


def reparameterise(
    clean: Tensor, noisier: Tensor, sigma: Tensor, tau: Tensor, target: float = 0.0
) -> Tensor:
    """Return D = λ_out h + (1 - λ_out) X_t, λ_out = τ² / (τ² + σ_d² - σ_tg²) (eq. 6, VE)."""
    out = _pixelwise(tau**2 / (tau**2 + (1 - target**2) * sigma**2))
    return out * clean + (1 - out) * noisier


def _pixelwise(level: Tensor) -> Tensor:
    return level[:, None, None]


def _noise_like(image: Tensor, generator: torch.Generator) -> Tensor:
    """Draw N(0, 1) for each real component."""
    if not image.is_complex():
        return torch.randn(image.shape, generator=generator, device=image.device)
    pairs = torch.randn((*image.shape, 2), generator=generator, device=image.device)
    return torch.view_as_complex(pairs)
