"""0.3 T from 3 T against the same phantom scanned at 0.3 T directly."""

import numpy as np
import pytest

from kspace_denoise import sim
from kspace_denoise.fourier import ifft2c
from kspace_denoise.sim.contrast import spin_echo

FIELD, SOURCE, COILS, DRAWS = 0.3, 3.0, 3, 6
SHAPE = (96, 90)


@pytest.fixture(scope="module", params=["T1w", "T2w"])
def scanned(request):
    """Return (contrast, head at 3 T, k-space at 0.3 T in the unit of the source, Ψ)."""
    high, low = (sim.phantom(SHAPE, request.param, b, seed=2, coils=COILS) for b in (SOURCE, FIELD))
    direct = low.kspace * (high.scale / low.scale) * (FIELD / SOURCE) ** 2
    return request.param, high, direct, sim.array_covariance(COILS, seed=0) * 1e-4


def bring_down(scanned, factor, law):
    """Return noisy low-field scans `(draws, coils, ky, kx)` and the result of the simulation."""
    _, head, _, psi = scanned
    source = np.broadcast_to(head.kspace, (DRAWS, *head.kspace.shape))
    noisy = sim.add_noise(source, psi, seed=0)
    return sim.low_field(noisy, psi, FIELD, SOURCE, seed=1, relaxation_factor=factor, noise_law=law)


def factors(scanned):
    """Return the factor of this head's white matter, and the map of all its tissues."""
    contrast, head, _, _ = scanned
    sequence, own = spin_echo(contrast), head.relaxation
    single = sim.relaxation_factor(sequence, own["white"], FIELD, SOURCE)
    whole = sim.relaxation_map(head.tissues, sequence, FIELD, SOURCE, names=own, undefined=1.0)
    return {"one": single, "map": whole}


@pytest.mark.parametrize("mode", ["one", "map"])
@pytest.mark.parametrize("law", ["body", "mixed"])
def test_noise_and_snr_are_those_of_a_scan_at_the_low_field(scanned, mode, law):
    _, head, direct, psi = scanned
    factor = factors(scanned)[mode]
    low = bring_down(scanned, factor, law)
    a, r = FIELD / SOURCE, (0.25 / SOURCE) ** 1.5 * (law == "mixed")
    c = r / (1 + r)
    target = (1 - c) * a**2 * psi + c * np.sqrt(a) * np.diag(np.diag(psi))
    np.testing.assert_allclose(low.noise_covariance, target, rtol=1e-6)
    signal = ifft2c(head.kspace) * a**2 * factor
    noise = np.moveaxis(ifft2c(low.kspace) - signal, 1, 0).reshape(COILS, -1)
    found = noise @ noise.conj().T / noise.shape[1]
    scale = np.sqrt(np.outer(np.diag(target), np.diag(target)).real)
    assert np.max(np.abs(found - target) / scale) < 5 / np.sqrt(noise.shape[1])
    snr, expected = (
        np.sqrt(np.mean(np.abs(part[:, head.tissues["white"] > 0.97]) ** 2) / np.trace(cov).real)
        for part, cov in ((signal, found), (ifft2c(direct), target))
    )
    assert snr == pytest.approx(expected, rel=0.02)


def test_the_map_brings_the_contrast_of_every_tissue_and_one_factor_that_of_its_own(scanned):
    contrast, head, direct, _ = scanned
    source, truth = ifft2c(head.kspace) * (FIELD / SOURCE) ** 2, ifft2c(direct)
    image = {mode: source * factor for mode, factor in factors(scanned).items()}

    def error(mode, tissue):
        inside = head.tissues[tissue] > 0.97
        scaled = np.vdot(truth[:, inside], image[mode][:, inside]).real
        return abs(scaled / np.vdot(truth[:, inside], truth[:, inside]).real - 1)

    tissues = ["white", "cortex", "fat", *(["csf"] if contrast == "T2w" else [])]
    assert error("one", "white") < 0.015
    assert all(error("map", tissue) < 0.03 for tissue in tissues)
    assert error("one", "cortex") > 0.15
    difference = {
        mode: np.linalg.norm((part - truth)[:, head.mask]) for mode, part in image.items()
    }
    assert difference["map"] < 0.2 * difference["one"]
