"""What the data sets are made of."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.quality import magnitude, phantom, real
from benchmarks.quality.records import Origin

USER_DATA = 2
"""Raise it whenever what is made of a user's files changes."""


class Sources(NamedTuple):
    """Where data come from: what is made is kept in `work`; `folder` and `lists` are the user's.

    `lists` holds the file names of a split, where they are not all files of its folder.
    """

    work: Path
    folder: Path | None = None
    lists: dict[str, Sequence[str]] = {}  # noqa: RUF012 - never changed


def origin(name: str, split: str, sources: Sources) -> Origin:
    """Return what a split ("train" or "test") of a data set is made of.

    Raises:
        ValueError: if the data set needs the user's folder, or has no use for it or a list.
        FileNotFoundError: if a folder or file is not there.
    """
    if sources.lists and not name.startswith("fastmri"):
        raise ValueError(
            f"{name} takes no list of files: --train-list, --test-list are for fastmri"
        )
    if sources.folder is not None and not name.startswith(("m4raw", "fastmri")):
        where = ", real scans stand where KSPACE_DENOISE_DATA says" if name in real.SCANS else ""
        raise ValueError(f"{name} takes no folder: --folder is for m4raw and fastmri{where}")
    if name in real.SCANS:
        return {"data": name, **real.origin(name, real.data_folder())}
    if name in ("phantom", "phantom-validation"):
        # Both train on the same subjects, and so share what is trained.
        which = "validation" if split == "test" and name != "phantom" else split
        return {"data": "phantom", **phantom.origin(which)}
    if name == "rician":
        return {**origin("phantom", split, sources), "data": name}
    if name.startswith("magnitude"):
        return {"data": name, **magnitude.origin(level(name), split)}
    names = sources.lists.get(split)
    return {
        "data": name,
        "folder": str(_user_folder(name, sources).resolve()),
        "list": None if names is None else list(names),
        "version": USER_DATA,
    }


def level(name: str) -> int:
    """Return the noise level that stands in the name of a data set."""
    return int(name.rsplit("-", 1)[1])


def _user_folder(name: str, sources: Sources) -> Path:
    if sources.folder is None:
        raise ValueError(f"{name} needs the folder of the data: --folder DIR")
    if not sources.folder.is_dir():
        raise FileNotFoundError(f"{sources.folder}: no such folder")
    return sources.folder
