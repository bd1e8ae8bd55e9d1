"""What a person sees on stderr."""

import sys
import time

from kspace_denoise.training.trainer import Progress

_EVERY = {True: 0.5, False: 30.0}
"""Seconds between lines, on a terminal or in a log."""


class Watch:
    """Shows training: steps, steps per second, time left."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._shown = 0.0
        self._open = False

    def tell(self, sentence: str) -> None:
        """Print a sentence on a line of its own."""
        if self._open:
            print(file=sys.stderr)
        self._open = False
        print(f"{time.strftime('%H:%M:%S')} {sentence}", file=sys.stderr, flush=True)

    def __call__(self, progress: Progress) -> None:
        """Show how far training is, not too often."""
        now = time.monotonic()
        if now - self._shown < _EVERY[self._terminal] or not progress.steps:
            return
        self._shown = now
        rate = progress.step / max(progress.seconds, 1e-9)
        left = (progress.steps - progress.step) / rate
        line = (
            f"  step {progress.step}/{progress.steps}, {rate:.2f} steps/s, "
            f"{int(left // 60)}:{int(left % 60):02d} left"
        )
        if self._terminal:
            print(f"\r{line:60}", end="", file=sys.stderr, flush=True)
            self._open = True
        else:
            print(line, file=sys.stderr, flush=True)
