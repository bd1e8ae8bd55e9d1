"""A warning where a method takes noise for white that is not."""

import warnings

from kspace_denoise.recon.noise_correlation import REACH, correlation_reach
from kspace_denoise.training.images import NoisyImages
from kspace_denoise.training.stationary import measured_correlation

TAKE_WHITE = (
    "c2s", "noise2void", "noise2self", "noise2same", "neighbor2neighbor", "noisier2noise", "r2r",
    "sure", "noise2score", "gsure", "blind-spot", "diffdenoise",
)  # fmt: skip
"""Methods that learn the noise for image, in part, where pixels share it."""
_WORTH_TELLING = 0.1


def warn_if_coloured(method: str, hole: int | None, images: NoisyImages) -> None:
    """Warn where neighbouring pixels of the images share more than a tenth of their noise.

    Not where the `hole` of a blind network is wide enough; None: of other networks. Of images too
    small or few to tell, nothing is said.
    """
    if method not in TAKE_WHITE:
        return
    try:
        correlation = abs(measured_correlation(images).numpy())
    except ValueError:
        return
    reach = correlation_reach(correlation)
    down, right = correlation[REACH + 1, REACH], correlation[REACH, REACH + 1]
    if reach <= (hole or 1) // 2 or max(down, right) < _WORTH_TELLING:
        return
    better = "c2s with domain = 'stationary' (--domain)"
    if hole is not None:
        better = f"a network with hole = {2 * reach + 1}, or {better}"
    warnings.warn(
        f"noise of neighbouring pixels is correlated by {down:.2f} down and {right:.2f} across, "
        f"over {reach} pixels, measured where the images are flat, and {method} takes it for "
        f"independent: some of it will stay; better {better}",
        stacklevel=3,
    )
