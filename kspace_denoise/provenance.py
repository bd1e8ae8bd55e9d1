"""The record of how a result came about, written beside or inside every result."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

import kspace_denoise


def record(
    command: str,
    inputs: Iterable[str | Path] = (),
    *,
    seed: int | None = None,
    sigma: float | None = None,
    sigma_unit: str | None = None,
    data_range: float | None = None,
    **parameters: Any,
) -> dict[str, Any]:
    """Return a provenance record, ready for JSON.

    `sigma` is the noise standard deviation per real component, in `sigma_unit`. No time of day
    is recorded, so that the same command on the same inputs writes the same bytes.

    Raises:
        FileNotFoundError: if an input does not exist.
        TypeError: if a parameter cannot be written as JSON.
    """
    result: dict[str, Any] = {
        "version": kspace_denoise.__version__,
        "command": command,
        "inputs": [{"path": str(path), "sha256": sha256(path)} for path in inputs],
        "seed": seed,
        "sigma": sigma,
        "sigma_unit": sigma_unit,
        "data_range": data_range,
        "parameters": parameters,
    }
    plain: dict[str, Any] = json.loads(to_json(result))
    return plain


def sha256(path: str | Path) -> str:
    """Return the SHA-256 checksum of a file, read piece by piece."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def to_json(content: Mapping[str, Any] | list[Any]) -> str:
    """Return JSON text; numbers and arrays of numpy become numbers and lists, NaN becomes null.

    Raises:
        TypeError: if something in it has no JSON form.
    """
    return json.dumps(_plain(content), indent=1, allow_nan=False)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, complex):
        return {"real": value.real, "imaginary": value.imag}
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return str(value) if isinstance(value, Path) else value
