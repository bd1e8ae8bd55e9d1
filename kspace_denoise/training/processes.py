"""Several processes that train one denoiser, as torchrun starts them.

Every process reads all data, draws the same batches and takes the same steps. Of each batch it
computes some of the parts, and the gradients of all are added up, so that the weights stay the same
everywhere, and are those that one process would find.
"""

import contextlib
import importlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor
from torch import distributed as dist

from kspace_denoise.training.checkpoint import differences

T = TypeVar("T")

_PATIENCE = timedelta(minutes=30)
"""How long processes wait for the one that reads most slowly."""


class Processes(NamedTuple):
    """This process, by its number, and how many there are."""

    rank: int = 0
    total: int = 1

    @property
    def first(self) -> bool:
        """Whether this one writes the files and speaks."""
        return self.rank == 0

    def own(self, parts: Sequence[T]) -> Sequence[T]:
        """Return those of this process."""
        return parts[self.rank :: self.total]


class ProcessLostError(ConnectionError):
    """Another process of the run has stopped."""


def joined() -> Processes:
    """Return the processes that train together; one where torch.distributed is not at work."""
    if not (dist.is_available() and dist.is_initialized()):
        return Processes()
    return Processes(dist.get_rank(), dist.get_world_size())


@contextlib.contextmanager
def torchrun(device: str) -> Iterator[Processes]:
    """Join the other processes that torchrun has started, if it has, and leave them in the end."""
    if announced() == 1 or dist.is_initialized():
        yield joined()
        return
    # Imported later, as by an optimiser, it would hold the group in its default arguments: the
    # group's threads would outlive it, and abort the process now and then at its very end.
    importlib.import_module("torch.distributed.nn")
    backend = "nccl" if device.startswith("cuda") else "gloo"
    dist.init_process_group(backend, timeout=_PATIENCE)
    try:
        yield joined()
    finally:
        dist.destroy_process_group()


def announced() -> int:
    """Return how many processes torchrun has started, before they have joined."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def check_shares(parts: int, batch: int, count: int) -> None:
    """Refuse batches that so many processes cannot share equally.

    Raises:
        ValueError: if their number does not divide the batch and its parts.
    """
    if batch % count or min(parts, batch) % count:
        raise ValueError(
            f"{count} processes share a batch of {batch} in {parts} parts: set batch and parts to "
            f"multiples of {count} in the config; as many parts are computed by any number of "
            "processes with the same result"
        )


def check_alike(identity: Mapping[str, Any]) -> None:
    """Refuse to train together what is not the same.

    Raises:
        ValueError: naming the process and what differs.
    """
    processes = joined()
    if processes.total == 1:
        return
    found: list[Any] = [None] * processes.total
    _heard(lambda: dist.all_gather_object(found, dict(identity)))
    for rank, other in enumerate(found):
        if other != found[0]:
            raise ValueError(
                f"process {rank} is about to train something else than process 0 "
                f"({differences(found[0], other)}): give all of them the same files, config, seed "
                "and checkpoint"
            )


def added_up(tensors: Sequence[Tensor]) -> list[Tensor]:
    """Return the sums of tensors over all processes, in one message."""
    if joined().total == 1:
        return list(tensors)
    flat = torch.cat([x.reshape(-1).float() for x in tensors])
    _heard(lambda: dist.all_reduce(flat))
    pieces = torch.split(flat, [x.numel() for x in tensors])
    return [piece.view(x.shape) for piece, x in zip(pieces, tensors, strict=True)]


def told_by_first(value: int | None) -> int | None:
    """Return the value of process 0."""
    if joined().total == 1:
        return value
    held: list[int | None] = [value]
    _heard(lambda: dist.broadcast_object_list(held))
    return held[0]


def _heard(message: Callable[[], object]) -> None:
    """Exchange something with the others.

    Raises:
        ProcessLostError: if one of them is no longer there.
    """
    try:
        message()
    except RuntimeError as error:
        raise ProcessLostError(
            "another process of this run has stopped, and what it said tells why: mend that, and "
            "go on from the checkpoint with --resume, with as many processes as you like "
            f"({str(error).splitlines()[0]})"
        ) from error
