"""SENSE: the least-squares image of multi-coil k-space, with its noise map."""

from collections.abc import Callable
from typing import NamedTuple

from kspace_denoise.arrays import Array, like, namespace, real_dtype, to_torch
from kspace_denoise.random import Seed
from kspace_denoise.recon.aliasing import unfold
from kspace_denoise.recon.checks import check_iterative, check_kspace
from kspace_denoise.recon.coloured_noise import (
    is_constant,
    noise_power,
    zero_filled,
)
from kspace_denoise.recon.conjugate_gradient import conjugate_gradient
from kspace_denoise.recon.noise import combine_coils, whitening_matrix
from kspace_denoise.recon.preconditioner import density_preconditioner
from kspace_denoise.recon.replicas import noise_map
from kspace_denoise.recon.sense_operator import (
    SenseOperator,
    check_maps,
    over_strength,
    sampling_mask,
    unit_maps,
    varying_axes,
)
from kspace_denoise.sim.noise import relative_noise


class Reconstruction(NamedTuple):
    """A complex image and the sigma of its noise per real component, both `(..., y, x)`.

    With several sets of coil maps both are `(..., sets, y, x)`. `sigma` is None where it is not
    known.
    """

    image: Array
    sigma: Array | None


class _Noise(NamedTuple):
    """What is not flat in the noise: its profile over the image, its spectrum over k-space."""

    profile: Array | None = None
    spectrum: Array | None = None


def sense(
    kspace: Array,
    maps: Array,
    mask: Array | None = None,
    noise_covariance: Array | None = None,
    replicas: int = 0,
    *,
    noise_profile: Array | None = None,
    noise_spectrum: Array | None = None,
    sets: int = 1,
    regularisation: float = 0.0,
    tolerance: float = 4e-6,
    max_iterations: int = 300,
    seed: Seed = 0,
) -> Reconstruction:
    """Reconstruct an image from k-space `(..., coils, ky, kx)` and coil maps.

    Minimises |W (y - E x)|² + λ |r x|² over the sampled positions, where E is mask · Fourier
    transform · maps, W whitens, and r = sqrt(Σ|W S|²) over the coils is the inverse of the
    sigma that a fully sampled image has (Pruessmann et al., Magn. Reson. Med. 42:952, 1999, and
    46:638, 2001). So λ has no unit, and scaling the data scales the image and nothing else.

    Full sampling, and masks constant along one axis, are solved exactly, with their noise (where
    coils cannot separate the aliased pixels at all, with λ of at least 1e-6 and a warning). Other
    masks take preconditioned conjugate gradients from zero, which stop once the residual of the
    normal equations, in whitened data and maps of unit norm, is at most `tolerance` times their
    right-hand side; the image is then off by at most that times their condition number, which for
    one set of maps is at most (1 + λ) / λ. The magnitude of the image is Rician with `sigma`.

    Args:
        kspace: k-space in any unit; values where the mask is 0 are ignored. Sampled positions
            that are exactly 0 in all coils are taken as zero-filled: data without noise.
        maps: coil maps `(..., coils, y, x)` of the same (unwhitened) coils; leading axes
            broadcast. Pixels where all maps are 0 get the image 0 and sigma 0.
        mask: 1 where sampled, broadcastable to `(..., ky, kx)`; None means everywhere.
        noise_covariance: Psi[i, j] = E[n_i conj(n_j)] of the k-space, `(coils, coils)`. None takes
            the data as whitened already: Psi = 2 I.
        replicas: number of pseudo-replicas that measure sigma where it has no closed form.
        noise_profile: standard deviation of the noise over the image, relative to the covariance,
            broadcastable to `(y, x)`: what a receiver filter leaves.
        noise_spectrum: power of the noise over k-space, relative to the covariance,
            broadcastable to `(ky, kx)`. Neither changes the image, which stays unweighted.
        sets: number of sets of maps; above 1 the maps are `(..., sets, coils, y, x)`, and the
            coil images are sums over the sets (soft-SENSE; Uecker et al., Magn. Reson. Med.
            71:990, 2014).
        regularisation: λ, 0 for plain SENSE.
        tolerance: relative residual of the normal equations at which an image has converged.
        max_iterations: of conjugate gradients; a warning tells if they do not suffice.
        seed: of the pseudo-replicas.

    Warns:
        RuntimeWarning: if aliased pixels cannot be separated, or an image has not converged.

    Returns:
        The image in the unit of the data over the unit of the maps, and its sigma per real
        component: exact for full sampling and for masks constant along one axis (with a
        `noise_profile` that is constant along the other), else None, or measured with `replicas`.

    Raises:
        TypeError: if k-space or maps are not complex, or of different array kinds.
        ValueError: if shapes disagree, arrays hold NaN, the mask is empty or not 0 and 1, profile
            or spectrum are negative, or the covariance is not positive definite.
    """
    namespace(kspace, maps)
    check_kspace(kspace)
    check_kspace(maps, "maps")
    check_maps(kspace, maps, sets)
    check_iterative(replicas, regularisation, tolerance)
    given, mask = kspace, sampling_mask(mask, kspace)
    kspace, maps = to_torch(kspace), to_torch(maps)
    mask = None if mask is None else to_torch(mask)
    noise = _Noise(
        relative_noise(noise_profile, "noise_profile", kspace),
        relative_noise(noise_spectrum, "noise_spectrum", kspace),
    )
    maps = namespace(maps).astype(maps, kspace.dtype, copy=False)
    if noise_covariance is not None:
        matrix = to_torch(whitening_matrix(like(noise_covariance, given)))
        kspace, maps = combine_coils(matrix, kspace), combine_coils(matrix, maps)
    unit, strength = unit_maps(maps if sets > 1 else maps[..., None, :, :, :])
    operator = SenseOperator(unit, mask, soft=True)

    def solve(whitened: Array) -> Array:
        return _least_squares(operator, whitened, regularisation, tolerance, max_iterations)

    if mask is None or len(varying_axes(mask)) == 1:
        image, sigma = _exact(operator, kspace, noise, regularisation)
    else:
        image, sigma = solve(kspace), None
    if sigma is None and replicas:
        sigma = _measured(solve, kspace, mask, noise, replicas, seed)
    return _in_units(image, sigma, strength, given, sets)


