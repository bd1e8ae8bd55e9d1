"""A diffusion scan denoised in several ways, and what can be said of each without a truth."""

import dataclasses
import time
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np

from kspace_denoise.dmri.classical import with_mppca, with_patch2self
from kspace_denoise.dmri.denoiser import VolumeDenoiser
from kspace_denoise.dmri.prepare import check_dwi
from kspace_denoise.dmri.scores import (
    corpus_callosum,
    fa_error,
    repeatability,
    residual_structure,
)
from kspace_denoise.dmri.shells import B0
from kspace_denoise.dmri.tensor import TensorMaps, fit_tensor, spread_directions
from kspace_denoise.dmri.train import train_volumes
from kspace_denoise.metrics import object_mask
from kspace_denoise.scan import Images, Numpy
from kspace_denoise.training.config import TrainConfig
from kspace_denoise.training.succession import Reports

WHITE = 0.3
"""FA of the noisy scan from which on a voxel counts as white matter."""


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a method made of the scan, and how long inference took."""

    method: str
    images: Images
    tensors: TensorMaps
    seconds: float


@dataclasses.dataclass(frozen=True)
class DwiExperiment:
    """A scan, the outcomes of all methods, the noisy one first, and the trained denoiser."""

    mask: Numpy
    callosum: Numpy
    outcomes: list[Outcome]
    denoiser: VolumeDenoiser

    @property
    def noisy(self) -> Outcome:
        """The scan itself."""
        return self.outcomes[0]

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """The scores of every method, ready for JSON."""
        noisy = self.noisy
        white = (noisy.tensors.fa > WHITE) & self.mask
        six = spread_directions(noisy.images)
        rows = []
        for one in self.outcomes:
            left = repeatability(one.images, one.tensors, self.callosum, self.mask)
            few = fit_tensor(one.images, self.mask, six).fa
            rows.append(
                {
                    "method": one.method,
                    **left._asdict(),
                    **self._structure(one),
                    "fa_callosum": _median(one.tensors.fa, self.callosum),
                    "md_callosum": _median(one.tensors.md, self.callosum),
                    "ad_callosum": _median(one.tensors.ad, self.callosum),
                    "rd_callosum": _median(one.tensors.rd, self.callosum),
                    "fa_six_rms": fa_error(few, noisy.tensors.fa, white).rms,
                    "seconds_per_slice": one.seconds / np.prod(one.images.data.shape[:2]),
                }
            )
        return rows

    def _structure(self, outcome: Outcome) -> dict[str, float | None]:
        if outcome is self.noisy:
            return {"structure_shared": None, "structure_smooth": None}
        assert outcome.images.bval is not None
        weighted = outcome.images.bval >= B0
        before, after = (x.images.data[weighted] for x in (self.noisy, outcome))
        found = residual_structure(before, after, self.mask)
        return {f"structure_{name}": value for name, value in found._asdict().items()}


def run_experiment(
    images: Images,
    config: TrainConfig,
    seed: int = 0,
    *,
    device: str = "cpu",
    reports: Reports | None = None,
    tell: Callable[[str], object] = lambda _words: None,
) -> DwiExperiment:
    """Denoise a scan by MPPCA, Patch2Self (magnitudes), DDM2's noise model and DDM2.

    Raises:
        ValueError: as `train_volumes` and `fit_tensor`.
    """
    check_dwi(images)
    mask = brain_mask(images)
    noisy = Outcome("noisy", images, fit_tensor(images, mask), 0.0)  # refuses what has no tensor
    denoiser = train_volumes("ddm2", images, config, seed, device=device, reports=reports)
    methods: dict[str, Callable[[], Images]] = {"mppca": lambda: with_mppca(images)}
    if not np.iscomplexobj(images.data):
        methods["patch2self"] = lambda: with_patch2self(images)
    methods["ddm2, stage 1"] = lambda: denoiser(images, diffusion=False)
    methods["ddm2"] = lambda: denoiser(images)
    outcomes = [noisy]
    for name, run in methods.items():
        tell(f"denoising by {name}")
        started = time.perf_counter()
        clean = run()
        seconds = time.perf_counter() - started
        outcomes.append(Outcome(name, clean, fit_tensor(clean, mask), seconds))
    callosum = corpus_callosum(noisy.tensors, mask)
    return DwiExperiment(mask, callosum, outcomes, denoiser)


def brain_mask(images: Images) -> Numpy:
    """Return where there is signal at b = 0, `(slices, y, x)`, and most volumes are not blank.

    Raises:
        ValueError: if that is nowhere.
    """
    assert images.bval is not None
    low = np.abs(images.data[images.bval <= max(B0, images.bval.min())]).mean(axis=0)
    there = (images.data != 0).mean(axis=0) > 0.5
    mask = np.asarray(object_mask(low) & there)
    if not mask.any():
        raise ValueError("no brain is found in the volumes of b = 0: are they blank?")
    return mask


def _median(values: Numpy, mask: Numpy) -> float | None:
    return float(np.median(values[mask])) if mask.any() else None
