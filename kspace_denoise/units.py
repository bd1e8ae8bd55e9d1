"""The unit in which denoisers work: SNR units, or magnitudes whose noise was made even."""

from functools import lru_cache

import numpy as np

from kspace_denoise import recon
from kspace_denoise.arrays import Array, to_numpy
from kspace_denoise.recon.vst_inverse import unbiased_inverse
from kspace_denoise.stages import Numpy, in_snr_units


def to_unit(image: Array, sigma: Array | float, vst: bool = False) -> Numpy:
    """Return an image with noise of sigma = 1 per real component, from one of level `sigma`.

    Divided by sigma; with `vst`, a magnitude whose noise is made even (`recon.vst`, one coil). A
    noise map of 0 marks where there is no image: 0, as a magnitude without noise and signal.

    Raises:
        ValueError: with `vst`, if the image is complex or has negative values.
    """
    if not vst:
        return in_snr_units(image, sigma)
    image = to_numpy(image)
    if np.iscomplexobj(image):
        raise ValueError(
            "vst is for magnitude images, and these are complex: their noise is Gaussian, and "
            "needs no stabilisation; leave vst (--vst) out"
        )
    inside, positive = _where_noise(image, sigma)
    return to_numpy(recon.vst(np.where(inside, image, np.zeros_like(image)), positive))


def from_unit(clean: Numpy, sigma: Array | float, vst: bool = False) -> Numpy:
    """Undo `to_unit` for a denoised image; with `vst` without the bias of the magnitude."""
    if not vst:
        return np.asarray(clean * to_numpy(sigma))
    inside, positive = _where_noise(clean, sigma)
    return np.asarray(inside * to_numpy(recon.inverse_vst(clean, positive)))


def expected_unit(clean: Array, sigma: Array | float, vst: bool = False) -> Numpy:
    """Return the mean of `to_unit` over the noise, for a noise-free image.

    That is what a denoiser trained without clean images tends to, and what `from_unit` undoes. With
    `vst` it is not the stabilised clean image, as a noisy magnitude is larger in the mean.

    Raises:
        ValueError: with `vst`, if the image is complex.
    """
    if not vst:
        return in_snr_units(clean, sigma)
    clean = to_numpy(clean)
    if np.iscomplexobj(clean):
        raise ValueError("vst is for magnitude images, and the clean image is complex")
    inside, positive = _where_noise(clean, sigma)
    nu = np.where(inside, clean / positive, np.zeros_like(clean))
    amplitudes, means = _mean_table()
    far = np.sqrt(nu.astype(np.float64) ** 2 + 0.5)
    mean = np.where(nu < amplitudes[-1], np.interp(nu, amplitudes, means), far)
    return np.asarray(mean.astype(clean.dtype))


@lru_cache(maxsize=1)
def _mean_table() -> tuple[Numpy, Numpy]:
    """Return amplitudes over sigma, and the means of their stabilised magnitudes."""
    inverse = unbiased_inverse("optimised", 1)
    means = inverse.floor + np.linspace(0, np.sqrt(inverse.end - inverse.floor), 4000) ** 2
    return np.asarray(inverse(means)), means


def _where_noise(image: Numpy, sigma: Array | float) -> tuple[Numpy, Numpy]:
    noise = np.broadcast_to(np.asarray(to_numpy(sigma) if np.ndim(sigma) else sigma), image.shape)
    inside = noise > 0
    return inside, np.where(inside, noise, 1).astype(image.dtype)
