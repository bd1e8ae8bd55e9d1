"""GSURE-Diffusion: a diffusion denoiser from noisy, undersampled scans (Kawar et al., TMLR 2024).

What a scan shows of an image's spectrum, ȳ = z + noise where it is seen, is brought to the noise
level d of a diffusion: z_d = ȳ + √(d² - nsr²) n where it is seen, d n where not, n of N(0, 1). The
network sees the image of z_d. Its error in the components that are seen is known without the clean
image, by Stein's lemma, and weighing those by 1 / E[P] makes them stand for all components.
"""

import dataclasses
from typing import ClassVar, Literal, get_args

import torch
from torch import Tensor, nn

from kspace_denoise.objectives.coil_batch import CoilBatch
from kspace_denoise.objectives.diffusion_levels import EveryLevel
from kspace_denoise.objectives.divergence import (
    Derivative,
    inner,
    rademacher_like,
    with_trace,
)
from kspace_denoise.objectives.gsure_coils import squared_error_of_coils
from kspace_denoise.objectives.noise_like import noise_like
from kspace_denoise.objectives.objective import Pair
from kspace_denoise.objectives.spectral_batch import SpectralBatch
from kspace_denoise.settings import check_choice

Target = Literal["measurement", "state"]
Divergence = Literal["exact", "paper"]


