"""The orthogonal wavelet transform of complex torch images, periodic over their edges."""

from typing import Any

import numpy as np

from kspace_denoise.arrays import Array, like, namespace, real_dtype

_COARSEST = 8  # samples per axis that the default number of levels leaves at least


class WaveletTransform:
    """Psi of Mallat's pyramid: an orthogonal matrix, so its inverse is its adjoint.

    One level is a product with an orthogonal matrix along either axis, approximation first; the
    next level takes the corner of the approximations. On images of some hundred points a dense
    product is as fast as one that visits the few taps of the filters.
    """

    def __init__(self, name: str, levels: int, shape: tuple[int, int], reference: Array) -> None:
        """Prepare for images of `shape`, of the precision and on the device of `reference`."""
        self.shape = shape
        filters = orthogonal_filters(name)
        dtype = real_dtype(reference)
        self._matrices = [
            tuple(like(_one_level(filters, n >> level), reference, dtype) for n in shape)
            for level in range(levels)
        ]

    def forward(self, image: Array) -> Array:
        """Return the coefficients Psi x of an image `(y, x)`, in an array of the same shape."""
        coefficients = image.clone()
        for along_y, along_x in self._matrices:
            corner = coefficients[: len(along_y), : len(along_x)]
            corner[...] = _times(along_x, _times(along_y, corner).mT).mT
        return coefficients

    def inverse(self, coefficients: Array) -> Array:
        """Return the image Psiᴴ c."""
        image = coefficients.clone()
        for along_y, along_x in reversed(self._matrices):
            corner = image[: len(along_y), : len(along_x)]
            corner[...] = _times(along_x.mT, _times(along_y.mT, corner).mT).mT
        return image


def orthogonal_filters(name: str) -> np.ndarray[Any, Any]:
    """Return the low-pass and the high-pass filter of an orthogonal wavelet, `(2, taps)`.

    Raises:
        ValueError: if there is no orthogonal wavelet of this name.
    """
    import pywt

    known = set(pywt.wavelist(kind="discrete")) - {"dmey"}  # orthogonal to three digits only
    if name not in known or not pywt.Wavelet(name).orthogonal:
        raise ValueError(
            f"wavelet {name!r} is not an orthogonal wavelet; there are haar, db2 to db38, "
            "sym2 to sym20 and coif1 to coif17"
        )
    wavelet = pywt.Wavelet(name)
    return np.array([wavelet.rec_lo, wavelet.rec_hi])


def default_levels(shape: tuple[int, int]) -> int:
    """Return the number of levels that leaves 8 samples along the shorter axis, at least 1."""
    return max(1, (min(shape) // _COARSEST).bit_length() - 1)


def padded_shape(shape: tuple[int, int], levels: int) -> tuple[int, int]:
    """Return the smallest shape that the levels halve without remainder."""
    unit = 1 << levels
    y, x = (-(-n // unit) * unit for n in shape)
    return y, x


def _one_level(filters: np.ndarray[Any, Any], size: int) -> np.ndarray[Any, Any]:
    """Return the orthogonal matrix of one level: size / 2 approximations, then the details."""
    matrix = np.zeros((2, size // 2, size))
    start = 2 * np.arange(size // 2)
    for tap, weights in enumerate(filters.T):
        for band, weight in enumerate(weights):
            # A filter longer than the axis wraps around and adds up.
            matrix[band, start // 2, (start + tap + 2 - filters.shape[1]) % size] += weight
    return matrix.reshape(size, size)


def _times(matrix: Array, block: Array) -> Array:
    """Multiply a real matrix with a complex block as one real product of twice the width."""
    xp = namespace(block)
    pairs = xp.view_as_real(block.contiguous())
    product = matrix @ pairs.reshape(len(matrix), -1)
    return xp.view_as_complex(product.reshape(pairs.shape))
