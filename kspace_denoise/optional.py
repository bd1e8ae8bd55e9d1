"""Libraries that only some uses need."""

import importlib
from typing import Any


def optional(module: str, purpose: str, extra: str) -> Any:
    """Import a module of an optional library.

    Raises:
        ModuleNotFoundError: saying what needs it and what to install.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        name = module.partition(".")[0]
        raise ModuleNotFoundError(
            f"{purpose} {name}: pip install 'kspace-denoise[{extra}]'", name=name
        ) from error
