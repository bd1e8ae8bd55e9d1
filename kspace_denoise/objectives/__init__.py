"""Training objectives, one file per paper, and the registry of methods."""

import dataclasses
import difflib
from typing import Any

from kspace_denoise.objectives.batch import AnyBatch, Batch
from kspace_denoise.objectives.blind_spot import BlindSpot
from kspace_denoise.objectives.c2s import C2S
from kspace_denoise.objectives.coil2coil import Coil2Coil
from kspace_denoise.objectives.ddm2 import DDM2
from kspace_denoise.objectives.diffdenoise import DiffDenoise
from kspace_denoise.objectives.diffusion import Diffusion
from kspace_denoise.objectives.gsure import GSURE
from kspace_denoise.objectives.neighbor2neighbor import Neighbor2Neighbor
from kspace_denoise.objectives.noise2noise import Noise2Noise
from kspace_denoise.objectives.noise2same import Noise2Same
from kspace_denoise.objectives.noise2score import Noise2Score
from kspace_denoise.objectives.noise2self import Noise2Self
from kspace_denoise.objectives.noise2void import Noise2Void
from kspace_denoise.objectives.noisier2noise import Noisier2Noise
from kspace_denoise.objectives.objective import Loss, Objective
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
    "blind-spot": BlindSpot,
    "neighbor2neighbor": Neighbor2Neighbor,
    "coil2coil": Coil2Coil,
    "noisier2noise": Noisier2Noise,
    "r2r": Recorrupted2Recorrupted,
    "sure": SURE,
    "noise2score": Noise2Score,
    "diffusion": Diffusion,
    "gsure": GSURE,
    "diffdenoise": DiffDenoise,
}
"""Methods that can be trained, by the name that is used everywhere."""
OF_VOLUMES: dict[str, type[DDM2]] = {"ddm2": DDM2}
"""Those that are trained on the volumes of a diffusion scan together."""


def check_method(method: str) -> None:
    """Refuse a method that cannot be trained.

    Raises:
        ValueError: listing those that can.
    """
    known = [*METHODS, *OF_VOLUMES]
    if method in known:
        return
    close = difflib.get_close_matches(method, known, n=1)
    meant = f" (did you mean {close[0]}?)" if close else ""
    raise ValueError(f"there is no method {method!r} to train{meant}; there is: {', '.join(known)}")


def make_objective(method: str, paper: bool = False, **settings: Any) -> Objective[Any]:
    """Return the objective of a method of `METHODS`: our defaults, or the paper's, with changes.

    Raises:
        ValueError: if there is no such method or setting; the message lists what there is.
        TypeError: if a setting is of the wrong kind.
    """
    check_method(method)
    if method in OF_VOLUMES:
        raise ValueError(f"{method} learns from the volumes of one diffusion scan together")
    kind = METHODS[method]
    return dataclasses.replace(
        kind.paper() if paper else kind(), **_checked(kind, method, settings)
    )


def make_volume_method(method: str, paper: bool = False, **settings: Any) -> DDM2:
    """Return the settings of a method of `OF_VOLUMES`, likewise.

    Raises:
        ValueError: if there is no such method or setting; the message lists what there is.
        TypeError: if a setting is of the wrong kind.
    """
    if method not in OF_VOLUMES:
        raise ValueError(
            f"{method} does not learn from diffusion scans, {', '.join(OF_VOLUMES)} does: for "
            "others kd.train"
        )
    kind = OF_VOLUMES[method]
    return dataclasses.replace(
        kind.paper() if paper else kind(), **_checked(kind, method, settings)
    )


def _checked(kind: Any, method: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Refuse settings that a method does not have."""
    known = [field.name for field in dataclasses.fields(kind)]
    unknown = sorted(set(settings) - set(known))
    if unknown:
        there = f"it has {', '.join(known)}" if known else "it has none: leave [objective] out"
        raise ValueError(f"{method} has no setting {', '.join(unknown)}; {there}")
    check_kinds(kind, settings)
    return settings


__all__ = [
    "C2S",
    "DDM2",
    "GSURE",
    "METHODS",
    "OF_VOLUMES",
    "SURE",
    "AnyBatch",
    "Batch",
    "BlindSpot",
    "Coil2Coil",
    "DiffDenoise",
    "Diffusion",
    "Loss",
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
    "make_volume_method",
]
