"""The phase of coil maps, which data leave free: that of a virtual coil which sees everything.

Each pixel's map is known up to a phase. Taking it from a combination of coils that is blind
somewhere in the object winds the phase of maps and image around that spot (a vortex), which no
smoothness prior and no denoiser can follow. So of many combinations the least blind one is taken.
"""

from kspace_denoise.arrays import Array, namespace

_OBJECT = 0.05  # of the largest energy: from there on a pixel counts as object
_WIDTHS = (1 / 8, 1 / 4, 1)  # of the image, around the middle of the object
_BLIND = 0.005  # quantile of what a combination sees over the object: its blindest spot
_PIXELS = 4096  # at most, to judge by


def in_common_phase(vectors: Array, energy: Array) -> Array:
    """Return unit maps `(coils, y, x)` in the phase of a virtual coil that sees all the object.

    `energy` `(y, x)` says where the object is. Both are torch tensors.
    """
    return vectors * phase_to(reference_coil(vectors, energy), vectors)


def reference_coil(vectors: Array, energy: Array) -> Array:
    """Return the combination `(coils,)` whose blindest spot in the object sees most.

    The choice is between the dominant combinations of ever wider surroundings of the middle of the
    object. In the middle all coils are in phase with a narrow one; the widest is the principal coil
    of the whole image, whose null is often right there. The largest component is real.
    """
    xp = namespace(vectors)
    flat, weight = vectors.reshape(vectors.shape[0], -1), energy.reshape(-1)
    (inside,) = xp.nonzero(weight >= _OBJECT * weight.max())
    judged = flat[:, inside[:: max(1, inside.shape[0] // _PIXELS)]]
    best: Array = None
    least = -1.0
    for width in _WIDTHS:
        local = flat * (weight * _window(energy, width).reshape(-1)) ** 0.5
        candidate = xp.linalg.eigh(local @ local.mH)[1][:, -1]
        blindest = float((candidate.conj() @ judged).abs().quantile(_BLIND))
        if blindest > least:
            best, least = candidate, blindest
    largest = best[int(best.abs().argmax())]
    return best * largest.conj() / largest.abs()


def _window(energy: Array, width: float) -> Array:
    """Return a Gaussian `(y, x)` around the centre of the energy, so wide relative to the image."""
    xp = namespace(energy)
    window = xp.ones_like(energy)
    for axis in (0, 1):
        size = energy.shape[axis]
        place = xp.arange(size, dtype=energy.dtype, device=energy.device)
        middle = (energy.sum(1 - axis) * place).sum() / energy.sum().clamp(min=1e-30)
        line = xp.exp(-(((place - middle) / (width * size)) ** 2) / 2)
        window = window * (line[:, None] if axis == 0 else line)
    return window


def phase_to(virtual: Array, vectors: Array) -> Array:
    """Return the factor `(..., y, x)` that makes what a virtual coil sees of vectors real."""
    seen = (virtual.conj()[:, None, None] * vectors).sum(-3)
    return namespace(seen).where(seen.abs() > 0, seen.conj() / seen.abs(), 1.0)
