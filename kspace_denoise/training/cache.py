"""The images of scans kept on disk: made once, by all processes together, then read where drawn.

A file holds those of one scan, named after what they were made of. Files appear by rename and are
mapped into memory, which therefore does not grow with their number.
"""

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

import kspace_denoise
from kspace_denoise.contrasts import Source
from kspace_denoise.formats.atomic import check_folder_place
from kspace_denoise.scan import Images, Numpy, Sliceable
from kspace_denoise.training.checkpoint import read_tensors, write_tensors
from kspace_denoise.training.examples import Made, training_examples
from kspace_denoise.training.facts import Facts
from kspace_denoise.training.images import NoisyImages
from kspace_denoise.training.processes import Processes, joined
from kspace_denoise.training.subjects import Recipe, Subject

FORMAT = 1
"""Of the files."""


def cached_images(
    subjects: Sequence[Subject], recipe: Recipe, folder: Path, made: Made | None = None
) -> NoisyImages:
    """Return the training images of scans from a folder, where those that lack are made first.

    Raises:
        FileNotFoundError, ValueError: as `check_folder_place`.
        ValueError: as `training_examples` and `NoisyImages.joined`.
    """
    check_folder_place(folder)
    folder.mkdir(exist_ok=True)
    paths = [folder / f"{key(subject, recipe)}.safetensors" for subject in subjects]
    for count, number in enumerate(_order(len(subjects), joined()), 1):
        if not paths[number].exists():
            _keep(paths[number], subjects[number], recipe)
        if made:
            made(count, len(subjects))
    kept = map(_kept, paths)
    return NoisyImages.joined(images for images in kept if images is not None)


def _order(count: int, processes: Processes) -> Iterator[int]:
    """Yield a process's own scans, then those of the others in turn, the last ones first.

    So one that is done helps the next one, and both meet in the middle.
    """
    numbers = range(count)
    yield from processes.own(numbers)
    for further in range(1, processes.total):
        other = processes._replace(rank=(processes.rank + further) % processes.total)
        yield from reversed(other.own(numbers))


def key(subject: Subject, recipe: Recipe) -> str:
    """Return a text that tells what images are made of, and how.

    Of k-space the slice nearest to the middle that is not blank is read, and stands for all.
    """
    parts = [subject.source, subject.target, *subject.contrasts]
    record = {
        "format": FORMAT,
        "version": kspace_denoise.__version__,
        "recipe": dataclasses.asdict(recipe),
        "data": [None if part is None else _digest(part) for part in parts],
    }
    return hashlib.sha256(json.dumps(record).encode()).hexdigest()[:32]


def _digest(source: Source) -> str:
    if isinstance(source, Images):
        arrays = [source.data, source.sigma]
        shape = source.data.shape
    else:
        shape = source.kspace.shape
        arrays = [
            _middle(source.kspace),
            source.mask,
            source.noise_covariance,
            source.noise_profile,
            source.noise_spectrum,
        ]
    total = hashlib.sha256(repr(tuple(shape)).encode())
    for array in arrays:
        values = np.asarray(array if array is not None else ())
        total.update(f"{values.shape} {values.dtype}".encode())
        total.update(np.ascontiguousarray(values).tobytes())
    return total.hexdigest()


def _middle(kspace: Sliceable) -> Numpy:
    count = len(kspace)
    for index in sorted(range(count), key=lambda i: abs(i - count // 2)):
        values = np.asarray(kspace[index])
        if values.any():
            break
    return values


def _keep(path: Path, subject: Subject, recipe: Recipe) -> None:
    """Make the images of a scan and write them; of a blank one that there are none."""
    examples = [one for one in training_examples([subject], recipe) if one.image.any()]
    if not examples:
        write_tensors(path, {}, {"images": 0})
        return
    images = NoisyImages.from_examples(examples)
    facts = images.facts
    tensors = {f"part.{n}": _real(torch.stack(x)) for n, x in images.parts.items() if x}
    tensors |= {f"sum.{name}": sums for name, sums in facts.sums.items()}
    tensors["scale"] = facts.scale
    if facts.contrast_scale is not None:
        tensors["contrast_scale"] = facts.contrast_scale
    record = {"images": len(images.images), "complex": images.channels == 2}
    write_tensors(path, tensors, record)


def _kept(path: Path) -> NoisyImages | None:
    """Return the images of a file, still on disk; None where there are none."""
    tensors, record = read_tensors(path)
    if not record["images"]:
        return None

    def part(name: str) -> tuple[Tensor, ...] | None:
        stack = tensors.get(f"part.{name}")
        if stack is None:
            return None
        return tuple(torch.view_as_complex(stack) if record["complex"] else stack)

    images = part("images")
    assert images is not None
    sums = {n.removeprefix("sum."): x for n, x in tensors.items() if n.startswith("sum.")}
    facts = Facts(tensors["scale"], tensors.get("contrast_scale"), sums)
    return NoisyImages(images, part("pairs"), part("conditions"), facts)


def _real(tensor: Tensor) -> Tensor:
    return torch.view_as_real(tensor) if tensor.is_complex() else tensor
