"""Batches drawn in the background while the network computes, and the time spent waiting."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Generic, Self, TypeVar

import torch

T = TypeVar("T")

AHEAD = 2
"""Steps whose batches are drawn while one is computed."""


class Ahead(Generic[T]):
    """`take(step)` returns `draw(step)`, which was called in the background; a context manager.

    `draw` depends on the step alone, so that drawing ahead changes nothing. `waited` is how many
    seconds were spent in `take`.
    """

    def __init__(self, draw: Callable[[int], T]) -> None:
        self.draw = draw
        self.waited = 0.0
        self._drawn: dict[int, Future[T]] = {}
        self._threads = torch.get_num_threads()
        self._pool = ThreadPoolExecutor(AHEAD, initializer=torch.set_num_threads, initargs=(1,))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._pool.shutdown(cancel_futures=True)
        torch.set_num_threads(self._threads)  # the workers changed what new threads start with

    def take(self, step: int) -> T:
        """Return the batch of a step, and have those of the next ones drawn."""
        started = time.perf_counter()
        for later in range(step, step + 1 + AHEAD):
            if later not in self._drawn:
                self._drawn[later] = self._pool.submit(self.draw, later)
        batch = self._drawn.pop(step).result()
        self.waited += time.perf_counter() - started
        return batch
