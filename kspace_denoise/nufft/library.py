"""The libraries of non-uniform transforms, which are optional."""

import importlib
from types import ModuleType


def library(name: str) -> ModuleType:
    """Import finufft or torchkbnufft.

    Raises:
        ModuleNotFoundError: if it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"non-Cartesian trajectories need {name}: pip install 'kspace-denoise[noncartesian]'",
            name=name,
        ) from error
