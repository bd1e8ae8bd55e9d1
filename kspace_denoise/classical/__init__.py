"""Denoisers that need no training; those in `CLASSICAL` are called like trained ones.

`mppca` and `patch2self` work on the volumes of a scan together.
"""

from collections.abc import Callable
from typing import Any

from kspace_denoise.arrays import Array
from kspace_denoise.classical.bm3d import BM3D
from kspace_denoise.classical.deep_image_prior import DeepImagePrior
from kspace_denoise.classical.mppca import MPPCAResult, mppca
from kspace_denoise.classical.nlm import NonLocalMeans
from kspace_denoise.classical.patch2self import patch2self
from kspace_denoise.classical.stabilised import Stabilised
from kspace_denoise.classical.wavelet import Wavelet

CLASSICAL: dict[str, Callable[..., Callable[[Array, Any], Array]]] = {
    "nlm": NonLocalMeans,
    "wavelet": Wavelet,
    "bm3d": BM3D,
    "dip": DeepImagePrior,
}
"""Denoisers that need no training, by the name that is used everywhere; each takes its strength."""

__all__ = [
    "BM3D",
    "CLASSICAL",
    "DeepImagePrior",
    "MPPCAResult",
    "NonLocalMeans",
    "Stabilised",
    "Wavelet",
    "mppca",
    "patch2self",
]
