"""Cropping: images to the matrix that the header asks for, scans to their field of view."""

import dataclasses
import functools

import numpy as np

from kspace_denoise.arrays import Array
from kspace_denoise.fourier import fft2c, ifft2c
from kspace_denoise.geometry import cropped_affine, image_affine
from kspace_denoise.scan import LazySlices, Numpy, Scan


def centre_crop(image: Array, shape: tuple[int, int]) -> Array:
    """Return the central `shape` of the last two axes; DC, at n // 2, stays at n // 2.

    Raises:
        ValueError: if it does not fit.
    """
    ny, nx = image.shape[-2:]
    if not (0 < shape[0] <= ny and 0 < shape[1] <= nx):
        raise ValueError(
            f"cannot crop {ny} x {nx} to {shape[0]} x {shape[1]}: nothing is added to an image"
        )
    y, x = ny // 2 - shape[0] // 2, nx // 2 - shape[1] // 2
    return image[..., y : y + shape[0], x : x + shape[1]]


def recon_matrix(scan: Scan) -> tuple[int, int]:
    """Return the image size `(y, x)` that the file of a scan asks for.

    It is that of the ISMRMRD header, whose x is the readout, or else that of the images which the
    file holds beside its k-space.

    Raises:
        ValueError: if the file does not say.
    """
    header = scan.header.get("ismrmrd", {})
    if "recon_matrix" in header and scan.readout_axis is not None:
        readout, phase, _ = (int(n) for n in header["recon_matrix"])
        return (readout, phase) if scan.readout_axis == -2 else (phase, readout)
    if "reconstruction_shape" in scan.header:
        y, x = scan.header["reconstruction_shape"]
        return int(y), int(x)
    raise ValueError(
        "the file says nothing of the size of its images: it has no ISMRMRD header with a "
        "reconSpace, no known readout axis, or no images beside its k-space"
    )


def crop_field_of_view(kspace: Array, size: int, axis: int) -> Array:
    """Return k-space `(..., ky, kx)` of the central `size` image pixels along one axis.

    The transforms on both ways are orthonormal, so image, sigma and covariance keep their values;
    only a noise profile, whose mean is taken over the field of view, needs a new unit.

    Raises:
        ValueError: if the axis has fewer pixels, or is neither -1 nor -2.
    """
    if axis not in (-1, -2):
        raise ValueError(f"axis is {axis}, expected -1 or -2")
    shape = list(kspace.shape[-2:])
    shape[axis] = size
    return fft2c(centre_crop(ifft2c(kspace, axes=(axis,)), (shape[0], shape[1])), axes=(axis,))


def remove_oversampling(scan: Scan) -> Scan:
    """Return the scan without its readout oversampling, cropped when a slice is read.

    The field of view along the readout shrinks to what the file asks for (see `recon_matrix`):
    the images are the same, cropped, for a fraction of the work. A noise profile is cropped too;
    the covariance, its mean over the field of view, is adapted.

    Raises:
        ValueError: if the readout axis or the size is unknown or larger than the matrix, or mask,
            spectrum or (once it is read) a slice varies in sampling along the readout.
    """
    axis = scan.readout_axis
    if scan.trajectory is not None:
        raise ValueError("a scan with a trajectory has no Cartesian readout to remove samples from")
    if axis is None:
        raise ValueError("the readout axis is unknown, so its oversampling cannot be removed")
    size, whole = recon_matrix(scan)[axis], scan.kspace.shape[axis]
    if size == whole:
        return scan
    if size > whole:
        raise ValueError(
            f"the file asks for {size} pixels along the readout, which has {whole}: it is not "
            "oversampled"
        )
    shape = list(scan.kspace.shape)
    shape[axis] = size
    profile, level = _cropped_profile(scan.noise_profile, size, axis)
    covariance = scan.noise_covariance
    affine = image_affine(scan)
    if affine is not None:
        ny, nx = scan.kspace.shape[-2:]
        affine = cropped_affine(affine, (ny, nx), (shape[-2], shape[-1]))
    return dataclasses.replace(
        scan,
        kspace=LazySlices(
            tuple(shape), scan.kspace.dtype, functools.partial(_read_cropped, scan, size)
        ),
        mask=_one_line(scan.mask, axis, "sampling mask"),
        noise_covariance=None if covariance is None else covariance * level**2,
        noise_profile=profile,
        noise_spectrum=_one_line(scan.noise_spectrum, axis, "noise spectrum"),
        header=scan.header if affine is None else {**scan.header, "affine": affine.tolist()},
    )


def _read_cropped(scan: Scan, size: int, index: int) -> Numpy:
    assert scan.readout_axis is not None
    kspace = scan.kspace[index]
    acquired = (kspace != 0).any(axis=0)
    if np.any(acquired.any(axis=scan.readout_axis) != acquired.all(axis=scan.readout_axis)):
        raise ValueError(
            f"slice {index} has lines of which only a part was acquired (a partial echo): its "
            "oversampling cannot be removed without blurring where noise is"
        )
    return np.ascontiguousarray(crop_field_of_view(kspace, size, scan.readout_axis))


def _cropped_profile(profile: Numpy | None, size: int, axis: int) -> tuple[Numpy | None, float]:
    """Return the profile with root mean square 1 over the smaller view, and what it was there."""
    if profile is None or profile.ndim < -axis or profile.shape[axis] == 1:
        return profile, 1.0
    shape = list(np.atleast_2d(profile).shape)
    shape[axis] = size
    cropped = centre_crop(np.atleast_2d(profile), (shape[0], shape[1]))
    level = float(np.sqrt(np.mean(cropped.astype(np.float64) ** 2)))
    return (cropped / level).astype(profile.dtype), level


def _one_line(values: Numpy | None, axis: int, name: str) -> Numpy | None:
    """Return a mask or spectrum with a readout of length 1, along which it is the same."""
    if values is None or values.ndim < -axis:
        return values
    first = np.take(values, [0], axis=axis)
    if np.any(values != first):
        raise ValueError(
            f"the {name} varies along the readout, so its oversampling cannot be removed"
        )
    return np.asarray(first)