@dataclasses.dataclass(frozen=True)
class GSURE(EveryLevel):
    """Hyper-parameters beside those of `EveryLevel`, and the equations that use them.

    `target` is what the estimate is compared with where something is seen: the "measurement" ȳ or
    the "state" z_d, both unbiased, the first with far less variance. The factor of the divergence
    is then nsr² or d² (`divergence = "exact"`); "paper" is that of the paper's equation 10 for
    both, (1 - ᾱ) / √ᾱ for a divergence by z_d, which is biased.

    `derivative` in the divergence: the central "difference" of two calls of the network, or "exact"
    by differentiating twice, which takes twice the time.

    `mask_aware` shows the network which components are seen, as one more image, and all of them
    when it is a prior: the remedy that the paper suggests where components depend on each other.

    Of one coil no level may be below the noise of a component that is seen. Several coils have an
    equation of their own, `gsure_coils`.
    """

    target: Target = "measurement"
    divergence: Divergence = "exact"
    derivative: Derivative = "difference"
    mask_aware: bool = False

    pair: ClassVar[Pair] = "nothing"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("target", self.target, get_args(Target))
        check_choice("divergence", self.divergence, get_args(Divergence))
        check_choice("derivative", self.derivative, get_args(Derivative))

    @classmethod
    def paper(cls) -> "GSURE":
        """Return the paper's choices: its divergence factor, DDPM's schedule, one weight."""
        return cls(divergence="paper", derivative="exact", schedule="ddpm", weighting="one")

    def fit(self, largest_noise: float) -> "GSURE":
        """Return a copy whose levels begin at the largest noise of what the scans show."""
        return dataclasses.replace(self, smallest=max(self.smallest, 1.0001 * largest_noise))

    def loss(
        self, network: nn.Module, batch: SpectralBatch | CoilBatch, generator: torch.Generator
    ) -> Tensor:
        """Return E[w(d) · (weighted squared error)], up to a constant, per component."""
        level = self.draw_levels(len(batch), batch.device, generator)
        if isinstance(batch, CoilBatch):
            self.check_coils()
            error = squared_error_of_coils(network, batch, level, generator, self.derivative)
        else:
            error = self.squared_error(network, batch, level, generator)
        return (self.weight(level) * error).mean()

    def check_coils(self) -> None:
        """Refuse settings that several coils have not.

        Raises:
            ValueError: naming them.
        """
        if (self.target, self.divergence, self.mask_aware) != ("measurement", "exact", False):
            raise ValueError(
                f"target is {self.target!r}, divergence {self.divergence!r} and mask_aware "
                f"{self.mask_aware}: scans of several coils, which the paper leaves for later, are "
                "learnt from with target 'measurement', divergence 'exact' and mask_aware false"
            )

    def squared_error(
        self, network: nn.Module, batch: SpectralBatch, level: Tensor, generator: torch.Generator
    ) -> Tensor:
        """Return for each image Σ W² (|f - target|² + 2 λ ∂f/∂z) over what is seen, per component.

        Equation 10 of the paper. Less `constant` it is, in the mean, the squared error of all
        components, as far as seen ones can speak for all.

        Raises:
            ValueError: if a component is noisier than the level, or may never be seen.
        """
        _check(batch, level)
        d = level[:, None, None]
        seen = batch.nsr.isfinite()
        nsr = torch.where(seen, batch.nsr, 0)
        n = noise_like(batch.seen, generator)
        state = batch.seen + torch.where(seen, d**2 - nsr**2, d**2).clamp(min=0).sqrt() * n
        probe = torch.where(seen, rademacher_like(batch.seen, generator), 0)
        shown = (seen.to(state.dtype)[:, None],) if self.mask_aware else ()

        def estimate(z: Tensor) -> Tensor:
            image = batch.operator.image(z)
            clean: Tensor = network(image, level, *shown)
            if clean.shape != image.shape or clean.is_complex() != image.is_complex():
                raise ValueError(
                    f"the network returned {clean.dtype} of shape {tuple(clean.shape)} for images "
                    f"{image.dtype} {tuple(image.shape)}, expected the same"
                )
            spectrum: Tensor = batch.operator.spectrum(clean)
            return spectrum

        factor = torch.where(seen, self._factor(d, nsr), 0) / batch.density
        clean, divergence = with_trace(
            estimate, state, factor * probe, probe, level, self.derivative
        )
        wanted = batch.seen if self.target == "measurement" else state
        error = torch.where(seen, inner(clean - wanted, clean - wanted), 0) / batch.density
        return (error + 2 * divergence).mean(dim=(-2, -1))

    def constant(self, batch: SpectralBatch, level: Tensor) -> Tensor:
        """Return what `squared_error` has too much: the noise of its target, for each image."""
        seen = batch.nsr.isfinite()
        d = level[:, None, None].expand_as(batch.nsr)
        power = torch.where(seen, batch.nsr, 0) ** 2 if self.target == "measurement" else d**2
        components = 2 if batch.seen.is_complex() else 1
        return components * (torch.where(seen, power, 0) / batch.density).mean(dim=(-2, -1))

    def denoise(
        self, network: nn.Module, x: Tensor, sigma: Tensor, condition: Tensor | None = None
    ) -> Tensor:
        """Return the clean images of noisy ones (batch, y, x), level `sigma` (batch,)."""
        if self.mask_aware:
            condition = torch.ones_like(x)[:, None]
        clean: Tensor = network(x, sigma, condition)
        return clean

    def _factor(self, level: Tensor, nsr: Tensor) -> Tensor:
        """Return λ, the factor of the divergence by the state of growing variance."""
        if self.divergence == "paper":
            return level**2 / (1 + level**2).sqrt()
        return nsr**2 if self.target == "measurement" else level**2


def _check(batch: SpectralBatch, level: Tensor) -> None:
    if not bool((batch.nsr >= 0).all()):
        raise ValueError("nsr holds values that are negative or NaN, expected noise or infinity")
    seen = batch.nsr.isfinite()
    largest = torch.where(seen, batch.nsr, 0).amax(dim=(-2, -1))
    if bool((largest > level * (1 + 1e-6)).any()):
        worst = int((largest - level).argmax())
        raise ValueError(
            f"a component that is seen has noise of {float(largest[worst]):.3g}, and the level of "
            f"the diffusion is {float(level[worst]):.3g}: no noise can be added to come to it; set "
            "`smallest` to the largest noise"
        )
    if not bool((batch.density > 0).all()):
        raise ValueError(
            "the masks never sample some components (density 0): nothing can be learnt of them; "
            "take masks whose probability is positive everywhere"
        )
