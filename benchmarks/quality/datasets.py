"""The data sets by name: what they are made of, and which rows they cannot have."""

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from benchmarks.quality import fastmri, m4raw, magnitude, phantom, real
from benchmarks.quality.denoisers import paper_maximum
from benchmarks.quality.evaluate import Job, Means, VolumeSet
from benchmarks.quality.origins import Sources, level, origin
from benchmarks.quality.records import mark
from benchmarks.quality.registry import Row
from benchmarks.quality.volumes import Volume, kept_volumes

SPLITS = ("train", "test")
VALIDATION = "phantom-validation"
"""On which choices are made; the other sets are for the numbers that are reported."""
GROUPS: dict[str, tuple[str, ...]] = {
    "phantom": ("phantom",),
    VALIDATION: (VALIDATION,),
    "rician": ("rician",),
    "magnitude": ("magnitude-13", "magnitude-25"),
    "real": tuple(real.SCANS),
    "m4raw": ("m4raw",),
    "m4raw-paper": ("m4raw-paper",),
    "fastmri": ("fastmri-13", "fastmri-25"),
}
"""What a name on the command line stands for; a single data set may be named as well."""

ABOUT = {
    "phantom": "T1w, T2w and FLAIR phantoms of 4 coils at 0.3 T",
    VALIDATION: "the same with other subjects to score, on which choices are made",
    "rician": "magnitudes of phantom: Rician noise",
    "magnitude": "phantom magnitudes with real Gaussian noise: magnitude-13 (standard deviation "
    "13/255 of the maximum) and magnitude-25 (25/255)",
    "real": f"scans at 55 mT in the folder KSPACE_DENOISE_DATA: {', '.join(real.SCANS)}",
    "m4raw": "the user's M4Raw, complex; needs --folder",
    "m4raw-paper": "M4Raw scored as its denoising demo does: magnitudes scaled to [0, 1] slice by "
    "slice, against the mean of all repetitions",
    "fastmri": "the user's fastMRI images with real Gaussian noise, fastmri-13 (standard deviation "
    "13/255 of the maximum) and fastmri-25 (25/255); needs --folder",
}
"""What the data sets are, in words."""


class DataSet(Protocol):
    """What scores rows."""

    name: str

    def evaluate(self, job: Job, means: Means) -> dict[str, Any]:
        """Return the result of a job."""
        ...


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
    if name.startswith("real") and row.method in ("supervised", "noise2noise"):
        return "training sees one repetition alone"
    if row.method == "coil2coil" and not name.startswith("phantom") and name != "m4raw":
        return "one coil, or coils combined"
    if (row.target or row.contrasts) and not name.startswith(("phantom", "m4raw")):
        return "it has not these contrasts of the same slices"
    if row.config.get("vst") and name != "rician":
        return "its noise is Gaussian, not Rician"
    if "spread" in row.objective and name != VALIDATION:
        return f"this choice is made on {VALIDATION}"
    if row.name == f"c2s-paper-T{paper_maximum(name):g}":
        return "that is c2s-paper here"
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
    """Return the volumes of a split; what is made of something else has a place of its own."""
    made_of = origin(name, split, sources)
    place = sources.work / "data" / made_of["data"] / f"{split}-{mark(made_of)}"
    make: Callable[[], Iterable[Volume]]
    if made_of["data"] == "phantom":
        make = partial(_phantom, place.with_name(f"{place.name}-files"), made_of["split"])
    elif name.startswith("magnitude"):
        make = partial(magnitude.volumes, level(name), split)
    else:
        assert sources.folder is not None
        make = _from_user(name, split, sources.folder, sources)
    return kept_volumes(place, made_of, make)


def _from_user(
    name: str, split: str, folder: Path, sources: Sources
) -> Callable[[], Iterable[Volume]]:
    if name == "m4raw":
        return partial(m4raw.volumes, folder, split)
    if name == "m4raw-paper":
        return partial(m4raw.paper_volumes, folder, split)
    return partial(fastmri.volumes, folder, split, level(name), sources.lists.get(split))


def _phantom(files: Path, split: str) -> Iterable[Volume]:
    phantom.write_study(files, split)
    return m4raw.volumes(files, split)
