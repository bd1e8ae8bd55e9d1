"""How much more noise an accelerated SENSE image has than a fully sampled one."""

from kspace_denoise.arrays import Array, like, namespace, real_dtype, to_torch
from kspace_denoise.recon.aliasing import unfold
from kspace_denoise.recon.checks import check_kspace
from kspace_denoise.recon.noise import combine_coils, whitening_matrix
from kspace_denoise.recon.sense_operator import (
    SenseOperator,
    sampling_mask,
    unit_maps,
    varying_axes,
)


def g_factor(maps: Array, mask: Array, noise_covariance: Array | None = None) -> Array:
    """Return the g-factor `(..., y, x)` of coil maps `(..., coils, y, x)` and a mask.

    The sigma of the accelerated image over that of the fully sampled one, less the factor
    sqrt(R) that fewer samples cost anyway (Pruessmann et al., Magn. Reson. Med. 42:952, 1999,
    equation 23). At least 1 where the coils separate the aliased pixels; where they cannot, a
    warning says so and the image, which is folded still, has less noise than that. 0 where all maps
    are 0. `mask` broadcasts to `(..., ky, kx)`; without `noise_covariance` `(coils, coils)` the
    maps are those of whitened coils.

    Raises:
        ValueError: if shapes disagree or the mask is not constant along one axis.
    """
    xp = namespace(maps)
    check_kspace(maps, "maps")
    if noise_covariance is not None:
        maps = combine_coils(whitening_matrix(like(noise_covariance, maps)), maps)
    unit, norm = unit_maps(maps)
    sampled = sampling_mask(mask, maps)
    if sampled is None:
        return xp.astype(norm > 0, norm.dtype)
    if len(varying_axes(sampled)) > 1:
        raise ValueError(
            f"mask of shape {tuple(mask.shape)} is not constant along an axis, so the g-factor has "
            "no closed form; measure sigma with recon.noise_map"
        )
    operator = SenseOperator(to_torch(xp.expand_dims(unit, axis=-4)), to_torch(sampled), soft=True)
    none = to_torch(xp.expand_dims(xp.zeros_like(unit[..., 0, :, :]), axis=-3))
    _, variance = unfold(operator, none)
    sigma = like(variance[..., 0, :, :] ** 0.5, maps, real_dtype(maps))
    axes = (-2, -1) if sampled.ndim > 1 else -1
    return sigma * xp.sqrt(xp.mean(sampled, axis=axes, keepdims=True))
