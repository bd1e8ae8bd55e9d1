"""The phantom, scanned: what every method is given."""

import dataclasses
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch

import kspace_denoise as kd
from kspace_denoise.dmri.prepare import Prepared, prepare
from kspace_denoise.objectives.ddm2 import DDM2
from kspace_denoise.scan import Images
from kspace_denoise.sim import diffusion_phantom, gradient_scheme

Numpy: TypeAlias = np.ndarray[Any, Any]

SHAPE = (6, 64, 64)
STEPS = 600


@dataclasses.dataclass
class Case:
    """A noisy scan, its truth, and how many other volumes a method may see."""

    noisy: Images
    truth: Images
    mask: Numpy
    white: Numpy
    sigma: float
    count: int
    kept: Path
    """Where noise models are kept, which several methods have in common."""
    seconds: float = 0.0
    """What a method says it took, where part of it was done before."""

    @property
    def shell(self) -> Prepared:
        """The volumes of b > 0, real, in units of the noise's."""
        return prepare(self.noisy, DDM2(neighbours=max(self.count, 1)))[-1]

    def with_shell(self, real: Numpy) -> Images:
        """Return the scan with other volumes of b > 0, real, in the unit of `shell`."""
        shell, data = self.shell, self.noisy.data.copy()
        data[shell.shell.volumes] = shell.restored(torch.from_numpy(np.ascontiguousarray(real)))
        return dataclasses.replace(self.noisy, data=data)


def case(sigma: float, count: int, seed: int, out: Path) -> Case:
    """Scan the phantom: 30 directions of b = 1000 and four volumes of b = 0, white noise."""
    scheme = gradient_scheme(30, 1000.0, 4)
    phantom = diffusion_phantom(SHAPE, scheme, seed=seed)
    noise = np.random.default_rng(seed).standard_normal((2, *phantom.image.shape))
    noisy = (phantom.image + sigma * (noise[0] + 1j * noise[1])).astype(np.complex64)
    about = {"bval": scheme.bval, "bvec": scheme.bvec}
    return Case(
        Images(data=noisy, **about),
        Images(data=phantom.image, **about),
        phantom.mask,
        phantom.regions["white"],
        sigma,
        count,
        out / "kept" / f"{sigma:g}-n{count}-seed{seed}",
    )


def config(**changes: Any) -> kd.TrainConfig:
    """Return the training that all methods have: that of DDM2 is shared by its networks."""
    return kd.TrainConfig(steps=STEPS, batch=8, patch=64, parts=1).replace(**changes)
