"""What a training run shows on stderr: a bar on a terminal, lines elsewhere, doubts at its end."""

import contextlib
import glob
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from kspace_denoise.cli.common import note, terminal_size
from kspace_denoise.training.config import TrainConfig
from kspace_denoise.training.curve import ends, has_fallen

SECONDS = 10.0
"""Between two lines."""


@contextlib.contextmanager
def resumable(out: Path, checkpoint: Path) -> Iterator[None]:
    """Tell, where training is interrupted, how it goes on from its checkpoint."""
    try:
        yield
    except KeyboardInterrupt:
        kept = kept_of(checkpoint)
        note(
            f"{', '.join(file.name for file in kept)} beside {out} hold what was learnt, up to the "
            "last time that they were written: the same command with --resume goes on from there"
            if kept
            else "nothing was kept yet: it is, every half minute or as checkpoint_seconds says"
        )
        raise


def kept_of(checkpoint: Path) -> list[Path]:
    """Return the checkpoint of a run, and those of its networks where it trains several."""
    stages = checkpoint.parent.glob(f"{glob.escape(checkpoint.name)}.*")
    return [*([checkpoint] if checkpoint.exists() else []), *sorted(stages)]


def nothing_to_resume(out: Path) -> FileNotFoundError:
    """Return the error of a run that there is no checkpoint of."""
    done = f"; {out} is complete: leave --resume out to train anew" if out.exists() else ""
    return FileNotFoundError(f"{out}.checkpoint does not exist: there is nothing to resume{done}")


def training_progress(title: str, done: int = 0) -> Callable[[Any], None]:
    """Return what follows a training run, of which `done` steps were taken before."""
    return _bar(title, done) if sys.stderr.isatty() else _lines(title)


def of_network(title: str) -> Callable[[Any], None]:
    """Return what follows one of several networks, and tell that it begins."""
    note(f"training the {title}")
    return training_progress(title)


def _bar(title: str, done: int) -> Callable[[Any], None]:
    from tqdm import tqdm

    bar = tqdm(desc=title, initial=done, delay=2, leave=False, file=sys.stderr, **terminal_size())

    def follow(run: Any) -> None:
        bar.total = run.steps
        bar.set_postfix(loss=f"{run.losses[-1][1]:.3f}", refresh=False)
        bar.update(run.step - bar.n)
        if run.step == run.steps:
            bar.close()

    return follow


def _lines(title: str) -> Callable[[Any], None]:
    told = time.monotonic()

    def follow(run: Any) -> None:
        nonlocal told
        if time.monotonic() - told < SECONDS:
            return
        told = time.monotonic()
        rate = run.step / run.seconds
        minutes, seconds = divmod(round((run.steps - run.step) / rate), 60)
        click.echo(
            f"{title}: step {run.step} of {run.steps}, {rate:.3g} steps/s, "
            f"{minutes}:{seconds:02d} left, loss {run.losses[-1][1]:.3f}",
            err=True,
        )

    return follow


def note_nothing_learnt(losses: Sequence[tuple[int, float]], config: TrainConfig) -> None:
    """Tell where the loss of a run from scratch ends as it began: as linear shrinkage.

    A run that is no longer than its warm-up cannot be judged.
    """
    if not losses or losses[-1][0] <= config.warmup or has_fallen(losses):
        return
    first, last = ends(losses)
    note(
        f"the loss did not clearly fall ({first:.3g} at first, {last:.3g} at the end), so the "
        f"denoiser may do next to nothing: set learning_rate ({config.learning_rate:g}) lower, or "
        "train longer"
    )
