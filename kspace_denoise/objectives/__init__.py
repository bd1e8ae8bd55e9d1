"""Training objectives, one file per paper, and the registry of methods."""

import dataclasses
import difflib
from typing import Any

from kspace_denoise.objectives.batch import AnyBatch, Batch
from kspace_denoise.objectives.c2s import C2S
from kspace_denoise.objectives.coil2coil import Coil2Coil
from kspace_denoise.objectives.diffusion import Diffusion
from kspace_denoise.objectives.gsure import GSURE
from kspace_denoise.objectives.neighbor2neighbor import Neighbor2Neighbor
from kspace_denoise.objectives.noise2noise import Noise2Noise
from kspace_denoise.objectives.noise2same import Noise2Same
from kspace_denoise.objectives.noise2score import Noise2Score
from kspace_denoise.objectives.noise2self import Noise2Self
from kspace_denoise.objectives.noise2void import Noise2Void
from kspace_denoise.objectives.noisier2noise import Noisier2Noise
from kspace_denoise.objectives.objective import Objective
from kspace_denoise.objectives.recorrupted2recorrupted import Recorrupted2Recorrupted
from kspace_denoise.objectives.supervised import Supervised
from kspace_denoise.objectives.sure import SURE
from kspace_denoise.settings import check_kinds

METHODS: dict[str, type[Objective[Any]]] = {
    "c2s": C2S,
    "supervised": Supervised,
    "noise2noise": Noise2Noise,
    "noise2void": Noise2Void,
    "noise2self": Noise2Self,
    "noise2same": Noise2Same,
    "neighbor2neighbor": Neighbor2Neighbor,
    "coil2coil": Coil2Coil,
    "noisier2noise": Noisier2Noise,
    "r2r": Recorrupted2Recorrupted,
    "sure": SURE,
    "noise2score": Noise2Score,
    "diffusion": Diffusion,
    "gsure": GSURE,
}
"""Methods that can be trained, by the name that is used everywhere."""


def check_method(method: str) -> None:
    """Refuse a method that cannot be trained.

    Raises:
        ValueError: listing those that can.
    """
    if method in METHODS:
        return
    close = difflib.get_close_matches(method, METHODS, n=1)
    meant = f" (did you mean {close[0]}?)" if close else ""
    raise ValueError(
        f"there is no method {method!r} to train{meant}; there is: {', '.join(METHODS)}"
    )


def make_objective(method: str, paper: bool = False, **settings: Any) -> Objective[Any]:
    """Return the objective of a method: our defaults, or the paper's, with settings changed.

    Raises:
        ValueError: if there is no such method or setting; the message lists what there is.
        TypeError: if a setting is of the wrong kind.
    """
    check_method(method)
    base = METHODS[method].paper() if paper else METHODS[method]()
    known = [field.name for field in dataclasses.fields(base)]
    unknown = sorted(set(settings) - set(known))
    if unknown:
        there = f"it has {', '.join(known)}" if known else "it has none: leave [objective] out"
        raise ValueError(f"{method} has no setting {', '.join(unknown)}; {there}")
    check_kinds(type(base), settings)
    return dataclasses.replace(base, **settings)


__all__ = [
    "C2S",
    "GSURE",
    "METHODS",
    "SURE",
    "AnyBatch",
    "Batch",
    "Coil2Coil",
    "Diffusion",
    "Neighbor2Neighbor",
    "Noise2Noise",
    "Noise2Same",
    "Noise2Score",
    "Noise2Self",
    "Noise2Void",
    "Noisier2Noise",
    "Objective",
    "Recorrupted2Recorrupted",
    "Supervised",
    "check_method",
    "make_objective",
]
