"""Linear measurements through their singular value decomposition, A = U Σ Vᴴ.

With white noise of level sigma in the data, component i of the spectrum Vᴴ x of an image is either
not seen at all (s_i = 0) or seen with noise of sigma / s_i, independent of all others.
"""

from dataclasses import dataclass
from typing import Protocol

from kspace_denoise.arrays import Array, namespace
from kspace_denoise.fourier import fft2c, ifft2c

_WEAKEST = 1e-3  # singular values below this share of the largest count as 0


class SpectralOperator(Protocol):
    """A measurement of images `(..., y, x)` whose spectra `(..., y, x)` have components apart.

    V is unitary: white noise of level sigma in an image has level sigma in every component.
    """

    @property
    def singular_values(self) -> Array:
        """s, real and at least 0, broadcastable to a spectrum; 0 where nothing is seen."""
        ...

    def spectrum(self, image: Array) -> Array:
        """Return Vᴴ x."""
        ...

    def image(self, spectrum: Array) -> Array:
        """Return V z."""
        ...

    def seen(self, data: Array) -> Array:
        """Return Σ⁺ Uᴴ y: the spectrum of the image that the data show, 0 where s = 0."""
        ...


@dataclass(frozen=True)
class PixelSampling:
    """Pixels that are seen, or not: denoising (`mask` of ones) and erased patches. V is 1.

    `mask` holds 0 and 1, broadcastable to `(..., y, x)`; a ValueError says where it does not.
    """

    mask: Array

    def __post_init__(self) -> None:
        if not bool(((self.mask == 0) | (self.mask == 1)).all()):
            raise ValueError("mask holds other values than 0 and 1")

    @property
    def singular_values(self) -> Array:
        """The mask."""
        return self.mask

    def spectrum(self, image: Array) -> Array:
        """Return the image."""
        return image

    def image(self, spectrum: Array) -> Array:
        """Return the spectrum."""
        return spectrum

    def seen(self, data: Array) -> Array:
        """Return the pixels `(..., y, x)` that are seen."""
        return data * namespace(data).astype(self.mask, data.dtype)


@dataclass(frozen=True)
class FourierSampling:
    """k-space of a single coil, by any Cartesian mask. Vᴴ is the Fourier transform.

    `mask` holds 0 and 1, broadcastable to `(..., ky, kx)`. `coil` `(..., y, x)` is a map of
    constant magnitude c, which multiplies the singular values; None stands for 1.
    """

    mask: Array
    coil: Array | None = None

    @property
    def singular_values(self) -> Array:
        """The mask, times c."""
        return self.mask if self.coil is None else self.mask * self._strength

    def spectrum(self, image: Array) -> Array:
        """Return the k-space of images `(..., y, x)` in the coil's phase."""
        return fft2c(image if self.coil is None else image * self._phase)

    def image(self, spectrum: Array) -> Array:
        """Return the images of k-space `(..., ky, kx)`."""
        image = ifft2c(spectrum)
        return image if self.coil is None else image * namespace(image).conj(self._phase)

    def seen(self, data: Array) -> Array:
        """Return k-space `(..., 1, ky, kx)` where it was sampled, without the axis of the coil."""
        kept = data[..., 0, :, :] * namespace(data).astype(self.mask, data.dtype)
        return kept if self.coil is None else kept / self._strength

    @property
    def _strength(self) -> float:
        assert self.coil is not None
        return float(abs(complex(self.coil.reshape(-1)[0])))

    @property
    def _phase(self) -> Array:
        assert self.coil is not None
        return self.coil / self._strength


def noise_of_components(operator: SpectralOperator, sigma: float) -> Array:
    """Return sigma / s, infinite where s is 0 or below a thousandth of the largest."""
    s = operator.singular_values
    xp = namespace(s)
    useful = s > _WEAKEST * xp.max(s)
    return xp.where(useful, sigma / xp.where(useful, s, 1.0), float("inf"))
