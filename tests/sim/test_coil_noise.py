"""Noise drawn in blocks: one result for any number of threads, and no block repeats another."""

import numpy as np
import pytest
import torch

from kspace_denoise import sim
from kspace_denoise.sim.coil_noise import _BLOCK
from tests.helpers import complex_array, random_covariance


def test_the_number_of_threads_does_not_matter(rng):
    kspace = complex_array(rng, (4, 3, 240, 201))
    assert kspace.size > 2 * _BLOCK
    psi = random_covariance(rng, 3)
    before = torch.get_num_threads()
    try:
        drawn = []
        for threads in (1, 2, 5):
            torch.set_num_threads(threads)
            drawn.append(sim.add_noise(kspace, psi, seed=4))
    finally:
        torch.set_num_threads(before)
    np.testing.assert_array_equal(drawn[0], drawn[1])
    np.testing.assert_array_equal(drawn[0], drawn[2])


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 5, 7), (2, 3, 240, 201), (0, 2, 3, 3)])
def test_noise_added_is_the_noise_alone_added(rng, shape):
    kspace = complex_array(rng, shape).astype(np.complex128)
    psi = random_covariance(rng, shape[-3])
    noise = sim.noise_like(kspace, psi, seed=2)
    np.testing.assert_allclose(sim.add_noise(kspace, psi, seed=2), kspace + noise, rtol=1e-12)


def test_blocks_and_slices_are_independent():
    # One coil, so that a block is _BLOCK samples in a row; sixteen of them share eight streams.
    noise = sim.noise_like(np.zeros((2, 1, 8, _BLOCK), np.complex64), 2 * np.eye(1), seed=0)
    blocks = noise.reshape(16, _BLOCK)
    gram = blocks @ blocks.conj().T / _BLOCK
    # 120 independent correlations: |r|² is exponential with mean 4 / _BLOCK.
    off = np.abs(gram[np.triu_indices(16, 1)]) ** 2
    assert off.max() < 4 / _BLOCK * np.log(120 / 1e-6)
    assert np.abs(np.diag(gram).real - 2).max() < 5.5 * 2 / np.sqrt(_BLOCK)


def test_a_generator_moves_on_and_repeats_from_its_state():
    empty = np.zeros((1, 4, 4), np.complex64)
    for make in (np.random.default_rng, lambda s: torch.Generator().manual_seed(s)):
        generator, again = make(3), make(3)
        first = sim.noise_like(empty, np.eye(1), seed=generator)
        second = sim.noise_like(empty, np.eye(1), seed=generator)
        assert not np.array_equal(first, second)
        np.testing.assert_array_equal(first, sim.noise_like(empty, np.eye(1), seed=again))


def test_gradients_pass_through_added_noise():
    kspace = torch.ones((1, 3, 3), dtype=torch.complex64, requires_grad=True)
    torch.abs(sim.add_noise(kspace, np.eye(1), seed=0)).sum().backward()
    assert kspace.grad is not None
    assert bool((kspace.grad.abs() > 0).all())


def test_a_negative_seed_is_refused_by_name():
    with pytest.raises(ValueError, match="seed is -1, expected an integer of at least 0"):
        sim.noise_like(np.zeros((1, 4, 4), np.complex64), np.eye(1), seed=-1)
