"""The encoding of parallel imaging, E = mask · Fourier transform · coil maps, and its adjoint."""

from dataclasses import dataclass

from kspace_denoise.arrays import Array, like, namespace, real_dtype
from kspace_denoise.fourier import fft2c, ifft2c


@dataclass(frozen=True)
class SenseOperator:
    """E takes an image `(..., y, x)` to k-space `(..., coils, ky, kx)`.

    `maps` is `(..., coils, y, x)`; `mask` holds 0 and 1, is broadcastable to `(..., ky, kx)`, and
    None means fully sampled. Leading axes broadcast, so one set of maps serves many repetitions.
    """

    maps: Array
    mask: Array | None = None

    def forward(self, image: Array) -> Array:
        """Return E x."""
        xp = namespace(image)
        return self._sampled(fft2c(self.maps * xp.expand_dims(image, axis=-3)))

    def adjoint(self, kspace: Array) -> Array:
        """Return Eᴴ y: the coil images of the sampled k-space, weighted with the conjugate maps."""
        xp = namespace(kspace)
        return xp.sum(xp.conj(self.maps) * ifft2c(self._sampled(kspace)), axis=-3)

    def normal(self, image: Array) -> Array:
        """Return Eᴴ E x; along an axis where the mask has length 1 nothing needs a transform."""
        xp = namespace(image)
        coil_images = self.maps * xp.expand_dims(image, axis=-3)
        if self.mask is not None:
            shape = (1, *self.mask.shape)[-2:]
            axes = tuple(axis for axis in (-2, -1) if shape[axis] > 1)
            coil_images = ifft2c(self._sampled(fft2c(coil_images, axes=axes)), axes=axes)
        return xp.sum(xp.conj(self.maps) * coil_images, axis=-3)

    def _sampled(self, kspace: Array) -> Array:
        if self.mask is None:
            return kspace
        mask = self.mask
        return kspace * (namespace(mask).expand_dims(mask, axis=-3) if mask.ndim > 2 else mask)


def unit_maps(maps: Array) -> tuple[Array, Array]:
    """Return maps of unit norm over the coils, and that norm `(..., y, x)`; zero maps stay zero."""
    xp = namespace(maps)
    norm = xp.sqrt(xp.sum(xp.abs(maps) ** 2, axis=-3))
    divisor = xp.where(norm > 0, norm, xp.ones_like(norm))
    return maps / xp.expand_dims(xp.astype(divisor, maps.dtype), axis=-3), norm


def sampling_mask(mask: Array | None, kspace: Array) -> Array | None:
    """Check a mask against k-space `(..., coils, ky, kx)`; None where every sample is acquired.

    Returns 0 and 1 in the real precision of the k-space; an axis along which the mask is constant
    has length 1.

    Raises:
        ValueError: if the mask does not broadcast to `(..., ky, kx)`, holds values beside 0 and 1,
            or leaves a slice without samples.
    """
    if mask is None:
        return None
    xp = namespace(kspace)
    mask = like(mask, kspace, real_dtype(kspace))
    target = (*kspace.shape[:-3], *kspace.shape[-2:])
    trailing = target[len(target) - mask.ndim :] if 0 < mask.ndim <= len(target) else None
    if trailing is None or any(m not in (1, t) for m, t in zip(mask.shape, trailing, strict=True)):
        raise ValueError(
            f"mask of shape {tuple(mask.shape)} does not broadcast to {target}, the shape of the "
            f"k-space {tuple(kspace.shape)} without its coil axis"
        )
    if not bool(xp.all((mask == 0) | (mask == 1))):
        raise ValueError("mask holds values other than 0 and 1; give the sampled positions only")
    if not bool(xp.all(xp.any(mask != 0, axis=(-2, -1) if mask.ndim > 1 else -1))):
        raise ValueError("mask is zero everywhere (in at least one slice): nothing was sampled")
    if bool(xp.all(mask == 1)):
        return None
    if mask.ndim > 1 and bool(xp.all(mask == mask[..., :1, :])):
        mask = mask[..., :1, :]
    if bool(xp.all(mask == mask[..., :1])):
        mask = mask[..., :1]
    return mask
