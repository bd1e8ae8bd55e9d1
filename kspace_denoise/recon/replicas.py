"""The noise map of any reconstruction, by pseudo-replicas."""

from collections.abc import Callable

import array_api_compat
import numpy as np

from kspace_denoise.arrays import Array, is_complex, namespace, real_dtype
from kspace_denoise.random import Seed, numpy_generator
from kspace_denoise.recon.checks import check_kspace
from kspace_denoise.recon.coloured_noise import zero_filled
from kspace_denoise.recon.sense_operator import sampling_mask
from kspace_denoise.sim.noise import add_noise


def noise_map(
    reconstruct: Callable[[Array], Array],
    kspace: Array,
    psi: Array,
    replicas: int,
    *,
    mask: Array | None = None,
    noise_profile: Array | None = None,
    noise_spectrum: Array | None = None,
    seed: Seed = 0,
) -> Array:
    """Measure the noise that any reconstruction leaves in its image, pixel by pixel.

    The reconstruction is repeated on `kspace` plus new noise of the same kind, and the spread of
    its images is taken (Robson et al., Magn. Reson. Med. 60:895, 2008). For a linear
    reconstruction that is its noise; for a non-linear one it is the noise it leaves around this
    object, which holds one dose of noise already. The relative standard error of a pixel is
    1 / sqrt(4 (K - 1)) for a complex image of K replicas and 1 / sqrt(2 (K - 1)) for a real one.
    Memory does not grow with K.

    Args:
        reconstruct: takes k-space of the shape and kind of `kspace`, returns an image of any
            shape, always the same.
        kspace: `(..., coils, ky, kx)`.
        psi: noise covariance of the k-space, `(coils, coils)`, Psi[i, j] = E[n_i conj(n_j)].
        replicas: K, at least 2.
        mask: 1 where sampled, broadcastable to `(..., ky, kx)`. Positions outside it get no
            noise, nor do those where all coils are exactly 0: they are zero-filled.
        noise_profile: of noise that is not flat over the image, as in `sim.noise_like`.
        noise_spectrum: of noise that is not flat over k-space.
        seed: integer or generator.

    Returns:
        Real, of the kind, precision and shape of the image. Of a complex image, sigma per real
        component, sqrt(Σ|x - mean|² / (2 (K - 1))). Of a real image (a magnitude), its standard
        deviation, sqrt(Σ(x - mean)² / (K - 1)): sigma where the signal is strong, less below.

    Raises:
        TypeError: if the k-space is not complex, or `reconstruct` returns no array.
        ValueError: if there are fewer than 2 replicas, if covariance, mask, profile or spectrum do
            not fit the k-space, or the images differ in shape or kind.
    """
    if replicas < 2:
        raise ValueError(f"replicas is {replicas}, expected at least 2: their spread is the noise")
    check_kspace(kspace)
    acquired = _acquired(kspace, mask)
    generator = numpy_generator(seed) if isinstance(seed, (int, np.integer)) else seed
    mean: Array = None
    power: Array = None
    for count in range(1, replicas + 1):
        noisy = add_noise(
            kspace,
            psi,
            generator,
            acquired,
            noise_profile=noise_profile,
            noise_spectrum=noise_spectrum,
        )
        image = _checked(reconstruct(noisy), mean)
        xp = namespace(image)
        double = xp.astype(image, xp.complex128 if is_complex(image) else xp.float64)
        if mean is None:
            mean, power = double, xp.zeros_like(xp.abs(double))
            continue
        # Welford, Technometrics 4:419, 1962: mean and spread without keeping the images.
        change = double - mean
        mean = mean + change / count
        power = power + xp.abs(change) ** 2 * ((count - 1) / count)
    components = 2 if is_complex(image) else 1
    return xp.astype(xp.sqrt(power / (components * (replicas - 1))), real_dtype(image))


def _acquired(kspace: Array, mask: Array | None) -> Array | None:
    """Return 1 where k-space holds noise, broadcastable to `(..., ky, kx)`; None: everywhere."""
    xp = namespace(kspace)
    sampled = sampling_mask(mask, kspace)
    empty = zero_filled(kspace, sampled)
    if empty is None:
        return sampled
    acquired = xp.astype(~empty, xp.float32)
    return acquired if sampled is None else acquired * sampled


def _checked(image: Array, mean: Array | None) -> Array:
    """Return the image of a replica if it is an array like those before it."""
    if not array_api_compat.is_array_api_obj(image):
        raise TypeError(
            f"reconstruct returned {type(image).__name__}, expected the image as an array; wrap a "
            "function that returns more, as in lambda k: recon.sense(k, maps).image"
        )
    xp = namespace(image)
    if not xp.isdtype(image.dtype, ("real floating", "complex floating")):
        raise TypeError(f"reconstruct returned {image.dtype}, expected floating or complex images")
    if mean is not None and (image.shape != mean.shape or is_complex(image) != is_complex(mean)):
        raise ValueError(
            f"reconstruct returned {image.dtype} of shape {tuple(image.shape)} for one replica and "
            f"{mean.dtype} of shape {tuple(mean.shape)} for another; expected one kind of image"
        )
    return image
