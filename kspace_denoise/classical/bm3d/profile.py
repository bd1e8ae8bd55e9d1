"""The parameters of BM3D."""

import dataclasses

from kspace_denoise.classical.bm3d.transforms import check_transform

_HIGHEST = 30  # sigma: what noise exceeds less often is no probability in double precision


@dataclasses.dataclass(frozen=True)
class Profile:
    """Parameters of BM3D, lengths in pixels, distances in sigma² per pixel and part.

    Where no measurement spoke against it they are the normal profile of the 2007 paper (its
    Table I). That gives the limits of distance, 2500 and 400, for intensities of 0 to 255 and one
    sigma for all; here they are relative to sigma, since data have no such range.

    Attributes:
        block: side of a block.
        step: from one reference block to the next.
        radius: how far away similar blocks are looked for, in both directions.
        transform: of blocks in the first stage, `bior1.5` or `dct`; the second takes the cosines.
        hard_group, wiener_group: most blocks in a group, powers of two.
        hard_match, wiener_match: largest distance in a group; pure noise is 2 apart.
        threshold: of the coefficients in the first stage, in sigma.
        kaiser: beta of the window that takes weight off the rim of a block.
        phase_width: of the Gaussian that the phase of a complex image is smoothed by.

    Raises:
        ValueError: if a value is out of its range.
    """

    block: int = 8
    step: int = 3
    radius: int = 19
    transform: str = "bior1.5"
    hard_group: int = 16
    wiener_group: int = 32
    hard_match: float = 15.0
    wiener_match: float = 1.5
    threshold: float = 2.7
    kaiser: float = 2.0
    phase_width: float = 4.0

    def __post_init__(self) -> None:
        for name, least in (("block", 2), ("step", 1), ("radius", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} is {getattr(self, name)}, expected at least {least}")
        if self.step > self.block:
            raise ValueError(
                f"step is {self.step}, more than a block of {self.block}: pixels would be left out"
            )
        for name in ("hard_group", "wiener_group"):
            most = getattr(self, name)
            if most < 1 or most & (most - 1):
                raise ValueError(f"{name} is {most}, expected a power of two: 1, 2, 4, 8, ...")
        for name in ("hard_match", "wiener_match", "threshold", "phase_width"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}, expected more than 0")
        if self.threshold > _HIGHEST:
            raise ValueError(f"threshold is {self.threshold}, expected at most {_HIGHEST}")
        if not self.kaiser >= 0:
            raise ValueError(f"kaiser is {self.kaiser}, expected at least 0")
        check_transform(self.transform, self.block)
