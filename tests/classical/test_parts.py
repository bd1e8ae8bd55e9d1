"""Complex images without their smooth phase: what comes back, and what the phase does to noise."""

import numpy as np
import torch

from kspace_denoise import sim
from kspace_denoise.classical.parts import denoise_apart, denoise_each
from kspace_denoise.phase import smooth_phase
from tests.helpers import complex_array


def test_parts_that_nothing_happens_to_are_the_image_again(rng):
    images = complex_array(rng, (3, 20, 17)).astype(np.complex128)
    for width in (0.0, 4.0):
        np.testing.assert_allclose(denoise_each(images, width, np.copy), images, atol=1e-14)


def test_with_its_phase_off_a_phantom_is_in_the_real_part():
    head = torch.from_numpy(np.asarray(sim.phantom((96, 80), seed=2).image))[None]
    seen = []

    def keep(parts: torch.Tensor) -> torch.Tensor:
        seen.append(parts.square().sum((0, 2, 3)))
        return parts

    denoise_apart(head, smooth_phase(head, 4.0), keep)
    real, imaginary = seen[0]
    assert imaginary < 0.01 * real


def test_the_smooth_phase_of_pure_noise_gives_its_real_part_a_mean(rng):
    """The noise at a pixel is a part of what the Gaussian there sums: sigma / (√2 width)."""
    noise = torch.from_numpy(complex_array(rng, (8, 160, 160)))
    for width in (2.0, 4.0):
        reach = int(4 * width)
        inside = slice(reach, 160 - reach)
        turned = (noise * smooth_phase(noise, width).conj())[:, inside, inside]
        blocks = turned.real.unfold(1, 32, 32).unfold(2, 32, 32).mean((-2, -1))
        error = float(blocks.std() / blocks.numel() ** 0.5)
        assert abs(float(blocks.mean()) - 1 / (2**0.5 * width)) < 5 * error
        assert error < 0.02
