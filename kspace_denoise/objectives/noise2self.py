"""Noise2Self: predict the pixels of a grid from all others (Batson and Royer, ICML 2019)."""

import dataclasses
from typing import ClassVar, Literal, get_args

import torch
from torch import Tensor, nn

from kspace_denoise.objectives.batch import Batch
from kspace_denoise.objectives.blind import from_around
from kspace_denoise.objectives.objective import Pair
from kspace_denoise.settings import check_choice

Inference = Literal["sweep", "plain"]


@dataclasses.dataclass(frozen=True)
class Noise2Self:
    """Replace every `width`-th pixel each way by the mean of its neighbours, and predict it.

    As with Noise2Void the minimiser is E[x | the other pixels], for noise that is independent from
    pixel to pixel, and the smallest loss its error plus the variance of the noise.

    `inference="sweep"` hides the pixels of each of the `width`² grids in turn and takes the
    network's answer there: no pixel sees its own noise. `"plain"` is one pass with nothing hidden,
    which is better where the network has not unlearnt the pixel itself.
    """

    width: int = 4
    inference: Inference = "sweep"

    pair: ClassVar[Pair] = "nothing"

    direct: ClassVar[bool] = True
    """The network answers without a skip, which would bring the pixel itself back."""

    def __post_init__(self) -> None:
        check_choice("inference", self.inference, get_args(Inference))
        if self.width < 2:
            raise ValueError(f"width is {self.width}, expected 2 pixels or more")

    @classmethod
    def paper(cls) -> "Noise2Self":
        """Return the authors' choice: every fourth pixel each way, and the sweep."""
        return cls(width=4, inference="sweep")

    def loss(self, network: nn.Module, batch: Batch, generator: torch.Generator) -> Tensor:
        """Return E|f(ỹ, σ) - y|² per hidden pixel; a complex pixel counts both components."""
        number = int(torch.randint(self.width**2, (), generator=generator, device=batch.device))
        hidden = self.grid(number, batch.image)
        predicted = self._blind(network, batch.image, hidden, batch.sigma, batch.condition)
        error = (predicted - batch.image)[..., hidden].abs().square()
        return error.sum() / max(1, error.numel())

    def denoise(
        self, network: nn.Module, x: Tensor, sigma: Tensor, condition: Tensor | None = None
    ) -> Tensor:
        """Return f(y, σ), or what it says of the pixels of each grid while they are hidden."""
        if self.inference == "plain":
            clean: Tensor = network(x, sigma, condition)
            return clean
        swept = torch.empty_like(x)
        for number in range(self.width**2):
            hidden = self.grid(number, x)
            swept[..., hidden] = self._blind(network, x, hidden, sigma, condition)[..., hidden]
        return swept

    def grid(self, number: int, image: Tensor) -> Tensor:
        """Return where grid `number` of `width`² hides pixels, `(y, x)`."""
        hidden = torch.zeros(image.shape[-2:], dtype=torch.bool, device=image.device)
        hidden[number // self.width :: self.width, number % self.width :: self.width] = True
        return hidden

    def _blind(
        self,
        network: nn.Module,
        image: Tensor,
        hidden: Tensor,
        sigma: Tensor,
        condition: Tensor | None,
    ) -> Tensor:
        predicted: Tensor = network(
            torch.where(hidden, from_around(image), image), sigma, condition
        )
        return predicted
