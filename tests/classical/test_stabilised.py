import numpy as np
import pytest

from kspace_denoise.classical import Stabilised
from tests.helpers import assert_same_kind


def test_a_stabilised_denoiser_sees_even_noise_and_leaves_no_bias():
    sigma, amplitude = 0.2, 0.3
    noise = np.random.default_rng(0).normal(0, sigma, (2, 100, 100))
    magnitudes = np.hypot(amplitude + noise[0], noise[1])
    seen = {}

    def mean(even: np.ndarray, level: float) -> np.ndarray:
        seen["level"], seen["spread"] = level, even.std()
        return np.full_like(even, even.mean())

    found = Stabilised(mean)(magnitudes, sigma)
    assert seen["level"] == 1
    assert seen["spread"] == pytest.approx(1, abs=0.02 + 5 / np.sqrt(2e4))
    error = 5 * sigma / (0.3 * np.sqrt(1e4))  # 0.3: the least slope of the transform
    assert found.mean() == pytest.approx(amplitude, abs=error)
    assert magnitudes.mean() > amplitude + 2 * error


def test_every_kind_of_array_comes_back(kind):
    magnitudes = kind(np.full((6, 5), 2.0, np.float32))
    assert_same_kind(Stabilised(lambda even, _: even)(magnitudes, 0.1), magnitudes)
    with pytest.raises(ValueError, match="vst is for magnitude images, and these are complex"):
        Stabilised(lambda even, _: even)(kind(np.ones((6, 5), np.complex64)), 0.1)
