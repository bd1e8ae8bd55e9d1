"""The gradient of one batch, computed in parts that run side by side on the cores of a CPU.

The images of a small batch are too few to keep all cores busy inside each operation; parts of the
batch are independent, so each core takes one through the whole network and back. Every part has
random numbers of its own, so the result does not depend on how many cores there are.
"""

import concurrent.futures
import contextlib
from types import TracebackType
from typing import Any, Self

import torch
from torch import Tensor, nn

from kspace_denoise.objectives import AnyBatch, Loss
from kspace_denoise.training.processes import added_up, joined


class Parts:
    """Compute gradients in `count` parts; a context manager, as it holds threads.

    On a GPU the batch of a single process is one part, with random numbers of its own, computed in
    bfloat16 where autocast deems that safe. Several processes take some of the parts each.
    """

    def __init__(self, network: nn.Module, objective: Loss[Any], device: str, count: int) -> None:
        self.network, self.objective = network, objective
        self.device = torch.device(device).type
        self.processes = joined()
        self.count = count if self.device == "cpu" or self.processes.total > 1 else 1
        self.parameters = [p for p in network.parameters() if p.requires_grad]
        self._threads = torch.get_num_threads()
        self._pool: concurrent.futures.ThreadPoolExecutor | None = None

    def __enter__(self) -> Self:
        own = -(-self.count // self.processes.total)
        workers = min(own, self._threads) if self.device == "cpu" else 1
        if workers > 1:
            self._pool = concurrent.futures.ThreadPoolExecutor(
                workers, initializer=torch.set_num_threads, initargs=(self._threads // workers,)
            )
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown()
            torch.set_num_threads(self._threads)  # the workers changed what new threads start with

    def gradient(self, batch: AnyBatch, seed: int) -> Tensor:
        """Set the gradient of every parameter and return the loss of the batch, detached."""
        pieces = batch.split(self.count)
        seeds = [mixed_seed(seed, 1 + number) for number in range(len(pieces))]
        shares = [len(piece) / len(batch) for piece in pieces]
        run = map if self._pool is None else self._pool.map
        own = (self.processes.own(x) for x in (pieces, seeds, shares))
        losses, gradients = zip(*run(self._part, *own), strict=True)
        for parameter, *terms in zip(self.parameters, *gradients, strict=True):
            parameter.grad = torch.zeros_like(parameter)  # laid out as the fused optimiser needs
            for term in terms:
                parameter.grad += term
        return self._added_up(torch.stack(losses).sum())

    def _added_up(self, loss: Tensor) -> Tensor:
        """Add up gradients and loss over all processes; return the loss."""
        if self.processes.total == 1:
            return loss
        grads = [p.grad for p in self.parameters if p.grad is not None]
        *sums, total = added_up([*grads, loss])
        for gradient, whole in zip(grads, sums, strict=True):
            gradient.copy_(whole)
        return total

    def _part(self, batch: AnyBatch, seed: int, share: float) -> tuple[Tensor, tuple[Tensor, ...]]:
        generator = torch.Generator(batch.device).manual_seed(seed)
        with self._precision():
            with torch.autocast(self.device, torch.bfloat16, enabled=self.device != "cpu"):
                loss = share * self.objective.loss(self.network, batch, generator)
            gradient = torch.autograd.grad(
                loss, self.parameters, allow_unused=True, materialize_grads=True
            )
        return loss.detach(), gradient

    def _precision(self) -> contextlib.AbstractContextManager[Any]:
        """Keep convolutions of a GPU from rounding to 10 bits where differences are taken."""
        if self.device == "cpu" or not hasattr(self.objective, "derivative"):
            return contextlib.nullcontext()
        return torch.backends.cudnn.flags(enabled=True, allow_tf32=False)


def mixed_seed(seed: int, number: int) -> int:
    """Give each number under each seed a seed of its own."""
    return (seed * 1_000_003 + number) % 2**63
