"""The noisy images that training draws from, and how a batch is cut from them."""

import dataclasses
from collections.abc import Iterable
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from kspace_denoise.objectives.batch import Batch
from kspace_denoise.symmetry import SYMMETRIES, rotate_phase, turn
from kspace_denoise.training.facts import Facts, ordered_sum

Numpy = np.ndarray[Any, Any]


class Example(NamedTuple):
    """One slice to learn from, complex or a magnitude.

    `image` (y, x) is in SNR units (sigma = 1 per real component). `pair` (y, x), the clean image or
    another repetition, is in the same unit: divided by the noise map of `image`, not by its own.
    `condition` (contrasts, y, x) is the slice in other contrasts, each in SNR units of its own.
    """

    image: Numpy
    pair: Numpy | None = None
    condition: Numpy | None = None


@dataclasses.dataclass(frozen=True)
class NoisyImages:
    """Images in SNR units, possibly of different sizes, and what there is beside each, if any.

    `known` are their facts where nobody needs to look for them: images that are kept on disk are
    only read where they are drawn.
    """

    images: tuple[Tensor, ...]
    pairs: tuple[Tensor, ...] | None = None
    conditions: tuple[Tensor, ...] | None = None
    known: Facts | None = None

    @classmethod
    def from_arrays(cls, arrays: Iterable[Numpy]) -> "NoisyImages":
        """Collect images (y, x) that stand alone; see `from_examples`."""
        return cls.from_examples(map(Example, arrays))

    @classmethod
    def from_examples(cls, examples: Iterable[Example]) -> "NoisyImages":
        """Collect examples, dropping those whose image is blank.

        Raises:
            ValueError: if nothing is left, an image holds NaN or infinity, complex and magnitude
                images are mixed, only some have a pair, or not all have the same number of
                contrasts, or a pair or condition has another size than its image.
        """
        examples = list(examples)
        kept = [example for example in examples if np.any(example.image)]
        if not kept:
            what = f"all of the {len(examples)} images are zero" if examples else "all is blank"
            raise ValueError(f"nothing to train on: {what}")
        for index, example in enumerate(kept):
            _check_example(example, index)
        images, pairs, conditions = zip(*kept, strict=True)
        _check_alike(
            {np.iscomplexobj(x) for x in (*images, *pairs, *conditions) if x is not None},
            {0 if condition is None else len(condition) for condition in conditions},
            {pair is None for pair in pairs},
        )
        return cls(_tensors(images), _all_tensors(pairs), _all_tensors(conditions))

    @classmethod
    def joined(cls, several: Iterable["NoisyImages"]) -> "NoisyImages":
        """Put the images of several scans together.

        Raises:
            ValueError: if there is none, or they are of different kinds, as for `from_examples`.
        """
        lots = list(several)
        if not lots:
            raise ValueError("nothing to train on: all is blank")
        _check_alike(
            {lot.channels == 2 for lot in lots},
            {lot.contrasts for lot in lots},
            {lot.pairs is None for lot in lots},
        )

        def chained(name: str) -> tuple[Tensor, ...]:
            return tuple(x for lot in lots for x in getattr(lot, name) or ())

        pairs, conditions = chained("pairs"), chained("conditions")
        facts = Facts.joined([lot.facts for lot in lots])
        return cls(chained("images"), pairs or None, conditions or None, facts)

    @cached_property
    def facts(self) -> Facts:
        """Scales and sums of all images."""
        return self.known or Facts.of(self.parts)

    @property
    def parts(self) -> dict[str, tuple[Tensor, ...] | None]:
        """What there is of every image, by name."""
        return {"images": self.images, "pairs": self.pairs, "conditions": self.conditions}

    @property
    def channels(self) -> int:
        """2 for complex images, 1 for magnitudes."""
        return 2 if self.images[0].is_complex() else 1

    @property
    def contrasts(self) -> int:
        """How many other contrasts each slice comes with."""
        return 0 if self.conditions is None else len(self.conditions[0])

    def identity(self) -> dict[str, Any]:
        """Return what tells these images from others, and their order, ready for JSON."""
        sums = {name: ordered_sum(x) for name, x in self.facts.sums.items()}
        return {"images": len(self.images), "sum": sums.pop("images"), **sums}

    def draw(self, count: int, patch: int, generator: torch.Generator) -> Batch:
        """Draw `count` random square crops, flipped and turned at random, in units of their scale.

        The side is `patch`, or less where an image is smaller. A random phase turns complex crops:
        circular noise stays what it is. The pair is cut, turned and scaled like its image, so it
        remains the same object in the same unit. So are the other contrasts, but each in the unit
        of its own scale and by a phase of its own: the phases of two sequences differ by what their
        coil maps were referred to, echo times and eddy currents, so there is nothing to learn in
        their difference.
        """
        return self.drawn(count, patch, generator)[0]

    def drawn(
        self, count: int, patch: int, generator: torch.Generator
    ) -> tuple[Batch, tuple[int, ...]]:
        """Return the batch of `draw`, and by which symmetry each image was turned."""
        chosen = integers(len(self.images), count, generator)
        images = [self.images[i] for i in chosen]
        side = min(patch, *(min(image.shape) for image in images))
        numbers = integers(SYMMETRIES, count, generator)
        windows = [window(image.shape, side, generator) for image in images]

        def cut(tensors: tuple[Tensor, ...]) -> Tensor:
            return torch.stack(
                [
                    turn(tensors[i][..., rows, columns], number)
                    for i, (rows, columns), number in zip(chosen, windows, numbers, strict=True)
                ]
            )

        sigma = 1 / self.facts.scale[chosen]
        angle = 2 * torch.pi * torch.rand(count, generator=generator)
        image = rotate_phase(cut(self.images) * sigma[:, None, None], angle)
        pair = condition = None
        if self.pairs is not None:
            pair = rotate_phase(cut(self.pairs) * sigma[:, None, None], angle)
        if self.conditions is not None:
            own = 2 * torch.pi * torch.rand((count, self.contrasts), generator=generator)
            assert self.facts.contrast_scale is not None
            units = 1 / self.facts.contrast_scale[chosen]
            condition = rotate_phase(cut(self.conditions) * units[..., None, None], own)
        return Batch(image, sigma, pair, condition), tuple(numbers)


