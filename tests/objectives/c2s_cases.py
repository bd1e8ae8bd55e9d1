"""Images and levels for which the minimiser of the C2S loss is known in closed form."""

import dataclasses

import torch
from torch import Tensor

from kspace_denoise.objectives import Batch
from kspace_denoise.objectives.c2s import C2S
from kspace_denoise.objectives.c2s_forms import Coefficients


@dataclasses.dataclass(frozen=True)
class FixedLevel(C2S):
    """C2S at one τ (or τ / σ_d, for images of any level) with unit weight."""

    tau: float = 0.05

    def draw_levels(self, sigma: Tensor, _generator: torch.Generator) -> Tensor:
        return torch.full_like(sigma, self.tau)

    def weight(self, sigma: Tensor, _tau: Tensor, _form: Coefficients) -> Tensor:
        return torch.ones_like(sigma)


def noisy_batch(s: float, sigma: float, shape: tuple[int, ...], dtype=torch.float32) -> Batch:
    generator = torch.Generator().manual_seed(1)
    image = torch.randn(shape, generator=generator, dtype=dtype)
    noise = torch.randn(shape, generator=generator, dtype=dtype)
    unit = 2**0.5 if dtype.is_complex else 1.0  # torch's complex normal has E|n|² = 1
    return Batch(unit * (s * image + sigma * noise), torch.full(shape[:1], sigma))
