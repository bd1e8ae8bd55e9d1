"""The distribution of the root sum of squares of coil images, correlated coils included.

Every combination of coils has one of two distributions. A weighted sum of coil images with fixed
weights (SENSE, adaptive combination with maps held fixed) leaves complex Gaussian noise, so its
magnitude is Rician: `MagnitudeNoise(sigma)` with the sigma map of the combination. The root sum of
squares is non-central chi: `rss_noise`.
"""

import math

import numpy as np

from kspace_denoise.arrays import Array, namespace, to_numpy
from kspace_denoise.recon.checks import check_kspace
from kspace_denoise.recon.noise import combine_coils, whitening_matrix
from kspace_denoise.sim.magnitude_noise import MagnitudeNoise

__all__ = ["MagnitudeNoise", "rss_noise"]


def rss_noise(noise_covariance: Array, coil_signal: Array | None = None) -> MagnitudeNoise:
    """Return the distribution of the root sum of squares of coil images with this covariance.

    Psi = 2 sigma^2 I (and so whitened images, with sigma = 1): exactly non-central chi, with the
    number of coils. Otherwise there is no closed form. The distribution returned has the mean and
    the variance of the squared magnitude right, by an effective sigma and an effective number of
    coils (Aja-Fernandez, Tristan-Vega and Hoge, Magn. Reson. Med. 65:1195, 2011). With A the coil
    signals and t the trace of Psi::

        2 sigma^2 = (|Psi|^2 + 2 A^H Psi A) / (t + 2 |A|^2),    coils = t / 2 sigma^2

    Without signal these are |Psi|^2 / t and t^2 / |Psi|^2, at most the number of coils; with much
    signal, sigma is that of the direction of A. The largest distance between true and returned
    distribution function (Kolmogorov), over 2 to 16 coils and any SNR, is 0.014 where neighbours
    correlate by 0.35, 0.05 by 0.7 and 0.09 by 0.9. The mean magnitude is right to 0.3, 0.7 and
    1.0 %, its standard deviation to 2.5, 7 and 10 %: `sim.magnitude_moments` has both exactly, and
    `sim.sample_magnitude` draws from the true distribution.

    Args:
        noise_covariance: Psi[i, j] = E[n_i conj(n_j)] of the images, `(coils, coils)`.
        coil_signal: noise-free coil images `(..., coils, y, x)`, or smooth estimates of them; the
            result then holds maps `(..., y, x)`. None gives the limit of no signal.

    Raises:
        TypeError: if the coil signal is not complex.
        ValueError: if the covariance is not Hermitian and positive definite, or has another
            number of coils than the signal.
    """
    whitening_matrix(noise_covariance)  # refuses what is no covariance
    psi = to_numpy(noise_covariance).astype(np.complex128)
    trace, square = float(np.trace(psi).real), float(np.sum(np.abs(psi) ** 2))
    if coil_signal is None:
        power = square / trace
        return MagnitudeNoise(math.sqrt(power / 2), trace / power)
    check_kspace(coil_signal, "coil_signal")
    xp = namespace(coil_signal)
    through = xp.real(xp.conj(coil_signal) * combine_coils(noise_covariance, coil_signal))
    signal = xp.sum(xp.abs(coil_signal) ** 2, axis=-3)
    power = (square + 2 * xp.sum(through, axis=-3)) / (trace + 2 * signal)
    return MagnitudeNoise(xp.sqrt(power / 2), trace / power)
