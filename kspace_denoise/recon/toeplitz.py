"""The normal operator of a non-uniform transform, Fᴴ F, by Cartesian transforms alone."""

from typing import NamedTuple

import numpy as np

from kspace_denoise.arrays import Array, like
from kspace_denoise.fourier import fft2c
from kspace_denoise.nufft import Nufft
from kspace_denoise.recon.sense_operator import to_corner


class ToeplitzPart(NamedTuple):
    """A phase ramp over the image `(y, x)`, its conjugate, and a kernel `(ky, kx)`.

    The kernel has DC at index 0, and holds the scale of transforms without one.
    """

    ramp: Array
    conjugate: Array
    kernel: Array


def toeplitz_parts(
    trajectory: Array, shape: tuple[int, int], reference: Array
) -> list[ToeplitzPart]:
    """Return four parts, Fᴴ F = Σ rampᴴ · FFTᴴ · kernel · FFT · ramp, of the kind of `reference`.

    Fᴴ F convolves an image with the point-spread function of the trajectory (Wajer and Pruessmann,
    ISMRM 2001, 767; Fessler et al., IEEE Trans. Signal Process. 53:3393, 2005). Its kernel is
    circulant on the grid of twice the size. The frequencies of that grid, even or odd along each
    axis, are those of the image's own grid, shifted by half a sample or not: so four transforms of
    the image stand for one of the padded image, and nothing is padded.
    """
    doubled = (2 * shape[0], 2 * shape[1])
    positions = np.asarray(trajectory, dtype=np.float64)
    ones = np.ones(positions.shape[:2], np.complex128)
    spread = Nufft(2 * positions, doubled, "finufft").adjoint(ones)
    # The response to a sample is Hermitian, so its spectrum is real.
    spectrum = np.real(fft2c(to_corner(spread), centred=False, scaled=False))
    spectrum *= 2 / np.sqrt(np.prod(shape)) / np.prod(doubled)
    y, x = (np.arange(n) / (2 * n) for n in shape)
    parts = []
    for odd_y in (0, 1):
        for odd_x in (0, 1):
            ramp = np.exp(-2j * np.pi * (odd_y * y[:, None] + odd_x * x))
            kernel = spectrum[odd_y::2, odd_x::2]
            arrays = (ramp, np.conj(ramp), kernel)
            parts.append(ToeplitzPart(*(like(a, reference, reference.dtype) for a in arrays)))
    return parts
