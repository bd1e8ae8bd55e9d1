"""The water of a brain as diffusion sees it: compartments, each with one tensor in every voxel."""

from typing import Any, NamedTuple, TypeAlias

import numpy as np

from kspace_denoise.sim.diffusion.brain import Brain, Place
from kspace_denoise.sim.diffusion.waves import waves

Reals: TypeAlias = np.ndarray[Any, Any]

DIFFUSIVITIES = {
    "white": (1.7e-3, 0.35e-3),
    "grey": (0.85e-3, 0.75e-3),
    "deep_grey": (0.95e-3, 0.65e-3),
    "csf": (3.0e-3, 3.0e-3),
}
"""Along and across the fibres in mm²/s; those of grey matter run outwards from the centre."""
SIGNAL = {"white": 0.65, "grey": 0.85, "deep_grey": 0.75, "csf": 1.7}
"""At b = 0, as a T2-weighted spin echo shows them."""
TEXTURE = {"white": 0.08, "grey": 0.06, "deep_grey": 0.06, "csf": 0.01}
"""Relative standard deviation of the diffusivities within a tissue; of the signal, a half of it."""

_FINE, _SMOOTH = 6.0, 40.0  # shortest waves of the texture and of the smooth variation, mm


class Compartment(NamedTuple):
    """Water of one kind, float32 `(slices, y, x)`."""

    signal: Reals
    """At b = 0."""
    along: Reals
    """Diffusivity along the fibres, mm²/s."""
    across: Reals
    """Diffusivity across them, mm²/s."""
    course: Reals
    """Where they run: unit vectors along the axes (x, y, z) of the image, `(slices, y, x, 3)`."""

    def weighted(self, bval: float, bvec: Reals) -> Reals:
        """Return the signal at a diffusion weighting in s/mm²."""
        cosine = self.course @ np.asarray(bvec, np.float32)
        diffusivity = self.across + (self.along - self.across) * cosine**2
        return np.asarray(self.signal * np.exp(-np.float32(bval) * diffusivity))

    @property
    def tensor(self) -> Reals:
        """The diffusion tensor in mm²/s, `(slices, y, x, 3, 3)`."""
        outer = self.course[..., :, None] * self.course[..., None, :]
        more = (self.along - self.across)[..., None, None] * outer
        return np.asarray(self.across[..., None, None] * np.eye(3, dtype=np.float32) + more)


def compartments(brain: Brain, place: Place, generator: np.random.Generator) -> list[Compartment]:
    """Return the water of each bundle and each other tissue; no two voxels are alike."""
    fine, smooth = (waves(place, length, 3, generator) for length in (_FINE, _SMOOTH))
    ripple = np.clip((fine + smooth) / np.sqrt(2), -3, 3)
    gain = np.exp(0.15 * waves(place, 120, 1, generator)[0])
    outwards = np.stack([place.x, -place.y, place.z], axis=-1)
    outwards = outwards / np.maximum(np.linalg.norm(outwards, axis=-1, keepdims=True), 1)
    parts = [
        ("white", share * brain.tissues["white"], course)
        for share, course in zip(brain.shares, brain.directions, strict=True)
    ]
    parts += [(name, brain.tissues[name], outwards) for name in ("grey", "deep_grey", "csf")]
    water = []
    for name, fraction, course in parts:
        spread = TEXTURE[name]
        along, across = (
            diffusivity * (1 + spread * wave)
            for diffusivity, wave in zip(DIFFUSIVITIES[name], ripple[:2], strict=True)
        )
        signal = gain * fraction * SIGNAL[name] * (1 + spread / 2 * ripple[2])
        water.append(Compartment(*(np.float32(1) * p for p in (signal, along, across, course))))
    return water
