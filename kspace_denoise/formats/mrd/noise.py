"""The noise covariance of a scan, from the noise acquisitions of the same measurement."""

from typing import Any

import numpy as np

from kspace_denoise.scan import Numpy


def dwell_factor(
    noise_dwell: float | None, scan_dwell: float | None, bandwidth: float | None
) -> tuple[float, list[str]]:
    """Return what makes the covariance of a noise scan that of a scan, and what was assumed.

    Noise power is proportional to the bandwidth of the receiver, 1 / dwell time:
    Psi_scan = Psi_noise (noise_dwell / scan_dwell) / bandwidth, with the share of its nominal
    bandwidth in which the receiver lets noise through (`relativeReceiverNoiseBandwidth`). Dwell
    times in one unit; None or 0 where a header does not say them.
    """
    factor, notes = 1.0, []
    if noise_dwell and scan_dwell:
        factor = noise_dwell / scan_dwell
    else:
        notes.append("dwell times of noise and scan are not both said: taken for equal")
    if bandwidth:
        factor /= bandwidth
    else:
        notes.append("the relative receiver noise bandwidth is not said: taken for 1")
    return factor, notes


def averaged_spectrum(counts: Numpy) -> tuple[Numpy | None, float]:
    """Return how noise power varies over lines that are means of `counts` `(..., ky)` acquisitions.

    Relative to its mean over the acquired lines, None where that is flat; beside it the mean, by
    which averaging multiplies the covariance. Where images differ, the first one speaks.
    """
    first: Any = counts.reshape(-1, counts.shape[-1])[0]
    acquired = first > 0
    power = np.where(acquired, 1 / np.maximum(first, 1), 0.0)
    mean = float(power[acquired].mean())
    if np.all(power[acquired] == power[acquired][0]):
        return None, mean
    return (power / mean).astype(np.float32)[:, None], mean
