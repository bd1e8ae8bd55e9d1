"""The whole chain on a GPU gives what it gives on the CPU, and stays there."""

import numpy as np
import pytest
import torch

from kspace_denoise.arrays import to_numpy
from kspace_denoise.fourier import fft2c
from kspace_denoise.recon import espirit, estimate_noise, rss, sense, whiten
from tests.helpers import complex_array
from tests.recon.cases import disc, smooth_maps

SIZE = (64, 60)


def chain(kspace, line, plane):
    """Return what every function of the chain makes of the k-space."""
    psi = estimate_noise(kspace).covariance
    white = whiten(kspace, psi)
    maps = espirit(white, sigma=1.0)
    full = sense(kspace, maps, None, psi)
    lines = sense(white, maps, line, regularisation=0.01)
    return {
        "psi": psi,
        "maps": maps,
        "rss": rss(kspace),
        "image": full.image,
        "sigma": full.sigma,
        "lines": lines.image,
        "lines sigma": lines.sigma,
        "replicas": sense(white, maps, plane, replicas=2, regularisation=0.01).sigma,
    }


@pytest.mark.cuda
def test_the_chain_runs_on_the_gpu(rng):
    kspace = 50 * fft2c(smooth_maps(4, SIZE) * disc(SIZE)) + complex_array(rng, (3, 4, *SIZE))
    kspace = kspace.astype(np.complex64)
    line, plane = np.arange(60) % 2, rng.random(SIZE) < 0.7
    expected = chain(kspace, line, plane)
    found = chain(torch.from_numpy(kspace).cuda(), line, plane)
    for name, values in found.items():
        assert values.is_cuda, name
        if name != "replicas":  # a GPU draws its own noise
            error = np.linalg.norm(to_numpy(values) - expected[name])
            assert error < 1e-3 * np.linalg.norm(expected[name]), name
