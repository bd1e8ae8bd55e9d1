"""SENSE: the least-squares image of multi-coil k-space, with its noise map."""

from typing import NamedTuple

from kspace_denoise.arrays import Array, like, namespace
from kspace_denoise.random import Seed
from kspace_denoise.recon.checks import check_kspace
from kspace_denoise.recon.conjugate_gradient import conjugate_gradient
from kspace_denoise.recon.noise import combine_coils, whitening_matrix
from kspace_denoise.recon.noise_map import noise_amplification, pseudo_replica_sigma
from kspace_denoise.recon.sense_operator import SenseOperator, sampling_mask, unit_maps


class Reconstruction(NamedTuple):
    """A complex image and the sigma of its noise per real component, both `(..., y, x)`.

    `sigma` is None where it is not known.
    """

    image: Array
    sigma: Array | None


def sense(
    kspace: Array,
    maps: Array,
    mask: Array | None = None,
    noise_covariance: Array | None = None,
    replicas: int = 0,
    *,
    regularisation: float = 0.0,
    tolerance: float = 1e-6,
    max_iterations: int = 300,
    seed: Seed = 0,
) -> Reconstruction:
    """Reconstruct an image from k-space `(..., coils, ky, kx)` and coil maps.

    Minimises |W (y - E x)|² + λ |r x|² over the sampled positions, where E is mask · Fourier
    transform · maps, W whitens, and r = sqrt(Σ|W S|²) over the coils is the inverse of the
    sigma that a fully sampled image has (Pruessmann et al., Magn. Reson. Med. 42:952, 1999, and
    46:638, 2001). So λ has no unit, and scaling the data scales the image and nothing else.
    Fully sampled data are combined in closed form, others by conjugate gradients.

    Args:
        kspace: k-space in any unit; values where the mask is 0 are ignored.
        maps: coil maps `(..., coils, y, x)` of the same (unwhitened) coils; leading axes
            broadcast. Pixels where all maps are 0 get the image 0 and sigma 0.
        mask: 1 where sampled, broadcastable to `(..., ky, kx)`; None means everywhere.
        noise_covariance: Psi[i, j] = E[n_i conj(n_j)] of the k-space, `(coils, coils)`. None takes
            the data as whitened already: Psi = 2 I.
        replicas: number of pseudo-replicas that measure sigma where it has no closed form.
        regularisation: λ, 0 for plain SENSE.
        tolerance: relative residual of the normal equations at which an image has converged.
        max_iterations: of conjugate gradients; a warning tells if they do not suffice.
        seed: of the pseudo-replicas.

    Returns:
        The image in the unit of the data over the unit of the maps, and its sigma per real
        component: exact for full sampling and for masks constant along one axis, else None, or
        measured with `replicas`.

    Raises:
        TypeError: if k-space or maps are not complex, or of different array kinds.
        ValueError: if shapes disagree, arrays hold NaN, the mask is empty or not 0 and 1, or the
            covariance is not positive definite.
    """
    xp = namespace(kspace, maps)
    check_kspace(kspace)
    check_kspace(maps, "maps")
    _check_shapes(kspace, maps)
    _check_options(replicas, regularisation, tolerance)
    mask = sampling_mask(mask, kspace)
    maps = xp.astype(maps, kspace.dtype, copy=False)
    if noise_covariance is not None:
        matrix = whitening_matrix(like(noise_covariance, kspace))
        kspace, maps = combine_coils(matrix, kspace), combine_coils(matrix, maps)
    unit, strength = unit_maps(maps)
    operator = SenseOperator(unit, mask)

    def reconstruct(whitened: Array) -> Array:
        return _least_squares(operator, whitened, regularisation, tolerance, max_iterations)

    image = _over(reconstruct(kspace), strength)
    sigma: Array | None
    if mask is None:
        sigma = xp.ones_like(strength) / (1 + regularisation)
    else:
        sigma = noise_amplification(unit, mask, regularisation)
        if sigma is None and replicas:
            sigma = pseudo_replica_sigma(reconstruct, kspace, replicas, seed)
    if sigma is not None:
        # Maps may be shared by slices that each get a sigma of their own.
        sigma = _over(sigma, strength) + xp.zeros_like(xp.real(image))
    return Reconstruction(image, sigma)


def _least_squares(
    operator: SenseOperator,
    kspace: Array,
    regularisation: float,
    tolerance: float,
    max_iterations: int,
) -> Array:
    """Solve (EᴴE + λ) x = Eᴴ y for maps of unit norm over the coils."""
    combined = operator.adjoint(kspace)
    if operator.mask is None:
        return combined / (1 + regularisation)
    return conjugate_gradient(
        lambda x: operator.normal(x) + regularisation * x, combined, tolerance, max_iterations
    )


def _over(image: Array, strength: Array) -> Array:
    """Divide by the strength of the maps; 0 where there is none."""
    xp = namespace(image)
    inverse = xp.where(strength > 0, 1 / xp.where(strength > 0, strength, 1.0), 0.0)
    return image * xp.astype(inverse, image.dtype)


def _check_shapes(kspace: Array, maps: Array) -> None:
    """Check that maps broadcast to the k-space and have its coils and matrix."""
    lead = kspace.shape[:-3]
    extra = len(lead) - len(maps.shape[:-3])
    fits = extra >= 0 and all(
        m in (1, k) for m, k in zip(maps.shape[:-3], lead[extra:], strict=True)
    )
    if not fits or tuple(kspace.shape[-3:]) != tuple(maps.shape[-3:]):
        raise ValueError(
            f"maps of shape {tuple(maps.shape)} do not fit k-space of shape "
            f"{tuple(kspace.shape)}: both are (..., coils, y, x), leading axes broadcast"
        )


def _check_options(replicas: int, regularisation: float, tolerance: float) -> None:
    """Check the ranges of the numerical options."""
    if replicas < 0 or regularisation < 0 or not 0 < tolerance < 1:
        raise ValueError(
            f"replicas={replicas}, regularisation={regularisation}, tolerance={tolerance}: expected"
            " replicas and regularisation of at least 0 and a tolerance between 0 and 1"
        )
