"""Corruption2Self: learn the clean image from noisy images alone (Tu et al., ICLR 2025).

The noisy image X_d (noise level σ_d) is corrupted further, X_t = X_d + τ Z. The network h is
trained so that D = λ_out h(X_t, t) + λ_skip X_t predicts X_d; that makes h = E[X_tg | X_t], the
image at the target level σ_tg (0: clean), although it is never seen. At inference h(X_d, σ_d), in
one pass and without the skip (at τ = 0, D is the identity).
"""

import dataclasses
from collections.abc import Sequence
from typing import ClassVar, Literal, get_args

import torch
from torch import Tensor, nn

from kspace_denoise.objectives.batch import Batch
from kspace_denoise.objectives.c2s_forms import FORMS, Coefficients, Form, total_level
from kspace_denoise.objectives.c2s_levels import (
    Levels,
    Unit,
    Weights,
    equalised_weight,
    largest_distance,
    log_normal_levels,
    typical_peak,
    uniform_levels,
)
from kspace_denoise.objectives.objective import Pair
from kspace_denoise.settings import check_choice

Refinement = Literal["none", "paper", "conditioned", "fixed"]

CHOICES: dict[str, tuple[str, ...]] = {
    "form": get_args(Form),
    "levels": get_args(Levels),
    "weights": get_args(Weights),
    "unit": get_args(Unit),
    "refinement": get_args(Refinement),
}


