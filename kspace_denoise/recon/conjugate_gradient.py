"""Conjugate gradients for a batch of independent images."""

import math
import warnings
from collections.abc import Callable

from kspace_denoise.arrays import Array, namespace


def conjugate_gradient(
    normal: Callable[[Array], Array], b: Array, tolerance: float, max_iterations: int
) -> Array:
    """Solve `normal(x)` = b from x = 0, for a Hermitian positive semi-definite operator.

    `b` is `(..., y, x)`; every image of the batch has its own step sizes and stops by itself once
    its residual is below `tolerance` times the norm of its b (Hestenes and Stiefel, 1952).
    Starting at zero, a singular system ends at its solution of least norm. Warns if an image has
    not converged after `max_iterations`.
    """
    xp = namespace(b)
    x = xp.zeros_like(b)
    residual, direction = b, b
    power = _inner(residual, residual)
    target = tolerance**2 * power
    for _ in range(max_iterations):
        active = power > target
        if not bool(xp.any(active)):
            return x
        image = normal(direction)
        step = _ratio(power, _inner(direction, image), active)
        x = x + xp.astype(step, b.dtype) * direction
        residual = residual - xp.astype(step, b.dtype) * image
        new_power = _inner(residual, residual)
        direction = residual + xp.astype(_ratio(new_power, power, active), b.dtype) * direction
        power = xp.where(active, new_power, power)
    missed = xp.where(power > target, power, xp.zeros_like(power))
    if bool(xp.any(missed > 0)):
        count = int(xp.sum(xp.astype(missed > 0, xp.int64)))
        relative = tolerance * float(xp.max(xp.sqrt(_ratio(missed, target, missed > 0))))
        warnings.warn(
            f"conjugate gradients: {count} of {math.prod(power.shape)} images have not converged "
            f"after {max_iterations} iterations (relative residual {relative:.1e}, wanted "
            f"{tolerance:.1e}); raise max_iterations, or regularise",
            RuntimeWarning,
            stacklevel=2,
        )
    return x


def _inner(a: Array, b: Array) -> Array:
    """Return Re <a, b> of each image, `(..., 1, 1)`, summed in double precision."""
    xp = namespace(a)
    product = xp.real(a) * xp.real(b) + xp.imag(a) * xp.imag(b)
    return xp.sum(product, axis=(-2, -1), keepdims=True, dtype=xp.float64)


def _ratio(numerator: Array, denominator: Array, active: Array) -> Array:
    """Return the quotient where an image is active, 0 where it has stopped."""
    xp = namespace(numerator)
    safe = xp.where(active & (denominator > 0), denominator, xp.ones_like(denominator))
    return xp.where(active, numerator / safe, xp.zeros_like(numerator))
