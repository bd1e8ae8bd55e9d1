"""Slices that do not belong: those that stay apart from what other volumes say at every level.

Signal that is lost as the patient moves, spikes, slices that were read wrongly: the noise model
does not foretell them. A slice is denoised at its own noise level and, with noise added, at 1.5
and 2 times that. The more noise, the more the answer follows the noise model, of a slice that
belongs and of one that does not, but from another distance.
"""

import dataclasses
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from kspace_denoise.dmri import corrupted, shuffled
from kspace_denoise.dmri.denoiser import ShellModel, VolumeDenoiser
from kspace_denoise.dmri.expected import expected
from kspace_denoise.dmri.matched import levels_of, states_of
from kspace_denoise.dmri.prepare import Prepared
from kspace_denoise.dmri.shells import Shell
from kspace_denoise.scan import Images, Numpy

FACTORS = (1.0, 1.5, 2.0)
THRESHOLD = 4.0
"""Robust standard deviations, from which on a slice does not belong."""


class Outlier(NamedTuple):
    """A slice of a volume that does not belong."""

    volume: int
    slice: int
    score: float
    """How far it is from the others of its place, in their robust standard deviations."""


def error_trajectories(
    denoiser: VolumeDenoiser, images: Images, seed: int = 0
) -> dict[float, Numpy]:
    """Return by shell `(volumes, slices, levels)`: the distance to what other volumes say.

    The root mean square over voxels that are not blank, in units of the noise, of the difference
    between the denoised image and the noise model's, at noise levels of 1, 1.5 and 2 times that of
    the image; NaN for blank slices.

    Raises:
        ValueError: as the denoiser itself, or if it has no third stage.
    """
    return {shell.bval: found for shell, found in _of_shells(denoiser, images, seed)}


def outliers(
    denoiser: VolumeDenoiser, images: Images, threshold: float = THRESHOLD, seed: int = 0
) -> list[Outlier]:
    """Return the slices that lie apart, the farthest first.

    Of each level the distance is compared with that of the same slice in the other volumes: its
    score is the mean over the levels of how many robust standard deviations it is above their
    median.

    Raises:
        ValueError: as `error_trajectories`.
    """
    found = []
    for shell, trajectories in _of_shells(denoiser, images, seed):
        middle = np.nanmedian(trajectories, axis=0)
        apart = trajectories - middle
        spread = 1.4826 * np.nanmedian(np.abs(apart), axis=0)
        score = np.nan_to_num((apart / np.maximum(spread, 1e-6)).mean(axis=-1))
        for volume, piece in np.argwhere(score > threshold):
            number = int(shell.volumes[volume])
            found.append(Outlier(number, int(piece), float(score[volume, piece])))
    return sorted(found, key=lambda one: -one.score)


def _of_shells(
    denoiser: VolumeDenoiser, images: Images, seed: int
) -> Iterator[tuple[Shell, Numpy]]:
    """Yield every shell that there is a model for, and its trajectories."""
    generator = torch.Generator().manual_seed(seed)
    of_chain = torch.Generator(denoiser.device).manual_seed(seed)
    for prepared, model in denoiser.matched(images):
        yield prepared.shell, _trajectories(denoiser, prepared, model, generator, of_chain)


def _trajectories(
    denoiser: VolumeDenoiser,
    prepared: Prepared,
    model: ShellModel,
    generator: torch.Generator,
    of_chain: torch.Generator,
) -> Numpy:
    volumes, method, device = prepared.volumes, denoiser.method, denoiser.device
    if model.diffusion is None:
        raise ValueError('the denoiser has no third stage (diffusion = "none"): train one with it')
    told = expected(model.noise_model, volumes, device)
    states = states_of(prepared, told, method)
    levels = levels_of(prepared, states, method)
    used = volumes.images != 0
    rows = []
    for factor in FACTORS:
        noise = torch.randn(volumes.images.shape, generator=generator)
        added = levels * states[..., 0] * (factor**2 - 1) ** 0.5
        noisier = torch.where(used, volumes.images + added[..., None, None] * noise, 0)
        given = dataclasses.replace(volumes, images=noisier)
        if method.diffusion == "corrupted":
            settings = (denoiser.config, device)
            clean = corrupted.denoised(model.diffusion, given, told, factor * levels, *settings)
        else:
            more = (method, denoiser.config, device, of_chain)
            clean = shuffled.denoised(model.diffusion, given, states, factor * levels, *more)
        rows.append(_distance(clean, told, levels, used))
    return torch.stack(rows, dim=-1).numpy()


def _distance(clean: Tensor, told: Tensor, levels: Tensor, used: Tensor) -> Tensor:
    """Return the root mean square of the difference in units of the noise; NaN where blank."""
    power = torch.where(used, clean - told, 0).square().sum(dim=(-2, -1))
    mean = power / used.sum(dim=(-2, -1)).clamp(min=1)
    return torch.where(levels > 0, mean.sqrt() / levels, torch.nan)
