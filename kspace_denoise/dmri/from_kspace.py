"""A diffusion scan from its k-space: every volume through the coil maps of b = 0."""

import numpy as np

from kspace_denoise.dmri.shells import B0
from kspace_denoise.scan import Images, Numpy, Scan
from kspace_denoise.stages import KnownNoise, Slice, known_noise, reconstruct_slice, through_maps


def volumes_from_kspace(
    kspace: Numpy,
    bval: Numpy,
    bvec: Numpy,
    noise_covariance: Numpy | None = None,
    mask: Numpy | None = None,
    calibration: int | None = None,
    regularisation: float = 0.0,
) -> Images:
    """Reconstruct `(volumes, slices, coils, ky, kx)` by SENSE; complex images with a noise map.

    Coil maps of a slice come from its first volume of b = 0, which has the most signal, or from
    the first volume if there is none. `mask` `(ky, kx)`, or what broadcasts to it, is that of all.
    Without `noise_covariance` it is measured in the k-space of that volume.

    Raises:
        ValueError: if shapes do not fit, or as `Scan` and `reconstruct_slice`.
        recon.NoiseNotFound: if no part of k-space is noise alone.
    """
    if kspace.ndim != 5 or len(bval) != len(kspace) or np.shape(bvec) != (len(kspace), 3):
        raise ValueError(
            f"kspace has shape {kspace.shape}, with {len(bval)} b-values and directions of shape "
            f"{np.shape(bvec)}: expected (volumes, slices, coils, ky, kx), and one of each for "
            "every volume"
        )
    first = int(np.argmin(np.asarray(bval) >= B0))
    noise = known_noise(Scan(kspace=kspace[first], mask=mask), noise_covariance)
    options = {"regularisation": regularisation}
    pieces = [reconstruct_slice(one, noise, mask, calibration, **options) for one in kspace[first]]
    data = np.empty((*kspace.shape[:2], *kspace.shape[-2:]), np.complex64)
    for volume, slices in enumerate(kspace):
        for number, (one, piece) in enumerate(zip(slices, pieces, strict=True)):
            data[volume, number] = _image(one, piece, noise, options)
    return Images(data=data, sigma=_sigma(pieces), bval=np.asarray(bval), bvec=np.asarray(bvec))


def _image(kspace: Numpy, piece: Slice, noise: KnownNoise, options: dict[str, float]) -> Numpy:
    return np.asarray(through_maps(kspace, noise, piece, noise, **options).image)


def _sigma(pieces: list[Slice]) -> Numpy | None:
    """Return the noise map `(slices, y, x)`, which all volumes have, where it has a closed form."""
    maps = [piece.sigma for piece in pieces if piece.sigma is not None]
    return np.stack([np.asarray(one) for one in maps]) if len(maps) == len(pieces) else None
