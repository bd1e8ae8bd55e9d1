"""What is known of images without reading them again: scales, and sums that tell them apart."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class Facts(NamedTuple):
    """Of n images: `scale` (n,), `contrast_scale` (n, contrasts) of the other contrasts, if any.

    `sums` holds the sum of magnitudes of each image (n,), float64; by name also those of what
    stands beside it.
    """

    scale: Tensor
    contrast_scale: Tensor | None
    sums: Mapping[str, Tensor]

    @classmethod
    def of(cls, parts: Mapping[str, Sequence[Tensor] | None]) -> "Facts":
        """Look at `images`, `pairs` and `conditions`."""
        given = {name: tensors for name, tensors in parts.items() if tensors is not None}
        conditions = given.get("conditions")
        return cls(
            torch.stack([signal_scale(x) for x in given["images"]]),
            None if conditions is None else torch.stack([signal_scale(x) for x in conditions]),
            {name: torch.stack([magnitude(x) for x in given[name]]) for name in given},
        )

    @classmethod
    def joined(cls, several: Sequence["Facts"]) -> "Facts":
        """Put those of several lots of images together."""
        contrasts = [facts.contrast_scale for facts in several if facts.contrast_scale is not None]
        return cls(
            torch.cat([facts.scale for facts in several]),
            torch.cat(contrasts) if contrasts else None,
            {name: torch.cat([f.sums[name] for f in several]) for name in several[0].sums},
        )


def signal_scale(image: Tensor) -> Tensor:
    """Return the root mean square of each image (..., y, x), shape (...): its unit for a network.

    A positive scalar per image, noise included; 1 for an image that is zero everywhere.
    """
    power = image.abs().square().mean(dim=(-2, -1))
    return torch.where(power > 0, power, torch.ones_like(power)).sqrt()


def magnitude(tensor: Tensor) -> Tensor:
    """Return the sum of magnitudes, float64."""
    return tensor.abs().sum(dtype=torch.float64)


def checksum(tensors: Iterable[Tensor]) -> float:
    """Return a sum of magnitudes that tells tensors and their order, to six digits.

    Beyond them the same data differ by rounding, as with the number of threads.
    """
    return ordered_sum(magnitude(x) for x in tensors)


def ordered_sum(sums: Iterable[Tensor]) -> float:
    """Return the checksum of tensors whose sums of magnitudes are these."""
    total = sum(i * float(x) for i, x in enumerate(sums, 1))
    return float(f"{total:.6g}")
