"""Stage 1 of DDM2: what other volumes say of a volume; what is left is its noise.

Xiang et al., DDM2, ICLR 2023, section 3.1; without its other stages it is Noise2Noise across
volumes.
"""

import dataclasses
from typing import ClassVar

import torch
from torch import Tensor, nn

from kspace_denoise.objectives.objective import Pair
from kspace_denoise.objectives.volume_batch import VolumeBatch


@dataclasses.dataclass(frozen=True)
class NoiseModel:
    """E|Φ(other volumes) - x|²: x is not seen, so its noise is out of reach of given weights."""

    pair: ClassVar[Pair] = "nothing"

    @classmethod
    def paper(cls) -> "NoiseModel":
        """Return the same: it has no hyper-parameters."""
        return cls()

    def loss(self, network: nn.Module, batch: VolumeBatch, _generator: torch.Generator) -> Tensor:
        """Return the mean square of what Φ misses, over pixels that are not blank."""
        used = batch.image != 0
        missed: Tensor = torch.where(used, network(batch.others) - batch.image, 0)
        return missed.square().sum() / used.sum().clamp(min=1)
