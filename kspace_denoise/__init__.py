"""Self-supervised MRI denoising that starts from raw multi-coil k-space.

Everything is loaded on first use (PEP 562), so that importing the package costs next to nothing.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kspace_denoise import classical, formats, metrics, recon, sim
    from kspace_denoise.denoiser import Denoiser
    from kspace_denoise.dmri.denoiser import VolumeDenoiser
    from kspace_denoise.dmri.files import load
    from kspace_denoise.dmri.train import train_volumes
    from kspace_denoise.formats import read, write
    from kspace_denoise.pipeline import denoise
    from kspace_denoise.scan import Images, Scan
    from kspace_denoise.training.config import TrainConfig
    from kspace_denoise.training.train import train

__all__ = [
    "Denoiser",
    "Images",
    "Scan",
    "TrainConfig",
    "VolumeDenoiser",
    "classical",
    "denoise",
    "formats",
    "load",
    "metrics",
    "read",
    "recon",
    "sim",
    "train",
    "train_volumes",
    "write",
]

_SUBMODULES = {"classical", "formats", "metrics", "recon", "sim"}
_NAMES = {
    "Denoiser": "denoiser",
    "Images": "scan",
    "Scan": "scan",
    "TrainConfig": "training.config",
    "VolumeDenoiser": "dmri.denoiser",
    "denoise": "pipeline",
    "load": "dmri.files",
    "read": "formats",
    "train": "training.train",
    "train_volumes": "dmri.train",
    "write": "formats",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return _version()
    if name in _SUBMODULES:
        return importlib.import_module(f"{__name__}.{name}")
    if name in _NAMES:
        value = getattr(importlib.import_module(f"{__name__}.{_NAMES[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__, "__version__"])


def _version() -> str:
    import importlib.metadata  # dear, and hardly ever needed

    try:
        return importlib.metadata.version("kspace-denoise")
    except importlib.metadata.PackageNotFoundError:
        return "0+unknown"  # imported from a source tree that is not installed
