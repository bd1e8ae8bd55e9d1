"""Settings that every network has."""

import dataclasses
from typing import get_type_hints

MAY_BE_ZERO = ("contrasts", "attention", "middle", "refinement", "encoder", "decoder")
"""Whole numbers of networks, alone or in lists, that may be 0; all others count something."""


def check_counts(config: "CommonConfig") -> None:
    """Refuse numbers of layers, channels or heads that are no counts.

    Raises:
        ValueError: naming the setting.
    """
    hints = get_type_hints(type(config))
    for name, kind in hints.items():
        if kind not in (int, tuple[int, ...]):
            continue
        value = getattr(config, name)
        counts = value if isinstance(value, tuple) else (value,)
        least = 0 if name in MAY_BE_ZERO else 1
        if any(count < least for count in counts) or not (counts or least == 0):
            raise ValueError(f"{name} is {value}, expected {least} or more")
    expansion = getattr(config, "expansion", 1.0)
    if not 0 < expansion < float("inf"):
        raise ValueError(f"expansion is {expansion}, expected a positive number")


@dataclasses.dataclass(frozen=True)
class CommonConfig:
    """What the images are, and what a network is told and supplies.

    `channels` is 2 for complex images, 1 for magnitudes; `contrasts` the number of other images of
    the same slice that are given beside the noisy one. `direct`: the network supplies the clean
    image itself, instead of what linear shrinkage misses of it. `target_level`: it is told how much
    noise to leave in (detail refinement). `level_conditioning=False` hides the noise level from the
    network altogether; with `direct` beside it, only the scale of the input follows it.

    `phase_width`: the phase of a complex image, smoothed by a Gaussian of so many pixels, is taken
    off before the network and put back behind it; 0 leaves it on.
    """

    channels: int = 2
    contrasts: int = 0
    direct: bool = False
    target_level: bool = False
    level_conditioning: bool = True
    phase_width: float = 4.0

    def __post_init__(self) -> None:
        check_counts(self)
        if self.phase_width < 0:
            raise ValueError(f"phase_width is {self.phase_width}, expected pixels, or 0 for none")
        if self.target_level and not self.level_conditioning:
            raise ValueError(
                "target_level tells the network how much noise to leave in, "
                "level_conditioning=False hides the noise level from it: choose one"
            )
