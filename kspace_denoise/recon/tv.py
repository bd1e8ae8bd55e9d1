"""Total-variation reconstruction: SENSE whose image is piecewise smooth."""

import math

from kspace_denoise.arrays import Array, namespace
from kspace_denoise.recon.fista import fista, next_momentum, settled
from kspace_denoise.recon.regularised import Misfit, check_strength, solve_slices

_DEFAULT_LAM = 1.0  # chosen on phantoms: docs/regularised.md
_INNER = 10  # dual steps per iteration; they start where the last iteration's ended
_BOUND = 8  # no eigenvalue of the gradient's DᴴD is above it


def tv(
    kspace: Array,
    maps: Array,
    mask: Array | None = None,
    noise_covariance: Array | None = None,
    *,
    lam: float | None = None,
    iterations: int = 50,
    tolerance: float = 1e-4,
) -> Array:
    """Reconstruct an image of small total variation, from k-space `(..., coils, ky, kx)`.

    Minimises ½ |W (y - E x)|² + λ Σ sqrt(|∂y u|² + |∂x u|²) over the sampled positions, with
    u = r x and E, W and r as in `sense`: u is the image in SNR units, so λ counts the sigma that a
    fully sampled image has per real component, whatever the unit of the data. The differences are
    complex, towards the next pixel, and 0 at the far edges (Block et al., Magn. Reson. Med.
    57:1086, 2007). The solver is FISTA, its inner problem that of Chambolle in the dual (Beck and
    Teboulle, IEEE Trans. Image Process. 18:2419, 2009). It ends once an iteration changes the
    image by less than `tolerance`.

    Args:
        kspace: k-space in any unit; values where the mask is 0 are ignored.
        maps: one set of coil maps `(..., coils, y, x)`; leading axes broadcast. Pixels where all
            maps are 0 get the image 0.
        mask: 1 where sampled, broadcastable to `(..., ky, kx)`; None means everywhere.
        noise_covariance: Psi[i, j] = E[n_i conj(n_j)] of the k-space, `(coils, coils)`. None takes
            the data as whitened already: Psi = 2 I.
        lam: λ. None takes 1.0 · sqrt(sampled share of k-space), see `l1_wavelet`.
        iterations: at most so many.
        tolerance: norm of an iteration's change over the norm of the image.

    Returns:
        The image `(..., y, x)` in the unit of `sense`; `noise_map` measures its noise.

    Raises:
        TypeError: if k-space or maps are not complex, or of different array kinds.
        ValueError: if shapes disagree, arrays hold NaN, the mask is empty or not 0 and 1, the
            covariance is not positive definite, or another argument is out of its range.
    """
    check_strength(lam, iterations, tolerance)

    def solve(misfit: Misfit) -> Array:
        strength = _DEFAULT_LAM * math.sqrt(misfit.share) if lam is None else lam
        dual = gradient(_planes(misfit.combined)) * 0

        def shrink(image: Array, iteration: int) -> Array:
            nonlocal dual
            del iteration
            dual = _dual_steps(_planes(image), dual, strength)
            real, imaginary = adjoint_gradient(dual)
            return image - namespace(image).complex(real, imaginary)

        return settled(fista(misfit, misfit.combined.shape, shrink, iterations), tolerance)

    return solve_slices(kspace, maps, mask, noise_covariance, solve)


def gradient(planes: Array) -> Array:
    """Return the differences `(2, ..., y, x)` towards the next pixel; 0 at the far edges."""
    field = planes.new_zeros((2, *planes.shape))
    field[0, ..., :-1, :] = planes[..., 1:, :] - planes[..., :-1, :]
    field[1, ..., :-1] = planes[..., 1:] - planes[..., :-1]
    return field


def adjoint_gradient(field: Array) -> Array:
    """Return the adjoint of `gradient`, minus the divergence."""
    along_y, along_x = field[0, ..., :-1, :], field[1, ..., :-1]
    planes = field.new_zeros(field.shape[1:])
    planes[..., 1:, :] += along_y
    planes[..., :-1, :] -= along_y
    planes[..., 1:] += along_x
    planes[..., :-1] -= along_x
    return planes


def _planes(image: Array) -> Array:
    """Return the real and the imaginary part, `(2, y, x)`: several times faster than complex."""
    return namespace(image).view_as_real(image).permute(2, 0, 1).contiguous()


def _dual_steps(planes: Array, dual: Array, lam: float) -> Array:
    """Improve the dual field of ½ |x - image|² + λ TV(x), whose x is image - Dᴴ dual."""
    point, momentum = dual, 1.0
    for _ in range(_INNER):
        new = _shortened(point + gradient(planes - adjoint_gradient(point)) / _BOUND, lam)
        following = next_momentum(momentum)
        point = new + (momentum - 1) / following * (new - dual)
        dual, momentum = new, following
    return dual


def _shortened(field: Array, longest: float) -> Array:
    """Shorten the vectors over the first two axes of a field to at most `longest`."""
    tiny = namespace(field).finfo(field.dtype).tiny
    squared = field.square().sum((0, 1)).clamp(min=max(longest**2, tiny))
    return field * (longest * squared.rsqrt())
