"""CG-SENSE: the least-squares image of multi-coil samples on any trajectory."""

from array_api_compat import is_torch_array

from kspace_denoise.arrays import Array, like, namespace, real_dtype, to_torch
from kspace_denoise.random import Seed
from kspace_denoise.recon.checks import check_iterative
from kspace_denoise.recon.conjugate_gradient import conjugate_gradient
from kspace_denoise.recon.gridding import check_maps_of_samples, check_samples
from kspace_denoise.recon.noise import combine_coils, whitening_matrix
from kspace_denoise.recon.nufft_operator import NufftOperator
from kspace_denoise.recon.nufft_preconditioner import trajectory_preconditioner
from kspace_denoise.recon.replicas import noise_map
from kspace_denoise.recon.sense_operator import over_strength, unit_maps
from kspace_denoise.recon.sense_solver import Reconstruction


def cg_sense(
    kspace: Array,
    maps: Array,
    trajectory: Array,
    *,
    noise_covariance: Array | None = None,
    regularisation: float = 0.0,
    tolerance: float = 1e-4,
    max_iterations: int = 100,
    replicas: int = 0,
    seed: Seed = 0,
    backend: str = "auto",
) -> Reconstruction:
    """Reconstruct an image from samples `(..., coils, readouts, samples)` and coil maps.

    Minimises |W (y - E x)|² + λ |r x|² as `sense` does, where E is `NufftOperator`, W whitens and r
    is the norm of the whitened maps: λ has no unit (Pruessmann et al., Magn. Reson. Med. 46:638,
    2001). Conjugate gradients run on the Toeplitz form of EᴴE, preconditioned with the density of
    the samples; no density compensation enters, so no SNR is lost to it.

    Trajectories that leave parts of k-space empty, as spokes do with its corners, make the problem
    ill-posed: without λ the noise grows with the iterations, which `tolerance` then limits. λ = 0.1
    is right for most of them (docs/trajectories.md).

    Gradients are not carried through the iterations: unroll them with `NufftOperator`, which does.

    Args:
        kspace: samples in any unit.
        maps: coil maps `(..., coils, y, x)` of the same (unwhitened) coils; leading axes
            broadcast. Pixels where all maps are 0 get the image 0 and sigma 0.
        trajectory: `(readouts, samples, 2)` in cycles per field of view, (ky, kx) last.
        noise_covariance: Psi[i, j] = E[n_i conj(n_j)] of the samples, `(coils, coils)`. None takes
            the data as whitened already: Psi = 2 I.
        regularisation: λ, 0 for plain SENSE.
        tolerance: relative residual of the normal equations at which an image has converged.
        max_iterations: of conjugate gradients; a warning tells if they do not suffice.
        replicas: number of pseudo-replicas that measure sigma, 0 for none.
        seed: of the pseudo-replicas.
        backend: of the transforms: `auto`, `finufft` or `torchkbnufft`.

    Warns:
        RuntimeWarning: if an image has not converged.

    Returns:
        The image `(..., y, x)` in the unit of the data over that of the maps, and its sigma per
        real component, None without replicas.

    Raises:
        TypeError: if k-space or maps are not complex, or of different array kinds.
        ValueError: if shapes disagree, arrays hold NaN or require gradients, the trajectory is in
            another unit, the covariance is not positive definite, or an option is out of its range.
        ModuleNotFoundError: if the library of the transform is not installed.
    """
    check_samples(kspace, trajectory)
    check_maps_of_samples(kspace, maps)
    check_iterative(replicas, regularisation, tolerance)
    if max_iterations < 1:
        raise ValueError(f"max_iterations is {max_iterations}, expected at least 1")
    _check_gradients(
        kspace=kspace, maps=maps, trajectory=trajectory, noise_covariance=noise_covariance
    )
    given = kspace
    kspace, maps = to_torch(kspace), to_torch(maps)
    maps = namespace(maps).astype(maps, kspace.dtype, copy=False)
    if noise_covariance is not None:
        matrix = to_torch(whitening_matrix(like(noise_covariance, given)))
        kspace, maps = combine_coils(matrix, kspace), combine_coils(matrix, maps)
    unit, strength = unit_maps(maps)
    operator = NufftOperator(unit, trajectory, backend)
    precondition = trajectory_preconditioner(operator, regularisation)

    def normal(x: Array) -> Array:
        return operator.normal(x) + regularisation * x if regularisation else operator.normal(x)

    def solve(whitened: Array) -> Array:
        combined = operator.adjoint(whitened)
        return conjugate_gradient(normal, combined, tolerance, max_iterations, precondition)

    image = over_strength(solve(kspace), strength)
    if not replicas:
        return Reconstruction(like(image, given), None)
    white = 2 * namespace(kspace).eye(kspace.shape[-3], dtype=kspace.dtype, device=kspace.device)
    sigma = over_strength(noise_map(solve, kspace, white, replicas, seed=seed), strength)
    return Reconstruction(like(image, given), like(sigma, given, real_dtype(given)))


def _check_gradients(**arrays: Array | None) -> None:
    """Refuse tensors that require gradients, which the iterations in place would not carry."""
    for name, x in arrays.items():
        if is_torch_array(x) and x.requires_grad and _gradients_are_on():
            raise ValueError(
                f"{name} requires gradients, which cg_sense does not carry: give {name}.detach(), "
                "or unroll the iterations with recon.NufftOperator, which carries them"
            )


def _gradients_are_on() -> bool:
    import torch

    return torch.is_grad_enabled()
