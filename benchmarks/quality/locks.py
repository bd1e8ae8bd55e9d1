"""Locks between processes, which the system lets go of when their holder dies."""

import contextlib
import fcntl
from collections.abc import Iterable, Iterator
from pathlib import Path


@contextlib.contextmanager
def hold(path: Path) -> Iterator[None]:
    """Hold the lock of a file, after waiting for it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def try_hold(paths: Iterable[Path]) -> Iterator[bool]:
    """Hold all of these locks and yield True, or none of them and yield False."""
    with contextlib.ExitStack() as stack:
        for path in dict.fromkeys(paths):
            path.parent.mkdir(parents=True, exist_ok=True)
            file = stack.enter_context(path.open("a"))
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                stack.close()
                yield False
                return
        yield True
