"""What every objective offers: one paper's equation, as a loss and as an inference rule."""

from typing import Any, ClassVar, Literal, Protocol, Self, TypeVar

import torch
from torch import Tensor, nn

from kspace_denoise.objectives.batch import AnyBatch

Given = TypeVar("Given", bound=AnyBatch, contravariant=True)
Pair = Literal["nothing", "repetition", "clean"]


class Objective(Protocol[Given]):
    """A frozen dataclass of hyper-parameters, with the equations that use them.

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

    def denoise(
        self, network: nn.Module, x: Tensor, sigma: Tensor, condition: Tensor | None = None
    ) -> Tensor:
        """Return the clean images of noisy ones (batch, y, x), level `sigma` (batch,)."""
        ...
