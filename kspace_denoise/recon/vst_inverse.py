"""The exact unbiased inverse of a stabiliser: from the mean of its values to the amplitude.

After M. Makitalo and A. Foi, "Optimal inversion of the Anscombe transformation", IEEE Trans. Image
Process. 20:99, 2011, and Foi (ISBI 2011) for Rician noise.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from kspace_denoise.arrays import Array, namespace
from kspace_denoise.recon.cubic_table import CubicTable, Values
from kspace_denoise.recon.vst_forms import Form, Stabiliser, stabiliser
from kspace_denoise.sim.magnitude_noise import MagnitudeNoise

_STEP = 0.02  # of the table, in sqrt(mean - floor)


@dataclass(frozen=True, eq=False)
class UnbiasedInverse:
    """The amplitude nu over sigma whose stabilised mean E f is y.

    E f is even in nu, so nu is a smooth function of sqrt(y - floor), and that is the table. From
    its end on the approximation for high SNR is right within 1e-5, and better the larger y is.

    Attributes:
        floor: the mean without signal. At and below it the amplitude is 0.
    """

    floor: float
    table: CubicTable
    end: float
    stabiliser: Stabiliser

    def __call__(self, y: Array) -> Array:
        """Return nu, at least 0."""
        xp = namespace(y)
        near = self.table(xp.sqrt(xp.clip(y - self.floor, 0.0, None)))
        return xp.where(y < self.end, near, self.stabiliser.far(xp.clip(y, self.end, None)))


@lru_cache(maxsize=32)
def unbiased_inverse(form: Form, coils: float) -> UnbiasedInverse:
    """Return the inverse for the stabiliser of this form; made once for each number of coils."""
    near = math.sqrt(2 * coils) + 8
    amplitudes = np.r_[np.arange(0, near, 0.1), np.arange(near, 2 * near, 0.5)]
    f = stabiliser(form, coils)
    means = _means(f, amplitudes)
    root = np.sqrt(means - means[0])
    table = CubicTable.sampled(root, amplitudes, _STEP)
    return UnbiasedInverse(float(means[0]), table, float(means[-1]), f)


def _means(f: Stabiliser, amplitudes: Values) -> Values:
    """Return E f for each amplitude in units of sigma, by quadrature."""
    m, z, weights = f.nodes(math.hypot(amplitudes[-1], math.sqrt(2 * f.coils)) + 10)
    noise = MagnitudeNoise(1.0, f.coils)
    return np.array([np.sum(weights * z * noise.density(m, nu)) for nu in amplitudes])
