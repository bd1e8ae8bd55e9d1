"""Files that appear whole or not at all."""

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path in the same folder; rename it to `path` once the block succeeds.

    Whatever goes wrong inside, the temporary file is removed and an older `path` stays as it was.

    Raises:
        FileNotFoundError: if the folder does not exist.
        ValueError: if `path` is a folder.
    """
    path = Path(path)
    check_place(path)
    temporary = path.with_name(f".{path.name[:50]}.{secrets.token_hex(4)}.part")
    try:
        yield temporary
        os.replace(temporary, path)  # noqa: PTH105 - Path.replace hides that it is atomic
    finally:
        temporary.unlink(missing_ok=True)


def check_place(path: Path) -> None:
    """Refuse a place where no file can be written.

    Raises:
        FileNotFoundError: if the folder does not exist.
        ValueError: if `path` is a folder.
    """
    if path.is_dir():
        raise ValueError(f"{path} is a folder, expected the name of a file to write")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path.parent}: no such folder; create it first")


def check_folder_place(path: Path) -> None:
    """Refuse a place where no folder can be made.

    Raises:
        FileNotFoundError: if the folder that it would be in does not exist.
        ValueError: if `path` is a file.
    """
    if path.exists() and not path.is_dir():
        raise ValueError(f"{path} is a file, expected a folder, or the name of one to make")
    if not path.absolute().parent.is_dir():
        raise FileNotFoundError(f"{path.absolute().parent}: no such folder; create it first")