@dataclasses.dataclass(frozen=True)
class C2S:
    """Hyper-parameters, and the equations that use them.

    `form`: the noisier image grows in variance ("ve") or is scaled to keep it ("vp").

    `levels="log-normal"` draws τ = σ_d exp(spread · N(0, 1)): the level at which inference happens
    is trained. `levels="uniform"` is the paper's rule: τ in (0, maximum], or, without
    `reparameterise`, σ_t = √(τ² + σ_d²) in (σ_d, maximum]. `maximum` counts in `unit`: "batch" is
    the unit of the batch (images of root mean square 1), "sigma" the σ_d of each image; "peak" is
    the largest pixel of an image, 1 in the paper, and "distance" the largest distance between
    images: these two come from the training images, see `fit`.

    `weights="equalised"` gives every draw of every image the same regression noise,
    `weights="power"` is σ_t^(2 alpha), which for alpha = 0 is 1.

    `refinement` says what noise is left in on purpose, σ_tg: "none"; "fixed", σ_tg = target · σ_d;
    "conditioned", σ_tg in (0, σ_d] that the network is told, and target · σ_d at inference;
    "paper", such a σ_tg that it is not told. `target` is a share of the noise, 0 to 1.

    `level_jitter`: in training the level that the network is told is wrong by a factor of
    exp(level_jitter · N(0, 1)), so that it looks at the image for the level too.
    """

    form: Form = "ve"
    reparameterise: bool = True
    levels: Levels = "log-normal"
    weights: Weights = "equalised"
    spread: float = 0.3
    maximum: float = 10.0
    unit: Unit = "batch"
    alpha: float = 0.0
    refinement: Refinement = "none"
    target: float = 0.0
    level_jitter: float = 0.1

    pair: ClassVar[Pair] = "nothing"

    def __post_init__(self) -> None:
        for name, choices in CHOICES.items():
            check_choice(name, getattr(self, name), choices)
        if self.spread <= 0 or self.maximum <= 0:
            raise ValueError(
                f"spread is {self.spread} and maximum {self.maximum}, expected positive numbers"
            )
        if self.level_jitter < 0:
            raise ValueError(f"level_jitter is {self.level_jitter}, expected 0 or more")
        if not 0 <= self.target <= 1:
            raise ValueError(f"target is {self.target}, expected a share of the noise, 0 to 1")
        if self.target and self.refinement in ("none", "paper"):
            raise ValueError(
                f"target {self.target} has no meaning with refinement {self.refinement!r}: "
                "take 'fixed' or 'conditioned'"
            )
        if self.levels == "log-normal" and not self.reparameterise:
            raise ValueError(
                "levels 'log-normal' draws the added noise τ itself: "
                "reparameterise = false needs levels 'uniform'"
            )

    @classmethod
    def paper(cls) -> "C2S":
        """Return the paper's choices: levels up to 10 in units of the peak (M4Raw), weight 1."""
        return cls(levels="uniform", weights="power", unit="peak", level_jitter=0.0)

    def fit(self, images: Sequence[Tensor]) -> "C2S":
        """Return a copy whose `maximum` is in the unit of the batch, where it comes from the data.

        `images` are the training images (y, x) in SNR units. Nothing changes where `maximum` does
        not depend on them.

        Raises:
            ValueError: if the largest distance is wanted of images that cannot be compared.
        """
        if self.levels != "uniform" or self.unit not in ("peak", "distance"):
            return self
        measure = typical_peak if self.unit == "peak" else largest_distance
        return dataclasses.replace(self, unit="batch", maximum=self.maximum * measure(images))

    def loss(self, network: nn.Module, batch: Batch, generator: torch.Generator) -> Tensor:
        """Return ½ E[w |D - X_d|²] per pixel (eq. 7 of the paper)."""
        tau = self.draw_levels(batch.sigma, generator)
        target = self.draw_target(batch.sigma, generator)
        form = FORMS[self.form](batch.sigma, tau, target)
        data = _pixelwise(form.data) * batch.image
        noise = batch.noise(generator)
        noisier = _pixelwise(form.keep) * data + _pixelwise(form.noise) * noise
        told = {"target": target} if self.refinement == "conditioned" else {}
        level = self.jittered(total_level(batch.sigma, tau), generator)
        clean: Tensor = network(noisier / _pixelwise(form.scale), level, batch.condition, **told)
        predicted = _pixelwise(form.out) * clean + _pixelwise(form.skip) * noisier
        error = batch.mean_square(predicted - data)
        return 0.5 * (self.weight(batch.sigma, tau, form) * error).mean()

    def denoise(
        self, network: nn.Module, x: Tensor, sigma: Tensor, condition: Tensor | None = None
    ) -> Tensor:
        """Return h(X_d, σ_d) for images (batch, y, x) of level `sigma` (batch,)."""
        told = {"target": self.target * sigma} if self.refinement == "conditioned" else {}
        clean: Tensor = network(x, sigma, condition, **told)
        return clean

    def draw_levels(self, sigma: Tensor, generator: torch.Generator) -> Tensor:
        """Draw one extra noise level τ for each image.

        Raises:
            ValueError: if the largest level is to come from the training images, and did not yet.
        """
        if self.levels == "log-normal":
            return log_normal_levels(sigma, self.spread, generator)
        if self.unit in ("peak", "distance"):
            raise ValueError(
                f"maximum counts in {self.unit}s of the training images, which are not known here: "
                "call C2S.fit(images) first"
            )
        maximum = self.maximum * sigma if self.unit == "sigma" else self.maximum
        return uniform_levels(sigma, maximum, generator, self.reparameterise)

    def jittered(self, level: Tensor, generator: torch.Generator) -> Tensor:
        """Return the level that the network is told in place of the true one, for each image."""
        if not self.level_jitter:
            return level
        z = torch.randn(level.shape, generator=generator, device=level.device)
        return level * torch.exp(self.level_jitter * z)

    def draw_target(self, sigma: Tensor, generator: torch.Generator) -> Tensor:
        """Return the level σ_tg of what is to be estimated, for each image."""
        if self.refinement in ("none", "fixed"):
            return self.target * sigma
        return sigma * (1 - torch.rand(sigma.shape, generator=generator, device=sigma.device))

    def weight(self, sigma: Tensor, tau: Tensor, form: Coefficients) -> Tensor:
        """Return the loss weight w(τ) of each image."""
        if self.weights == "power":
            return form.level.pow(2 * self.alpha)
        return equalised_weight(sigma, tau) / form.data**2


def _pixelwise(level: Tensor) -> Tensor:
    return level[:, None, None]
