"""FISTA: the minimiser of a least-squares misfit plus a prior, for torch images."""

import math
from collections.abc import Callable, Iterable, Iterator

from kspace_denoise.arrays import Array
from kspace_denoise.recon.regularised import Misfit


def fista(
    misfit: Misfit,
    shape: tuple[int, int],
    shrink: Callable[[Array, int], Array],
    iterations: int,
) -> Iterator[Array]:
    """Yield the iterates, from zero, for misfit(x) + prior(x).

    `shrink(image, iteration)` minimises ½ |x - image|² + prior(x). The step is 1 (Beck and
    Teboulle, SIAM J. Imaging Sci. 2:183, 2009). The images have `shape`, which may exceed that of
    the misfit by a margin on the far sides: nothing was measured there, so it takes the values
    that cost the prior least.
    """
    y, x = misfit.combined.shape
    old = misfit.combined.new_zeros(shape)
    point, momentum = old.clone(), 1.0
    for iteration in range(iterations):
        inside = point[:y, :x]
        inside += misfit.combined - misfit.normal(inside)
        new = shrink(point, iteration)
        following = next_momentum(momentum)
        point = new + (momentum - 1) / following * (new - old)
        old, momentum = new, following
        yield new


def next_momentum(momentum: float) -> float:
    """Return Nesterov's t(k + 1) from t(k)."""
    return (1 + math.sqrt(1 + 4 * momentum**2)) / 2


def settled(iterates: Iterable[Array], tolerance: float) -> Array:
    """Return the first iterate that the last step changed by at most `tolerance`, or the last.

    Compares the norm of the change with that of the image.
    """
    old: Array = None
    for image in iterates:
        if old is not None and (image - old).norm() <= tolerance * image.norm():
            return image
        old = image
    return old
