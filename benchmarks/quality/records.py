"""Records of what something was made of: kept beside it, and compared before it is used again."""

import hashlib
import json
from pathlib import Path
from typing import Any

Origin = dict[str, Any]
"""Everything that decides what the volumes of a split are, as plain JSON-able values."""
PROTOCOL = 2
"""Raise it whenever training, denoising or scoring changes such that numbers do."""

REVISIONS = {"noise2score": 2, "noise2same": 2, "coil2coil": 2, "plain-unet": 2}
"""Raise that of a method or network whenever it alone changes such that its numbers do."""


def revision(*names: str) -> dict[str, int]:
    """Return the revisions of a method and network that have changed since the protocol did."""
    return {f"revision of {name}": REVISIONS[name] for name in names if name in REVISIONS}


def mark(made_of: Any) -> str:
    """Return a short text that tells one record from another."""
    text = json.dumps(made_of, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def plain(record: Any) -> Any:
    """Return a record as JSON gives it back."""
    return json.loads(json.dumps(record))


def differing(kept: Any, wanted: Any, name: str = "") -> list[str]:
    """Return the dotted names of all entries in which two plain records differ."""
    if isinstance(kept, dict) and isinstance(wanted, dict):
        names = dict.fromkeys([*kept, *wanted])
        lead = f"{name}." if name else ""
        return [
            found
            for n in names
            for found in differing(kept.get(n, ...), wanted.get(n, ...), f"{lead}{n}")
        ]
    return [] if kept == wanted else [name]


def check_same(path: Path, kept: Any, wanted: Any) -> None:
    """Refuse what was made of, or with, something else.

    Raises:
        ValueError: naming what differs.
    """
    found = differing(kept, plain(wanted))
    if found:
        raise ValueError(
            f"{path} was made with another {', '.join(found) or 'record'}: take another --work and "
            "--out for other settings or data, or remove it"
        )
