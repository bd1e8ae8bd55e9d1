"""The centred orthonormal Fourier transform: the only place in the package that calls an FFT.

DC stands at index n // 2 of an axis of n points, odd sizes included. The transform is unitary, so
white noise keeps its sigma and the adjoint is the inverse.
"""

from kspace_denoise.arrays import Array, namespace

IMAGE_AXES = (-2, -1)


def fft2c(
    image: Array, axes: tuple[int, ...] = IMAGE_AXES, *, centred: bool = True, scaled: bool = True
) -> Array:
    """Transform an image `(..., y, x)` to k-space `(..., ky, kx)`; noise keeps its sigma.

    `centred=False` has DC at index 0 in both domains, which spares the shifts inside loops;
    and `scaled=False`, without a shift only, leaves out the factor 1/sqrt(n).
    """
    xp = namespace(image)
    if not centred:
        return xp.fft.fftn(image, axes=axes, norm="ortho" if scaled else "backward")
    shifted = xp.fft.ifftshift(image, axes=axes)
    return xp.fft.fftshift(xp.fft.fftn(shifted, axes=axes, norm="ortho"), axes=axes)


def ifft2c(
    kspace: Array, axes: tuple[int, ...] = IMAGE_AXES, *, centred: bool = True, scaled: bool = True
) -> Array:
    """Transform k-space `(..., ky, kx)` to an image `(..., y, x)`; noise keeps its sigma.

    `centred` and `scaled` as for `fft2c`.
    """
    xp = namespace(kspace)
    if not centred:
        return xp.fft.ifftn(kspace, axes=axes, norm="ortho" if scaled else "forward")
    shifted = xp.fft.ifftshift(kspace, axes=axes)
    return xp.fft.fftshift(xp.fft.ifftn(shifted, axes=axes, norm="ortho"), axes=axes)
