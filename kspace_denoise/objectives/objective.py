"""What every objective offers: one paper's equation, as a loss and as an inference rule."""

from typing import Any, ClassVar, Literal, Protocol, Self, TypeVar

import torch
from torch import Tensor, nn

from kspace_denoise.objectives.batch import AnyBatch

Given = TypeVar("Given", bound=AnyBatch, contravariant=True)
Pair = Literal["nothing", "repetition", "clean"]


class Loss(Protocol[Given]):
    """A frozen dataclass of hyper-parameters, with the equation that uses them in training.

    `Given` is the kind of batch that it learns from.
    """

    __dataclass_fields__: ClassVar[dict[str, Any]]
    pair: ClassVar[Pair]
    """What the method is taught with beside the noisy image."""

    @classmethod
    def paper(cls) -> Self:
        """Return the paper's hyper-parameters."""
        ...

    def loss(self, network: nn.Module, batch: Given, generator: torch.Generator) -> Tensor:
        """Return the scalar that training lowers."""
        ...


class Objective(Loss[Given], Protocol[Given]):
    """A loss, with the equation that uses it at inference."""

    def denoise(
        self, network: nn.Module, x: Tensor, sigma: Tensor, condition: Tensor | None = None
    ) -> Tensor:
        """Return the clean images of noisy ones (batch, y, x), level `sigma` (batch,)."""
        ...
