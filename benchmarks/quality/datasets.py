"""The data sets by name: what they are made of, and which rows they cannot have."""

import zlib
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from benchmarks.quality import fastmri, m4raw, magnitude, phantom, real
from benchmarks.quality.evaluate import Job, Means, VolumeSet
from benchmarks.quality.registry import Row
from benchmarks.quality.volumes import Volume, kept_volumes

SPLITS = ("train", "test")
GROUPS: dict[str, tuple[str, ...]] = {
    "phantom": ("phantom",),
    "rician": ("rician",),
    "magnitude": ("magnitude-13", "magnitude-25"),
    "real": tuple(real.SCANS),
    "m4raw": ("m4raw",),
    "m4raw-paper": ("m4raw-paper",),
    "fastmri": ("fastmri-13", "fastmri-25"),
}
"""What a name on the command line stands for; a single data set may be named as well."""


class DataSet(Protocol):
    """What scores rows."""

    name: str

    def evaluate(self, job: Job, means: Means) -> dict[str, Any]:
        """Return the result of a job."""
        ...


class Sources(NamedTuple):
    """Where data come from: what is made is kept in `work`; `folder` and `lists` are the user's.

    `lists` holds the file names of a split, where they are not all files of its folder.
    """

    work: Path
    folder: Path | None = None
    lists: dict[str, Sequence[str]] = {}  # noqa: RUF012 - never changed


def expand(names: Iterable[str]) -> list[str]:
    """Return the data sets that names stand for.

    Raises:
        ValueError: listing what there is.
    """
    known = {name for group in GROUPS.values() for name in group}
    expanded: list[str] = []
    for name in names:
        if name not in GROUPS and name not in known:
            raise ValueError(f"there is no data set {name!r}; there are: {', '.join(GROUPS)}")
        expanded += GROUPS.get(name, (name,))
    return expanded


def why_not(name: str, row: Row) -> str | None:
    """Return why a data set cannot have a row, or None."""
    one_scan = name.startswith("real")
    if one_scan and row.method in ("supervised", "noise2noise"):
        return "training sees one repetition alone"
    if (row.target or row.contrasts) and not name.startswith(("phantom", "m4raw")):
        return "it has not these contrasts of the same slices"
    if row.config.get("vst") and name != "rician":
        return "its noise is Gaussian, not Rician"
    return None


def open_dataset(name: str, sources: Sources) -> DataSet:
    """Return a data set, made and kept in the work folder on first use.

    Raises:
        ValueError: if there is no such data set, or it needs the user's folder.
        FileNotFoundError: if the folder lacks something.
    """
    expand([name])
    if name in real.SCANS:
        return real.RealSet(name, real.open_pair(name, real.data_folder()))
    if name == "rician":
        train, test = (_kept("phantom", split, sources) for split in SPLITS)
        return VolumeSet(name, *([v.magnitudes() for v in part] for part in (train, test)))
    return VolumeSet(name, *(_kept(name, split, sources) for split in SPLITS))


def _kept(name: str, split: str, sources: Sources) -> list[Volume]:
    place = sources.work / "data" / name
    make: Callable[[], Iterable[Volume]]
    if name == "phantom":
        make = partial(_phantom, place / "files", split)
    elif name.startswith("magnitude"):
        make = partial(magnitude.volumes, _level(name), split)
    else:
        folder = _user_folder(name, sources)
        place = place.with_name(f"{name}-{_fingerprint(folder, sources.lists.get(split))}")
        make = _from_user(name, split, folder, sources)
    return kept_volumes(place / split, make)


def _from_user(
    name: str, split: str, folder: Path, sources: Sources
) -> Callable[[], Iterable[Volume]]:
    if name == "m4raw":
        return partial(m4raw.volumes, folder, split)
    if name == "m4raw-paper":
        return partial(m4raw.paper_volumes, folder, split)
    return partial(fastmri.volumes, folder, split, _level(name), sources.lists.get(split))


def _phantom(files: Path, split: str) -> Iterable[Volume]:
    phantom.write_study(files, split)
    return m4raw.volumes(files, split)


def _level(name: str) -> int:
    return int(name.rsplit("-", 1)[1])


def _user_folder(name: str, sources: Sources) -> Path:
    if sources.folder is None:
        raise ValueError(f"{name} needs the folder of the data: --folder DIR")
    if not sources.folder.is_dir():
        raise FileNotFoundError(f"{sources.folder}: no such folder")
    return sources.folder


def _fingerprint(folder: Path, names: Sequence[str] | None) -> str:
    """Tell one folder and list of files from another."""
    text = "\n".join([str(folder.resolve()), *(names or ())])
    return f"{zlib.crc32(text.encode()):08x}"
