"""Files of tensors and JSON only (safetensors), which appear by rename."""

import json
import os
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from kspace_denoise.formats.atomic import atomic


def write_tensors(path: str | Path, tensors: dict[str, Tensor], record: dict[str, Any]) -> None:
    """Write tensors and a JSON record, under a temporary name that is then renamed.

    A kill at any moment leaves the old file or the new one, never a part.
    """
    contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with atomic(path) as temporary, temporary.open("wb") as file:
        file.write(save(contiguous, metadata={"kspace_denoise": json.dumps(record)}))
        file.flush()
        os.fsync(file.fileno())


def read_tensors(path: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read tensors and their JSON record.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file was not written by `write_tensors`.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist: expected a .safetensors file")
    try:
        with safe_open(str(path), framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(
            f"{path} is not a safetensors file, as `kspace-denoise train` writes them ({error})"
        ) from None
    if "kspace_denoise" not in metadata:
        raise ValueError(f"{path} holds tensors, but was not written by kspace-denoise")
    return tensors, json.loads(metadata["kspace_denoise"])


def differences(before: dict[str, Any], now: dict[str, Any]) -> str:
    """Return in words what differs between the identities of two runs."""
    old, new = _flat(before), _flat(now)
    found = [
        f"{name} was {old.get(name, 'not set')} and is {new.get(name, 'not set')}"
        for name in dict.fromkeys([*new, *old])
        if not name.startswith("data.") and old.get(name) != new.get(name)
    ]
    if before.get("data") != now.get("data"):
        found.append("the images are others")
    return ", ".join(found)


def _flat(record: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the settings of nested tables by their names with dots: `network.base`."""
    flat: dict[str, Any] = {}
    for name, value in record.items():
        if isinstance(value, dict):
            flat |= _flat(value, "" if name == "config" else f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat
