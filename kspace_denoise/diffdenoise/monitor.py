"""How much of the input's noise comes back in the result, told without a clean image.

The sampler sees the noisy image through its condition alone. What a little more noise in the input
changes in the output, along that noise, is the share that comes back, tr(C J) / tr(C) with J the
Jacobian and C the covariance of the noise (Hutchinson's probe); and with the residual it gives the
error itself (Stein's unbiased estimate). An ideal sampler brings all of it back, so training may
make it worse: the best state on the way is kept.
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from kspace_denoise.objectives.stationary_batch import StationaryBatch
from kspace_denoise.training.checkpoint import read_tensors, write_tensors
from kspace_denoise.training.facts import Facts
from kspace_denoise.training.images import NoisyImages
from kspace_denoise.training.trainer import Trainer

_IMAGES, _SIDE, _CHECKS = 2, 128, 10
_ENOUGH = 10
_STEP = 0.1  # of a central difference, over the noise level

Tell = Callable[[Tensor, Tensor], Tensor]


class Seen(NamedTuple):
    """What is known at a step: the share of the noise, and the error over σ² per component."""

    step: int
    noise_share: float
    error: float


@dataclasses.dataclass(frozen=True)
class Probe:
    """Noisy images in SNR units with noise added along `direction` and against it.

    Of blank pixels, which hold no noise, `direction` is 0.
    """

    images: Tensor
    direction: Tensor
    scale: Tensor
    ahead: Tensor
    behind: Tensor
    """What the condition network says of both, `(n, y, x)`."""

    @classmethod
    def of(cls, images: NoisyImages, correlation: Tensor, tell: Tell, seed: int) -> "Probe":
        """Take the middle of some images of one size, and ask the condition network."""
        alike = chosen(images)
        size = images.images[0].shape
        side = [slice(max(0, (n - _SIDE) // 2), (n + _SIDE) // 2) for n in size]
        scale = images.facts.scale[alike]
        cut = torch.stack([images.images[i][side[0], side[1]] for i in alike])
        noise = StationaryBatch(
            cut, torch.ones(len(cut)), correlation=correlation,
            numbers=(0,) * len(cut),
        ).noise(torch.Generator().manual_seed(seed))  # fmt: skip
        levels, unit = 1 / scale, scale[:, None, None]
        both = [torch.cat([tell(((cut + sign * _STEP * noise) / unit)[i : i + 1], levels[i : i + 1])
                           for i in range(len(cut))]) for sign in (1, -1)]  # fmt: skip
        return cls(cut, noise, scale, *both)

    def look(self, draw: Callable[[Tensor], Tensor], step: int) -> Seen:
        """Return what comes back of the noise through `draw`, from conditions to images."""
        unit = self.scale[:, None, None]
        ahead, behind = draw(self.ahead) * unit, draw(self.behind) * unit
        slope = (ahead - behind) / (2 * _STEP)
        share = float((self.direction.conj() * slope).real.sum())
        share /= float(self.direction.abs().square().sum())
        parts = 2 if self.images.is_complex() else 1
        left = ((ahead + behind) / 2 - self.images)[self.direction != 0].abs().square().mean()
        return Seen(step, share, float(left) / parts - 1 + 2 * share)


def chosen(images: NoisyImages) -> list[int]:
    """Return which images are looked at: of one size, at a third and two thirds of them.

    The first and the last of a scan are often air.
    """
    size = images.images[0].shape
    alike = [i for i, image in enumerate(images.images) if image.shape == size]
    return sorted({alike[len(alike) * part // (_IMAGES + 1)] for part in range(1, _IMAGES + 1)})


def unseen(images: NoisyImages) -> NoisyImages:
    """Return the images without those that are looked at, where there are enough of them.

    Networks may learn by heart what they are trained on; the estimate of the error takes for
    granted that they have not. Of fewer than ten images all are returned.
    """
    if len(images.images) < _ENOUGH:
        return images
    looked_at = set(chosen(images))
    left = [i for i in range(len(images.images)) if i not in looked_at]

    def of(tensors: tuple[Tensor, ...] | None) -> tuple[Tensor, ...] | None:
        return None if tensors is None else tuple(tensors[i] for i in left)

    facts = images.facts
    sums = {name: values[left] for name, values in facts.sums.items()}
    kept = Facts(facts.scale[left], None, sums)
    own = of(images.images)
    assert own is not None
    return NoisyImages(own, of(images.pairs), None, kept)


@dataclasses.dataclass
class Monitor:
    """Looks ten times in the course of a training, and keeps the weights of the least error."""

    probe: Probe
    draw_with: Callable[[dict[str, Tensor]], Callable[[Tensor], Tensor]]
    """What draws images from conditions, by the weights of the network."""
    kept: Path | None = None
    seen: list[Seen] = dataclasses.field(default_factory=list)
    best: dict[str, Tensor] = dataclasses.field(default_factory=dict)
    best_at: Seen | None = None

    def resume(self) -> None:
        """Go on from what was kept, if anything was."""
        if self.kept is not None and self.kept.exists():
            self.best, record = read_tensors(self.kept)
            self.seen = [Seen(*one) for one in record["seen"]]
            self.best_at = Seen(*record["best"])

    def watch(self, trainer: Trainer) -> None:
        """Look where another tenth of the training is over."""
        done, steps = trainer.progress.step, trainer.progress.steps
        if self.seen and self.seen[-1].step > done:  # of a run that went on from before that
            self.seen = [one for one in self.seen if one.step <= done]
            if self.best_at is not None and self.best_at.step > done:
                self.best, self.best_at = {}, None
        if not steps or done * _CHECKS < (len(self.seen) + 1) * steps:
            return
        now = self.probe.look(self.draw_with(trainer.average), done)
        if self.best_at is None or now.error < self.best_at.error:
            self.best_at = now
            self.best = {name: weight.clone() for name, weight in trainer.average.items()}
        self.seen.append(now)
        if self.kept is not None:
            record = {"seen": [list(one) for one in self.seen], "best": list(self.best_at)}
            write_tensors(self.kept, self.best, record)
