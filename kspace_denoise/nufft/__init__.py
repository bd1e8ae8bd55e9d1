"""The non-uniform Fourier transform: the only place in the package that calls a library for it.

A trajectory is `(readouts, samples, 2)`, its last axis (ky, kx) in cycles per field of view: the
integers j - n // 2 are the Cartesian samples of an axis of n points. The transform is scaled as the
Cartesian one is, so the two agree at the integers and white noise keeps its sigma.
"""

from kspace_denoise.nufft.trajectory import check_trajectory
from kspace_denoise.nufft.transform import Nufft

__all__ = ["Nufft", "check_trajectory"]