def _check_alike(complex_or_not: set[bool], counts: set[int], alone: set[bool]) -> None:
    """Refuse images of different kinds."""
    if len(complex_or_not) > 1:
        raise ValueError("complex and magnitude images are mixed: train one denoiser for each kind")
    if len(counts) > 1:
        raise ValueError(
            f"the slices come with different numbers of contrasts ({sorted(counts)}): a denoiser "
            "uses the same number for all"
        )
    if len(alone) > 1:
        raise ValueError("some images have a target and others have none: give one for each")


def _check_example(example: Example, index: int) -> None:
    shape = example.image.shape
    for name, array in example._asdict().items():
        if array is None:
            continue
        if array.shape[-2:] != shape or array.ndim != (3 if name == "condition" else 2):
            raise ValueError(
                f"training image {index} has shape {shape} and its {name} {array.shape}: expected "
                "image and pair (y, x), condition (contrasts, y, x)"
            )
        if not np.isfinite(array).all():
            what = "" if name == "image" else f"the {name} of "
            raise ValueError(f"{what}training image {index} holds NaN or infinity: leave it out")


def _tensors(arrays: Iterable[Numpy]) -> tuple[Tensor, ...]:
    """Return copies in single precision, that of networks."""
    return tuple(
        torch.from_numpy(np.array(a, np.complex64 if np.iscomplexobj(a) else np.float32))
        for a in arrays
    )


def _all_tensors(arrays: tuple[Numpy | None, ...]) -> tuple[Tensor, ...] | None:
    given = [array for array in arrays if array is not None]
    return _tensors(given) if given else None


def integers(below: int, count: int, generator: torch.Generator) -> list[int]:
    """Draw `count` whole numbers from 0 on, less than `below`."""
    return [int(i) for i in torch.randint(below, (count,), generator=generator)]


def window(shape: torch.Size, side: int, generator: torch.Generator) -> tuple[slice, slice]:
    """Draw where a square crop of an image lies."""
    top = integers(shape[0] - side + 1, 1, generator)[0]
    left = integers(shape[1] - side + 1, 1, generator)[0]
    return slice(top, top + side), slice(left, left + side)
