"""What methods share that make a noisy image noisier."""

import dataclasses
import math

from torch import Tensor


@dataclasses.dataclass(frozen=True)
class Noisier:
    """Noise of `alpha` times the level is added; at inference the mean over `draws` is taken."""

    alpha: float = 1.0
    draws: int = 8
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.alpha < float("inf"):
            raise ValueError(f"alpha is {self.alpha}, expected a positive number")
        if self.draws < 1:
            raise ValueError(f"draws is {self.draws}, expected 1 or more")

    def level(self, sigma: Tensor) -> Tensor:
        """Return the noise level of what the network sees, σ √(1 + α²)."""
        return sigma * math.hypot(1, self.alpha)
