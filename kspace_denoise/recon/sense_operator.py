"""The encoding of parallel imaging, E = mask · Fourier transform · coil maps, and its adjoint."""

import math
from dataclasses import dataclass
from functools import cached_property

from kspace_denoise.arrays import Array, like, namespace, real_dtype
from kspace_denoise.fourier import fft2c, ifft2c

_BLOCK = 2**18  # pixels transformed at once by `normal`: as many as stay in a processor's cache


@dataclass(frozen=True)
class SenseOperator:
    """E takes an image `(..., y, x)` to k-space `(..., coils, ky, kx)`.

    `maps` is `(..., coils, y, x)`; `mask` holds 0 and 1, is broadcastable to `(..., ky, kx)`, and
    None means fully sampled. Leading axes broadcast, so one set of maps serves many repetitions.

    `soft` gives maps `(..., sets, coils, y, x)` and images `(..., sets, y, x)`, whose coil images
    are summed over the sets (soft-SENSE; Uecker et al., Magn. Reson. Med. 71:990, 2014).
    """

    maps: Array
    mask: Array | None = None
    soft: bool = False

    def forward(self, image: Array) -> Array:
        """Return E x."""
        return self._sampled(fft2c(self._coil_images(self._soft_maps, self._sets(image))))

    def adjoint(self, kspace: Array) -> Array:
        """Return Eᴴ y: the coil images of the sampled k-space, weighted with the conjugate maps."""
        total: Array = None
        for coils, _, conjugate in self._blocks:
            part = self._combined(conjugate, ifft2c(self._sampled(kspace[..., coils, :, :])))
            total = part if total is None else total + part
        return total if self.soft else total[..., 0, :, :]

    def normal(self, image: Array) -> Array:
        """Return Eᴴ E x; along an axis where the mask has length 1 nothing needs a transform.

        Between the maps it is a circular convolution, which commutes with the shifts of a centred
        transform: it is enough to shift the mask, once. So it is with the scale of the transforms.
        """
        axes = () if self.mask is None else varying_axes(self.mask)
        image = self._sets(image)
        total: Array = None
        for _, maps, conjugate in self._blocks:
            coil_images = self._coil_images(maps, image)
            if axes:
                spectrum = fft2c(coil_images, axes=axes, centred=False, scaled=False)
                spectrum *= self._passed
                coil_images = ifft2c(spectrum, axes=axes, centred=False, scaled=False)
            part = self._combined(conjugate, coil_images)
            total = part if total is None else total + part
        return total if self.soft else total[..., 0, :, :]

    def to(self, device: str) -> "SenseOperator":
        """Return the operator of torch tensors on a device."""
        mask = None if self.mask is None else self.mask.to(device)
        return SenseOperator(self.maps.to(device), mask, self.soft)

    @cached_property
    def _soft_maps(self) -> Array:
        """The maps with an axis of sets."""
        return self.maps if self.soft else namespace(self.maps).expand_dims(self.maps, axis=-4)

    @cached_property
    def _conjugate(self) -> Array:
        """The conjugate maps, in memory: torch would conjugate every time."""
        xp = namespace(self.maps)
        return xp.asarray(xp.conj(self._soft_maps), copy=True)

    @cached_property
    def _blocks(self) -> list[tuple[slice, Array, Array]]:
        """A few coils at a time, whose images stay in the cache: their maps and conjugates."""
        coils, rows, columns = self.maps.shape[-3:]
        step = max(1, _BLOCK // (rows * columns))
        blocks = [slice(i, min(i + step, coils)) for i in range(0, coils, step)]
        return [
            (block, self._soft_maps[..., block, :, :], self._conjugate[..., block, :, :])
            for block in blocks
        ]

    def _sets(self, image: Array) -> Array:
        """Return images with an axis of sets."""
        return image if self.soft else image[..., None, :, :]

    @staticmethod
    def _coil_images(maps: Array, image: Array) -> Array:
        """Return the coil images `(..., coils, y, x)` of an image, summed over the sets."""
        weighted = maps * image[..., None, :, :]
        return weighted[..., 0, :, :, :] if weighted.shape[-4] == 1 else _sum(weighted, axis=-4)

    @staticmethod
    def _combined(conjugate: Array, coil_images: Array) -> Array:
        """Return the adjoint of `_coil_images`, `(..., sets, y, x)`."""
        weighted = conjugate * coil_images[..., None, :, :, :]
        return weighted[..., 0, :, :] if weighted.shape[-3] == 1 else _sum(weighted, axis=-3)

    @cached_property
    def _kept(self) -> Array:
        """The mask with an axis of coils, complex: torch would convert it every time."""
        xp = namespace(self.maps)
        mask: Array = self.mask
        mask = mask if mask.ndim < 3 else xp.expand_dims(mask, axis=-3)
        return xp.astype(mask, self.maps.dtype)

    @cached_property
    def _passed(self) -> Array:
        """The mask for transforms without shifts and without their scale."""
        count = math.prod(self.maps.shape[axis] for axis in varying_axes(self.mask))
        return to_corner(self._kept) / count

    def _sampled(self, kspace: Array) -> Array:
        return kspace if self.mask is None else kspace * self._kept


def _sum(x: Array, axis: int) -> Array:
    return namespace(x).sum(x, axis=axis)


def to_corner(x: Array) -> Array:
    """Move the centre, index n // 2 of the last two axes, to index 0."""
    axes = (-2, -1)[-x.ndim :]
    return namespace(x).roll(x, tuple(-(x.shape[axis] // 2) for axis in axes), axis=axes)


def unit_maps(maps: Array) -> tuple[Array, Array]:
    """Return maps of unit norm over the coils, and that norm `(..., y, x)`; zero maps stay zero."""
    xp = namespace(maps)
    norm = xp.sqrt(xp.sum(xp.real(maps) ** 2 + xp.imag(maps) ** 2, axis=-3))
    divisor = xp.where(norm > 0, norm, xp.ones_like(norm))
    return maps / xp.expand_dims(xp.astype(divisor, maps.dtype), axis=-3), norm


def over_strength(image: Array, strength: Array) -> Array:
    """Divide an image by the norm of its maps, `(..., y, x)`; 0 where the maps are 0."""
    xp = namespace(image)
    inverse = xp.where(strength > 0, 1 / xp.where(strength > 0, strength, 1.0), 0.0)
    return image * xp.astype(inverse, image.dtype)


def check_maps(kspace: Array, maps: Array, sets: int = 1) -> None:
    """Check that maps broadcast to the k-space and have its coils and matrix.

    Raises:
        ValueError: if they do not, or have another number of sets.
    """
    if sets < 1:
        raise ValueError(f"sets is {sets}, expected the number of sets of coil maps, at least 1")
    trailing = 3 if sets == 1 else 4
    lead, own = kspace.shape[:-3], maps.shape[:-trailing]
    extra = len(lead) - len(own)
    fits = extra >= 0 and all(m in (1, k) for m, k in zip(own, lead[extra:], strict=True))
    if sets > 1 and (maps.ndim < 4 or maps.shape[-4] != sets):
        raise ValueError(
            f"maps of shape {tuple(maps.shape)} do not hold {sets} sets: expected "
            f"(..., {sets}, coils, y, x), as recon.espirit(kspace, sets={sets}) returns them"
        )
    if not fits or tuple(kspace.shape[-3:]) != tuple(maps.shape[-3:]):
        given = "(..., coils, y, x)" if sets == 1 else "(..., sets, coils, y, x)"
        raise ValueError(
            f"maps of shape {tuple(maps.shape)} do not fit k-space of shape "
            f"{tuple(kspace.shape)}: maps are {given}, k-space is (..., coils, ky, kx), leading "
            "axes broadcast"
        )


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


def varying_axes(mask: Array) -> tuple[int, ...]:
    """Return those of the axes -2 and -1 along which a mask of `sampling_mask` varies."""
    shape = (1, *mask.shape)[-2:]
    return tuple(axis for axis in (-2, -1) if shape[axis] > 1)
