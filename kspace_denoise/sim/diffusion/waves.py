"""Random smooth fields in three dimensions."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

Reals: TypeAlias = np.ndarray[Any, Any]

_WAVES = 48


def waves(
    place: Sequence[Reals], wavelength: float, count: int, generator: np.random.Generator
) -> Reals:
    """Return `count` independent fields of variance 1, of waves of 1 to 2 times `wavelength`.

    `place` are positions (x, y, z) in the unit of `wavelength`; fields float32 `(count, ...)`.
    """
    points = np.stack([np.asarray(p, np.float32) for p in place], axis=-1)
    courses = generator.standard_normal((_WAVES, 3))
    courses /= np.linalg.norm(courses, axis=-1, keepdims=True)
    lengths = wavelength * generator.uniform(1, 2, (_WAVES, 1))
    phase = points @ (2 * np.pi * courses / lengths).T.astype(np.float32)
    weights = generator.standard_normal((_WAVES, 2, count)).astype(np.float32) / np.sqrt(_WAVES)
    fields = np.cos(phase) @ weights[:, 0] + np.sin(phase) @ weights[:, 1]
    return np.moveaxis(fields, -1, 0)
