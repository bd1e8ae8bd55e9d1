"""From a noisy image to a draw of the clean one: the reverse diffusion, by any denoiser."""

import itertools
import math
from collections.abc import Callable, Sequence

from kspace_denoise.arrays import Array
from kspace_denoise.recon.estimate import Denoise


def reverse_diffusion(
    denoise: Denoise, x: Array, levels: Sequence[float], noise: Callable[[], Array]
) -> Array:
    """Draw clean images given images `x` of noise level `levels[0]`; torch.

    The stochastic differential equation of noise of growing variance, with the clean estimate D
    linear in λ = -log(level) between levels: with q = (l' / l)² and h = log(l / l'),

    ```text
    x' = q x + (1 - q) D + (h - (1 - q) / 2) ∂D/∂λ + l' √(1 - q) n
    ```

    and ∂D/∂λ from the two last estimates (the multistep idea of SDE-DPM-Solver++, Lu et al., 2022,
    with the exact weight). Behind the last level stands the clean estimate itself, so that level
    should be well below what matters.
    """
    before: Array = None
    stride_before = 1.0
    for level, following in itertools.pairwise(levels):
        clean = denoise(x, level)
        q, stride = (following / level) ** 2, math.log(level / following)
        x = q * x + (1 - q) * clean
        if before is not None:
            x = x + (clean - before) * ((stride - (1 - q) / 2) / stride_before)
        x = x + following * math.sqrt(1 - q) * noise()
        before, stride_before = clean, stride
    return denoise(x, levels[-1])
