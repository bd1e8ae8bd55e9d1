"""Combination of coil images without coil maps."""

from kspace_denoise.arrays import Array, namespace
from kspace_denoise.recon.checks import check_kspace


def rss(coil_images: Array) -> Array:
    """Combine coil images `(..., coils, y, x)` to the root of their sum of squares `(..., y, x)`.

    The result is real, with a noise floor: at zero signal its square has the mean
    2 coils sigma^2 (Roemer et al., Magn. Reson. Med. 16:192, 1990). Its noise is non-central chi
    with 2 coils degrees of freedom, exactly where the images are whitened, and about so, with
    other numbers, where coils are correlated: `rss_noise` tells them.

    Raises:
        TypeError: if the images are not complex.
        ValueError: if an axis is missing or the images hold NaN.
    """
    check_kspace(coil_images, "coil_images")
    xp = namespace(coil_images)
    return xp.sqrt(xp.sum(xp.abs(coil_images) ** 2, axis=-3))
