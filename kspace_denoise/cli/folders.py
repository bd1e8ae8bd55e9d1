"""A folder where a file is expected: the command runs for every file in it."""

import functools
import hashlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click

from kspace_denoise import formats
from kspace_denoise.cli.common import Decorator, note
from kspace_denoise.cli.group import is_first_process, message_of
from kspace_denoise.formats.hdf5 import SUFFIXES


def of_folders(own_seeds: bool = False) -> Decorator:
    """Let IN be a folder, and OUT one: every file of IN becomes one of its name in OUT.

    Of the processes that torchrun has started each takes some of the files. With `own_seeds` every
    file has a seed of its own, of --seed and its name: the same noise in all would be no noise.
    """
    option = click.option(
        "--resume",
        is_flag=True,
        help="Where IN is a folder: leave out files that are in OUT already.",
    )

    def decorate(run: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(run)
        def each(source: Path, output: Path, resume: bool, **options: Any) -> None:
            if not source.is_dir():
                if resume:
                    raise click.UsageError(f"--resume is for folders, and {source} is none")
                if is_first_process():
                    run(source=source, output=output, **options)
                return
            for name in ("report", "contrasts"):
                if options.get(name):
                    word = name.removesuffix("s")
                    raise click.UsageError(f"--{word} is for one scan, and {source} is a folder")
            for one, other in _pairs(source, output, resume):
                own = {"seed": seed_of(options["seed"], one.name)} if own_seeds else {}
                run(source=one, output=other, **{**options, **own})

        return option(each)

    return decorate


def files_in(folder: Path) -> list[Path]:
    """Return the files of a folder that can be read, by name.

    Raises:
        ValueError: if it holds none.
    """
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    if not files:
        raise ValueError(
            f"{folder} is a folder and holds no file to read: expected names that end in "
            f"{' or '.join(SUFFIXES)}"
        )
    return files


def files_of(paths: Iterable[Path]) -> tuple[Path, ...]:
    """Return the files that are given, and in place of each folder those in it.

    Raises:
        ValueError: if a folder holds none.
    """
    return tuple(f for path in paths for f in (files_in(path) if path.is_dir() else [path]))


def seed_of(seed: int, name: str) -> int:
    """Return the seed of a file, which does not depend on what else is in its folder."""
    return int.from_bytes(hashlib.sha256(f"{seed} {name}".encode()).digest()[:4])


def _pairs(source: Path, output: Path, resume: bool) -> list[tuple[Path, Path]]:
    """Return the files that this process takes, and where the result of each goes.

    Raises:
        ValueError: if OUT is a file, or IN holds none to read, or one that cannot be read.
    """
    files = files_in(source)
    if output.exists() and not output.is_dir():
        raise ValueError(f"{source} is a folder and {output} a file: expected a folder for OUT")
    if output.exists() and output.samefile(source):
        raise ValueError(f"{output} is also the input; give the output another name")
    pairs = [(path, output / path.name) for path in files]
    left = [pair for pair in pairs if not (resume and pair[1].exists())]
    _check_readable([path for path, _ in left])
    output.mkdir(exist_ok=True)
    if len(left) < len(pairs):
        note(f"{len(pairs) - len(left)} of {len(pairs)} files are in {output} already")
    rank, count = (int(os.environ.get(name, n)) for name, n in (("RANK", "0"), ("WORLD_SIZE", "1")))
    return left[rank::count]


def _check_readable(files: list[Path]) -> None:
    """Refuse files whose headers cannot be read, before any work is done on the others.

    Raises:
        ValueError: naming them all.
    """
    wrong = []
    for path in files:
        try:
            formats.read(path)
        except (ValueError, OSError) as error:
            wrong.append(message_of(error))
    if wrong:
        raise ValueError(
            f"{len(wrong)} of {len(files)} files cannot be read, and nothing was done: "
            f"{'; '.join(wrong)}. Move them elsewhere, or repair them"
        )
