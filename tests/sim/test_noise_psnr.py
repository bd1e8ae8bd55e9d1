"""What noise does to PSNR: the formulas of methods.md 6.3, over a million pixels of phantoms."""

import math

import numpy as np
import pytest

import kspace_denoise as kd
from kspace_denoise import sim


@pytest.fixture(scope="module")
def patches() -> np.ndarray:
    heads = [np.abs(sim.phantom((256, 256), seed=s).image) for s in range(16)]
    return np.stack([x / x.max() for x in heads])


@pytest.mark.parametrize("law", ["gaussian", "poisson", "gamma", "blur-0.5", "blur-1.2"])
def test_the_psnr_of_noisy_images_is_that_of_the_formula(patches: np.ndarray, law: str) -> None:
    """Data range 1, nothing clipped: of counts by the mean of x, of speckle by that of x²."""
    level = 6 / 255
    if law == "gaussian":
        noisy = patches + level * np.random.default_rng(0).standard_normal(patches.shape)
        power = level**2
    elif law == "poisson":
        noisy, power = sim.PoissonNoise(200.0).sample(patches, 1), patches.mean() / 200
    elif law == "gamma":
        noisy, power = sim.GammaNoise(100.0).sample(patches, 2), (patches**2).mean() / 100
    else:
        blurred = sim.BlurredNoise(level, float(law.removeprefix("blur-")))
        noisy, power = blurred.sample(patches, 3), level**2
    assert patches.size > 1e6
    found = kd.metrics.psnr(noisy, patches, data_range=1.0)
    assert found == pytest.approx(-10 * math.log10(power), abs=0.02)
    if law == "gaussian":
        assert found == pytest.approx(32.57, abs=0.02)  # of 6/255, as in the paper's table
