"""Receiver noise: its covariance between coils, and whitening with it.

One convention throughout: sigma is the standard deviation of each real component, a covariance is
Psi[i, j] = E[n_i conj(n_j)], and whitened data have sigma = 1, that is Psi = 2 I.
"""

from kspace_denoise.arrays import Array, is_complex, like, namespace
from kspace_denoise.recon.checks import check_finite, check_kspace


def noise_covariance(noise: Array) -> Array:
    """Estimate the coil covariance Psi[i, j] = E[n_i conj(n_j)] from noise-only samples.

    `noise` is `(coils, ...)`: every axis but the first holds samples, e.g. repeats and readout
    points of a scan without excitation. Returns complex128 `(coils, coils)` in squared data units;
    its diagonal is 2 sigma^2, because a complex sample has two components of variance sigma^2.

    The sum is divided by the number of samples and no mean is subtracted: thermal noise has none,
    and removing the sample mean would bias the estimate and hide a DC offset of the receiver.

    Raises:
        TypeError: if the noise is not complex.
        ValueError: if there are fewer samples than coils, or the noise is zero, NaN or infinite.
    """
    if not is_complex(noise):
        raise TypeError(f"noise is {noise.dtype}, expected complex samples of the receivers")
    if noise.ndim < 2 or 0 in noise.shape:
        raise ValueError(
            f"noise has shape {tuple(noise.shape)}, expected (coils, samples...); "
            "a single coil needs its own axis of length 1"
        )
    check_finite(noise, "noise")
    xp = namespace(noise)
    samples = xp.reshape(xp.astype(noise, xp.complex128), (noise.shape[0], -1))
    coils, count = samples.shape
    if count < coils:
        raise ValueError(
            f"noise has {count} samples for {coils} coils, so its covariance would be singular; "
            "the first axis must be the coils, and more samples than coils are needed"
        )
    if not bool(xp.any(samples != 0)):
        raise ValueError("noise is zero everywhere: this is not a noise measurement")
    return samples @ xp.conj(xp.matrix_transpose(samples)) / count


def whitening_matrix(covariance: Array) -> Array:
    """Return the Hermitian W = sqrt(2) Psi^(-1/2), for which W Psi W^H = 2 I.

    Of all whitening matrices the Hermitian one changes the coil images least, so channel 3 still
    looks like coil 3. Takes `(coils, coils)`, returns complex128 of the same shape and kind.

    Raises:
        ValueError: if the covariance is not square, Hermitian, finite and positive definite.
    """
    xp = namespace(covariance)
    if covariance.ndim != 2 or covariance.shape[0] != covariance.shape[1]:
        raise ValueError(
            f"noise covariance has shape {tuple(covariance.shape)}, expected (coils, coils)"
        )
    check_finite(covariance, "noise covariance")
    psi = xp.astype(covariance, xp.complex128)
    transposed = xp.conj(xp.matrix_transpose(psi))
    largest = float(xp.max(xp.abs(psi)))
    # A covariance may have been stored in single precision: allow its rounding, nothing more.
    if float(xp.max(xp.abs(psi - transposed))) > 1e-5 * largest:
        raise ValueError("noise covariance is not Hermitian: Psi[i, j] must be conj(Psi[j, i])")
    values, vectors = xp.linalg.eigh((psi + transposed) / 2)
    if not float(values[0]) > 1e-7 * float(values[-1]):
        raise ValueError(
            f"noise covariance is not positive definite (eigenvalues {float(values[0]):.3g} to "
            f"{float(values[-1]):.3g}); remove dead or duplicate coils, or use more noise samples"
        )
    scaled = vectors * xp.astype(xp.sqrt(2 / values), xp.complex128)
    return scaled @ xp.conj(xp.matrix_transpose(vectors))


def combine_coils(matrix: Array, data: Array) -> Array:
    """Apply a matrix `(new coils, coils)` to the coil axis of `(..., coils, y, x)`.

    Serves k-space, coil images and coil maps alike; keeps the precision and kind of `data`.

    Raises:
        ValueError: if the matrix and the data have different numbers of coils.
    """
    coils, *grid = data.shape[-3:]
    if matrix.shape[-1] != coils:
        raise ValueError(
            f"the data of shape {tuple(data.shape)} have {coils} coils on axis -3, but the "
            f"matrix (or noise covariance) of shape {tuple(matrix.shape)} has {matrix.shape[-1]}"
        )
    xp = namespace(data)
    flat = xp.reshape(data, (*data.shape[:-2], -1))
    mixed = like(matrix, data, data.dtype) @ flat
    return xp.reshape(mixed, (*data.shape[:-3], matrix.shape[0], *grid))


def whiten(kspace: Array, covariance: Array) -> Array:
    """Whiten `(..., coils, y, x)` so that its noise has Psi = 2 I, sigma = 1 per component.

    Linear in the data, so coil maps and coil images are whitened with the same call. After
    whitening with a covariance measured from N samples, other noise has the mean covariance
    2 I N / (N - coils) (complex inverse Wishart).

    Raises:
        TypeError: if the data are not complex.
        ValueError: if shapes disagree, data hold NaN, or the covariance is not positive definite.
    """
    check_kspace(kspace)
    return combine_coils(whitening_matrix(like(covariance, kspace)), kspace)
