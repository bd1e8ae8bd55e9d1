"""What a command wrote, in one line: the file, the shape, the noise."""

from pathlib import Path

import numpy as np

from kspace_denoise.scan import Numpy


class Written:
    """Adds up slice by slice what a file of images holds."""

    def __init__(self) -> None:
        self._shape: tuple[int, ...] = ()
        self._sigmas: list[float] = []
        self.spread = False

    def add(self, image: Numpy, sigma: Numpy | None) -> None:
        """Count a slice, with its noise map where there is one."""
        self._shape = image.shape
        if sigma is not None and sigma.any():
            self._sigmas.append(float(np.median(sigma[sigma > 0])))

    @property
    def sigma(self) -> float | None:
        """The median of sigma over an image, and over the slices; None where it is not known."""
        return float(np.median(self._sigmas)) if self._sigmas else None

    def line(self, path: Path, slices: int, whose: str = "") -> str:
        """Return the line; `whose` says which images sigma describes."""
        absent = "spread of the samples in posterior_std" if self.spread else "no noise map"
        noise = absent if self.sigma is None else f"sigma{whose} {self.sigma:.4g}"
        shape = " x ".join(map(str, self._shape))
        return f"{path}: {slices} slice{'s' * (slices > 1)}, {shape}, {noise}"
