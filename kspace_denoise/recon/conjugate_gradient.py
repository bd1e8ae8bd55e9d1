"""Preconditioned conjugate gradients for a batch of independent images."""

import math
import warnings
from collections.abc import Callable
from functools import partial

from kspace_denoise.arrays import Array, namespace


def conjugate_gradient(
    normal: Callable[[Array], Array],
    b: Array,
    tolerance: float,
    max_iterations: int,
    precondition: Callable[[Array], Array] | None = None,
    *,
    axes: int = 2,
    strict: bool = True,
) -> Array:
    """Solve `normal(x)` = b from x = 0, for a Hermitian positive semi-definite operator.

    The last `axes` axes of b belong to one image, `(y, x)` or `(sets, y, x)`; every image of the
    batch has its own step sizes and stops by itself once |b - normal(x)| is at most `tolerance` |b|
    (Hestenes and Stiefel, 1952). `precondition`, also Hermitian and positive, approximates the
    inverse of `normal`: it changes the number of iterations, not the solution. Without it a
    singular system ends at its solution of least norm. Warns if an image has not converged after
    `max_iterations`, unless `strict` is false.
    """
    xp = namespace(b)
    inner = partial(_inner, axes=axes)
    x = xp.zeros_like(b)
    residual = xp.asarray(b, copy=True)
    direction = xp.asarray(b, copy=True) if precondition is None else precondition(b)
    power = inner(residual, residual)
    energy = inner(residual, direction)
    target = tolerance**2 * power
    for _ in range(max_iterations):
        active = power > target
        if not bool(xp.any(active)):
            return x
        image = normal(direction)
        step = xp.astype(_ratio(energy, inner(direction, image), active), b.dtype)
        x += step * direction
        residual -= step * image
        turned = residual if precondition is None else precondition(residual)
        new_energy = inner(residual, turned)
        direction *= xp.astype(_ratio(new_energy, energy, active), b.dtype)
        direction += turned
        energy = xp.where(active, new_energy, energy)
        power = xp.where(active, inner(residual, residual), power)
    if strict:
        _warn_if_missed(power, target, tolerance, max_iterations)
    return x


def _warn_if_missed(power: Array, target: Array, tolerance: float, iterations: int) -> None:
    xp = namespace(power)
    missed = power > target
    if bool(xp.any(missed)):
        count = int(xp.sum(xp.astype(missed, xp.int64)))
        relative = tolerance * float(xp.max(xp.sqrt(_ratio(power, target, missed))))
        warnings.warn(
            f"conjugate gradients: {count} of {math.prod(power.shape)} images have not converged "
            f"after {iterations} iterations (relative residual {relative:.1e}, wanted "
            f"{tolerance:.1e}); raise max_iterations, or regularise",
            RuntimeWarning,
            stacklevel=3,
        )


def _inner(a: Array, b: Array, axes: int) -> Array:
    """Return Re <a, b> over the last axes, which keep length 1."""
    xp = namespace(a)
    lead = a.shape[:-axes]
    product = xp.linalg.vecdot(xp.reshape(a, (*lead, -1)), xp.reshape(b, (*lead, -1)))
    return xp.reshape(xp.real(product), (*lead, *([1] * axes)))


def _ratio(numerator: Array, denominator: Array, active: Array) -> Array:
    """Return the quotient where an image is active, 0 where it has stopped."""
    xp = namespace(numerator)
    safe = xp.where(active & (denominator > 0), denominator, xp.ones_like(denominator))
    return xp.where(active, numerator / safe, xp.zeros_like(numerator))