def _exact(
    operator: SenseOperator, kspace: Array, noise: _Noise, regularisation: float
) -> tuple[Array, Array | None]:
    """Return the image of whitened k-space and its sigma, None where that has no closed form."""
    xp = namespace(kspace)
    axes = () if operator.mask is None else varying_axes(operator.mask)
    known = noise.profile is None or all(is_constant(noise.profile, axis) for axis in axes)
    power = _power(noise, operator.mask, kspace) if known else None
    # Noise that differs along the sampled axes only scales sigma.
    scales = power is not None and all(is_constant(power, axis) for axis in axes)
    if not axes and operator.maps.shape[-4] == 1:
        image = operator.adjoint(kspace) / (1 + regularisation)
        seen = xp.any(operator.maps != 0, axis=-3)
        sigma = xp.astype(seen, real_dtype(kspace)) / (1 + regularisation)
    else:
        double = SenseOperator(xp.astype(operator.maps, xp.complex128), operator.mask, soft=True)
        combined = double.adjoint(xp.astype(kspace, xp.complex128))
        image, variance = unfold(double, combined, regularisation, None if scales else power)
        image, sigma = xp.astype(image, kspace.dtype), variance**0.5
    if not known:
        return image, None
    if scales and power is not None:
        sigma = sigma * (power**0.5)[..., None, :, :]
    return image, sigma


def _power(noise: _Noise, mask: Array | None, kspace: Array) -> Array | None:
    """Return the noise power, transformed back along the axes where the mask is constant."""
    spectrum, empty = noise.spectrum, zero_filled(kspace, mask)
    if empty is not None:
        acquired = namespace(kspace).astype(~empty, namespace(kspace).float64)
        spectrum = acquired if spectrum is None else spectrum * acquired
    varying = () if mask is None else varying_axes(mask)
    axes = tuple(axis for axis in (-2, -1) if axis not in varying)
    return noise_power(noise.profile, spectrum, axes, (kspace.shape[-2], kspace.shape[-1]))


def _least_squares(
    operator: SenseOperator,
    kspace: Array,
    regularisation: float,
    tolerance: float,
    max_iterations: int,
) -> Array:
    """Solve (EᴴE + λ) x = Eᴴ y, for maps of unit norm over the coils."""
    if operator.mask is None or len(varying_axes(operator.mask)) == 1:
        return _exact(operator, kspace, _Noise(), regularisation)[0]

    def normal(x: Array) -> Array:
        return operator.normal(x) + regularisation * x if regularisation else operator.normal(x)

    return conjugate_gradient(
        normal,
        operator.adjoint(kspace),
        tolerance,
        max_iterations,
        density_preconditioner(operator, regularisation),
        axes=3,
    )


def _measured(
    solve: Callable[[Array], Array],
    kspace: Array,
    mask: Array | None,
    noise: _Noise,
    replicas: int,
    seed: Seed,
) -> Array:
    """Return the sigma that pseudo-replicas of whitened k-space show."""
    xp = namespace(kspace)
    white = 2 * xp.eye(kspace.shape[-3], dtype=kspace.dtype)
    return noise_map(
        solve,
        kspace,
        white,
        replicas,
        mask=mask,
        noise_profile=noise.profile,
        noise_spectrum=noise.spectrum,
        seed=seed,
    )


def _in_units(
    image: Array, sigma: Array | None, strength: Array, given: Array, sets: int
) -> Reconstruction:
    """Return image and sigma, `(..., sets, y, x)` in SNR units, in those of the k-space `given`."""
    image = over_strength(image, strength)
    if sigma is not None:
        # Maps may be shared by slices that each get a sigma of their own.
        sigma = over_strength(sigma, strength) + namespace(image).zeros_like(image.real)
        sigma = like(sigma if sets > 1 else sigma[..., 0, :, :], given, real_dtype(given))
    return Reconstruction(like(image if sets > 1 else image[..., 0, :, :], given), sigma)
