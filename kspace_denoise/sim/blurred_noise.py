"""Gaussian noise that neighbouring pixels share in part."""

import math
from dataclasses import dataclass

import array_api_compat
import numpy as np
from scipy.ndimage import convolve1d

from kspace_denoise.arrays import Array, complex_dtype, is_complex, like, namespace, real_dtype
from kspace_denoise.random import Seed, numpy_generator
from kspace_denoise.sim.coil_data import check_finite
from kspace_denoise.sim.distribution import Values, as_given, finite, not_nan, positive_number

_REACH = 4  # the kernel ends at this many standard deviations
_FAR = 100.0  # standard deviations from which on the density is 0 in double precision


@dataclass(frozen=True)
class BlurredNoise:
    """Half white, half blurred noise: (n2 + blur(n1) / |kernel|) sigma / sqrt(2).

    n1 and n2 are independent and white with sigma = 1 per real component; |kernel| matches the
    power of the blurred draw. The blur is a sampled Gaussian of unit sum over the last two axes,
    with wrapped edges, so that the noise is the same everywhere. It keeps sigma at every pixel.

    Attributes:
        sigma: standard deviation of each real component, in the unit of the image.
        blur: standard deviation of the Gaussian in pixels.

    Raises:
        TypeError: if either is an array.
        ValueError: if either is not positive and finite.
    """

    sigma: float
    blur: float

    def __post_init__(self) -> None:
        positive_number(self.sigma, "sigma")
        positive_number(self.blur, "blur")

    def mean(self, image: float | Array) -> float | Array:
        """Return x: the noise has no bias. Whole numbers come back in single precision."""
        return _floating(image) if array_api_compat.is_array_api_obj(image) else image

    def variance(self, image: float | Array) -> float | Array:
        """Return sigma^2, that of each real component, for every pixel of the image."""
        return as_given(np.full(np.shape(image), float(self.sigma) ** 2), image)

    def density(self, value: float | Array, image: float | Array) -> float | Array:
        """Return the probability density of one real pixel: that of N(x, sigma^2)."""
        z = np.abs(not_nan(value, "value") - finite(image, "image")) / self.sigma
        height = math.sqrt(2 * math.pi) * self.sigma
        return as_given(np.exp(-(np.minimum(z, _FAR) ** 2) / 2) / height, value, image)

    def autocorrelation(self, dy: int, dx: int) -> float:
        """Return the correlation of two pixels at this distance (the shorter way round).

        With k the kernel's own autocorrelation it is (k[dy] k[dx] + [dy = dx = 0]) / 2.
        """
        kernel = self._kernel()
        own = np.correlate(kernel, kernel, "full") / np.sum(kernel**2)
        middle = len(kernel) - 1
        shared = [own[middle + abs(d)] if abs(d) <= middle else 0.0 for d in (dy, dx)]
        return float(shared[0] * shared[1] + (dy == 0 and dx == 0)) / 2

    def sample(self, image: Array, seed: Seed) -> Array:
        """Return the noisy image `(..., y, x)`; a complex image gets circular complex noise.

        An image of whole numbers comes back in single precision.

        Raises:
            ValueError: if the image is smaller than the kernel, or holds NaN or infinity.
        """
        width = len(self._kernel())
        if image.ndim < 2 or min(image.shape[-2:]) < width:
            raise ValueError(
                f"image has shape {tuple(image.shape)}, expected (..., y, x) of at least {width} "
                f"pixels each way for a blur of {self.blur}"
            )
        check_finite(image, "image")
        generator, shape = numpy_generator(seed), tuple(image.shape)
        noise = self._draw(generator, shape)
        if is_complex(image):
            noise = noise + 1j * self._draw(generator, shape)
        clean = _floating(image)
        return clean + like(noise, clean, clean.dtype)

    def _draw(self, generator: np.random.Generator, shape: tuple[int, ...]) -> Values:
        first, second = generator.standard_normal((2, *shape))
        kernel = self._kernel()
        kernel = kernel / np.sqrt(np.sum(kernel**2))
        for axis in (-2, -1):
            first = convolve1d(first, kernel, axis=axis, mode="wrap")
        noise: Values = (first + second) * (self.sigma * math.sqrt(0.5))
        return noise

    def _kernel(self) -> Values:
        reach = int(_REACH * self.blur + 0.5)
        kernel: Values = np.exp(-0.5 * (np.arange(-reach, reach + 1) / self.blur) ** 2)
        kernel /= kernel.sum()
        return kernel


def _floating(image: Array) -> Array:
    """Return the image in single or double precision, where noise has room."""
    dtype = complex_dtype(image) if is_complex(image) else real_dtype(image)
    return namespace(image).astype(image, dtype, copy=False)
