"""A diffusion scan as the networks see it: shell by shell, real, in units of its signal."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from kspace_denoise.dmri.noise_map import first_guess, noise_map, volume_phase
from kspace_denoise.dmri.shells import B0, Shell, neighbours, neighbours_in_order, shells
from kspace_denoise.dmri.volumes import Volumes
from kspace_denoise.objectives.ddm2 import DDM2
from kspace_denoise.scan import Images, Numpy


class Prepared(NamedTuple):
    """A shell ready for training: images are unit · (`volumes.images` - offset), phase and all."""

    shell: Shell
    volumes: Volumes
    unit: Tensor
    offset: float
    phase: Tensor | None
    """The smooth phase of complex images, `(volumes, slices, y, x)`, which was taken off."""
    level: float | None
    """The standard deviation of the noise in this unit, where it is known."""

    @property
    def told_from(self) -> int:
        """From how many other volumes each is told."""
        return self.volumes.neighbours.shape[1]

    def restored(self, clean: Tensor) -> Numpy:
        """Return clean images `(volumes, slices, y, x)` in the unit of the scan, phase and all."""
        images = (clean - self.offset) * self.unit
        return np.asarray((images if self.phase is None else images * self.phase).numpy())


def check_dwi(images: Images) -> None:
    """Refuse images that are no diffusion scan.

    Raises:
        TypeError: if they are not in single or double precision, in the byte order of this machine.
        ValueError: if there are not four axes, or b-values or directions are missing or no numbers.
    """
    if images.data.dtype not in (np.float32, np.float64, np.complex64, np.complex128):
        raise TypeError(
            f"images are {images.data.dtype}, expected single or double precision, complex or real"
        )
    if images.data.ndim != 4:
        raise ValueError(
            f"images have shape {images.data.shape}, expected those of a diffusion scan, "
            "(volumes, slices, y, x)"
        )
    if images.bval is None or images.bvec is None:
        missing = "b-values (--bval)" if images.bval is None else "directions (--bvec)"
        raise ValueError(f"the scan comes without {missing}, which say what each volume measures")
    volumes = len(images.data)
    if len(images.bval) != volumes or len(images.bvec) != volumes:
        raise ValueError(
            f"there are {volumes} volumes, {len(images.bval)} b-values and {len(images.bvec)} "
            "directions: expected one of each for every volume"
        )
    weighted = images.bvec[np.asarray(images.bval) >= B0]
    if not (np.isfinite(images.bval).all() and np.isfinite(weighted).all()):
        raise ValueError(
            "b-values or directions of volumes of b > 0 hold NaN or infinity: correct them, or "
            "leave those volumes out"
        )


def prepare(
    images: Images, method: DDM2, trained: Mapping[float, int] | None = None
) -> list[Prepared]:
    """Return the shells that have volumes enough for the noise model of a method.

    Complex images are made real: the smooth phase of each is taken off, and the imaginary part,
    noise, is left out. With `trained`, from how many other volumes the noise
    model of each b-value tells, shells are those of b-values within a tenth of one of these.

    Raises:
        ValueError: as `check_dwi`, or if no shell of b > 0 has enough volumes, or too few slices
            for a slab, or volumes are blank.
    """
    check_dwi(images)
    assert images.bval is not None
    if method.slab > images.data.shape[1]:
        raise ValueError(
            f"slab is {method.slab}, and the scan has {images.data.shape[1]} slices: take fewer"
        )
    found = _shells(images.bval, method.mix_shells)
    counts = _chosen(found, method) if trained is None else _matching(found, trained)
    known = images.sigma is not None or method.unit == "range"
    guess = None if known and not np.iscomplexobj(images.data) else first_guess(images)
    sigma = noise_map(images, guess) if method.unit == "signal" else None
    phase = volume_phase(images, guess)
    return [
        _prepared(images, shell, count, sigma, phase, method)
        for shell, count in zip(found, counts, strict=True)
        if count
    ]


def _chosen(found: list[Shell], method: DDM2) -> list[int]:
    """Return from how many others the volumes of each shell are told, 0 for too few volumes."""
    least = method.neighbours or 1
    sizes = [len(shell.volumes) for shell in found]
    if not any(shell.bval and size > least for shell, size in zip(found, sizes, strict=True)):
        there = ", ".join(f"{len(s.volumes)} of b = {s.bval:g}" for s in found)
        raise ValueError(
            f"the noise model is to see {least} other volumes, and no shell of b > 0 has more: "
            f"{there}; take fewer (--neighbours), or put shells together (--mix-shells)"
        )
    return [0 if size <= least else method.neighbours or size - 1 for size in sizes]


def _matching(found: list[Shell], trained: Mapping[float, int]) -> list[int]:
    """Return the number that the noise model of each shell was trained for, 0 where none was."""
    counts = []
    for shell in found:
        near = min(trained, key=lambda bval: abs(bval - shell.bval))
        known = abs(near - shell.bval) <= 0.1 * near
        if known and len(shell.volumes) <= trained[near]:
            raise ValueError(
                f"the noise model of b = {near:g} sees {trained[near]} other volumes, and the scan "
                f"has {len(shell.volumes)} in all: train on this scan"
            )
        counts.append(trained[near] if known else 0)
    if not any(shell.bval and count for shell, count in zip(found, counts, strict=True)):
        raise ValueError(
            f"the scan has shells of b = {', '.join(f'{s.bval:g}' for s in found)}, and the "
            f"denoiser was trained for {', '.join(f'{b:g}' for b in trained)}: train on this scan"
        )
    return counts


def _shells(bval: Numpy, mix: bool) -> list[Shell]:
    found = shells(bval)
    weighted = [shell.volumes for shell in found if shell.bval]
    if not mix or len(weighted) < 2:
        return found
    together = Shell(float(bval.max()), np.sort(np.concatenate(weighted)))
    return [*(shell for shell in found if not shell.bval), together]


def _prepared(
    images: Images,
    shell: Shell,
    count: int,
    sigma: Numpy | None,
    phase: Tensor | None,
    method: DDM2,
) -> Prepared:
    assert images.bvec is not None
    data = torch.from_numpy(np.ascontiguousarray(images.data[shell.volumes]))
    phase = None if phase is None else phase[shell.volumes]
    real = data.float() if phase is None else (data * phase.conj()).real.float()
    if not real.any():
        raise ValueError(f"the volumes of b = {shell.bval:g} are blank")
    offset, level = 0.0, None
    if method.unit == "range":
        unit, offset = real.amax(dim=(1, 2, 3), keepdim=True).clamp(min=1e-30) / 2, -1.0
    else:
        unit = torch.ones(()) if sigma is None else torch.from_numpy(sigma).float()
        even = real / unit
        rms = float((even.square().sum() / (even != 0).sum()).sqrt())
        unit, level = unit * rms, None if sigma is None else 1 / rms
    if method.order == "time" or not shell.bval:
        others = neighbours_in_order(len(shell.volumes), count)
    else:
        others = neighbours(images.bvec[shell.volumes], count)
    scaled = real / unit + offset
    if offset:  # 0 marks blank pixels, and in the paper's unit none are
        scaled = torch.where(scaled == 0, 1e-6, scaled)
    volumes = Volumes(scaled, torch.from_numpy(others), method.slab)
    return Prepared(shell, volumes, unit, offset, phase, level)
