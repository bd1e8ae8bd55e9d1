"""What the noise laws of images have in common."""

from collections.abc import Callable
from typing import Any

import numpy as np

from kspace_denoise.arrays import to_numpy
from kspace_denoise.sim import GammaNoise, PoissonNoise
from tests.helpers import assert_same_kind


def check_image_law(
    noise: PoissonNoise | GammaNoise, image: np.ndarray, kind: Callable[[np.ndarray], Any]
) -> None:
    """Check kind and precision, that the image is left alone, the seed, and that 0 stays 0."""
    given = kind(image)
    for result in (noise.sample(given, 0), noise.mean(given), noise.variance(given)):
        assert_same_kind(result, given)
        assert to_numpy(result).dtype == image.dtype
    np.testing.assert_array_equal(to_numpy(given), image)
    first = to_numpy(noise.sample(given, 0))
    np.testing.assert_array_equal(first, to_numpy(noise.sample(given, 0)))
    assert not np.array_equal(first, to_numpy(noise.sample(given, 1)))
    np.testing.assert_array_equal(first[image == 0], 0)
