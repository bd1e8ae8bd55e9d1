"""Gridding: coil images of a non-Cartesian scan without iterations."""

from kspace_denoise.arrays import Array, like, namespace
from kspace_denoise.nufft import Nufft
from kspace_denoise.nufft.trajectory import check_array
from kspace_denoise.recon.checks import check_kspace
from kspace_denoise.sim.trajectory_density import density_compensation


def gridding(
    kspace: Array,
    trajectory: Array,
    shape: tuple[int, int],
    weights: Array | None = None,
    *,
    backend: str = "auto",
) -> Array:
    """Return coil images `(..., coils, y, x)` of samples `(..., coils, readouts, samples)`.

    The adjoint transform of the samples times their density compensation (Jackson et al., IEEE
    Trans. Med. Imaging 10:473, 1991): the object, as far as the trajectory covers its k-space. Of
    `fourier.fft2c` of it `espirit` makes coil maps, and `cg_sense` the better image. Noise is no
    longer white: its power in k-space is that of the weights.

    Args:
        kspace: samples in any unit.
        trajectory: `(readouts, samples, 2)` in cycles per field of view, (ky, kx) last.
        shape: of the images, (ny, nx).
        weights: `(readouts, samples)`, of `sim.density_compensation`, which None computes.
        backend: `auto`, `finufft` or `torchkbnufft`.

    Raises:
        TypeError: if the k-space is not complex, the trajectory is not real, or one is no array.
        ValueError: if shapes disagree, the trajectory is in another unit, or arrays hold NaN.
        ModuleNotFoundError: if the library of the transform is not installed.
    """
    check_samples(kspace, trajectory)
    transform = Nufft(trajectory, shape, backend)
    if weights is None:
        weights = density_compensation(trajectory, shape)
    check_array(weights, "weights", "(readouts, samples)")
    if tuple(weights.shape) != tuple(trajectory.shape[:2]):
        raise ValueError(
            f"weights of shape {tuple(weights.shape)} do not fit the trajectory of shape "
            f"{tuple(trajectory.shape)}: expected (readouts, samples)"
        )
    return transform.adjoint(kspace * like(weights, kspace, kspace.dtype))


def check_samples(kspace: Array, trajectory: Array) -> None:
    """Check that k-space `(..., coils, readouts, samples)` was sampled along the trajectory.

    Raises:
        TypeError: if it is not complex, or one of them is no array.
        ValueError: if the shapes disagree, or it holds NaN.
    """
    check_array(kspace, "kspace", "(..., coils, readouts, samples)")
    check_array(trajectory, "trajectory", "(readouts, samples, 2)")
    check_kspace(kspace)
    if tuple(kspace.shape[-2:]) != tuple(trajectory.shape[:2]):
        raise ValueError(
            f"k-space of shape {tuple(kspace.shape)} does not fit the trajectory of shape "
            f"{tuple(trajectory.shape)}: expected (..., coils, readouts, samples) and "
            "(readouts, samples, 2)"
        )


def check_maps_of_samples(kspace: Array, maps: Array) -> None:
    """Check that maps have the coils of the k-space, and leading axes that broadcast to its own.

    Raises:
        TypeError: if they are not complex, or of another array kind.
        ValueError: if they do not fit, or hold NaN.
    """
    check_array(maps, "maps", "(..., coils, y, x)")
    namespace(kspace, maps)
    check_kspace(maps, "maps")
    lead, own = kspace.shape[:-3], maps.shape[:-3]
    extra = len(lead) - len(own)
    fits = extra >= 0 and all(m in (1, k) for m, k in zip(own, lead[extra:], strict=True))
    if not fits or kspace.shape[-3] != maps.shape[-3]:
        raise ValueError(
            f"maps of shape {tuple(maps.shape)} do not fit k-space of shape {tuple(kspace.shape)}: "
            "maps are (..., coils, y, x), k-space is (..., coils, readouts, samples), leading axes "
            "broadcast"
        )
