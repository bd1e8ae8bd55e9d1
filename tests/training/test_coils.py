"""Coil2Coil: two groups of coils, whose noise is independent whatever the coils' own is."""

import dataclasses

import numpy as np
import pytest
import torch

import kspace_denoise as kd
from kspace_denoise import recon, sim
from kspace_denoise.objectives import Coil2Coil
from kspace_denoise.objectives.two_groups import TwoGroups
from kspace_denoise.training.coils import CoilImages, Coils, combined, training_coils
from kspace_denoise.training.subjects import Recipe, Subject
from tests.objectives.toys import Gain, best_gain
from tests.recon.cases import smooth_maps
from tests.training.scans import SHAPE, TINY, magnitudes, scan

PSI = sim.array_covariance(4, seed=1)
SIZE = 256


def coils(signal: float, seed: int = 0, psi: np.ndarray = PSI) -> Coils:
    """Return whitened images of white objects, `signal` per component, through correlated coils."""
    rng = np.random.default_rng(seed)
    maps = smooth_maps(4, (SIZE, SIZE))
    parts = rng.standard_normal((2, SIZE, SIZE))
    clean = maps * signal * (parts[0] + 1j * parts[1])
    noisy = sim.add_noise(clean.astype(np.complex64), psi, seed=rng)
    white = recon.whiten(noisy, psi), recon.whiten(maps, psi)
    return Coils(*(torch.from_numpy(np.array(x, np.complex64)) for x in white))


def drawn(signal: float, seed: int = 0, psi: np.ndarray = PSI):
    data = CoilImages((coils(signal, seed, psi),), Coil2Coil())
    return data.draw(4, SIZE, torch.Generator().manual_seed(seed))


def test_the_noise_of_two_groups_is_independent_and_of_the_level_that_is_told():
    batch = drawn(signal=0.0)
    count = batch.image[0].numel()
    for image, other, sigma in zip(batch.image, batch.other, batch.sigma, strict=True):
        for noise in (image, other):
            power = float(noise.abs().square().mean()) / (2 * float(sigma) ** 2)
            assert power == pytest.approx(1, abs=5 / count**0.5)
        together = (image * other.conj()).mean() / (2 * sigma**2)
        assert float(together.abs()) < 5 / count**0.5


def test_without_whitening_the_groups_would_share_noise():
    mixed = coils(0.0)
    unmixed = torch.from_numpy(np.linalg.inv(recon.whitening_matrix(PSI))).to(torch.complex64)
    raw = Coils(torch.einsum("ij,jyx->iyx", unmixed, mixed.images), mixed.maps)
    first, other = (combined(raw, torch.tensor(group))[0] for group in ([0, 1], [2, 3]))
    power = (first.abs().square().mean() * other.abs().square().mean()).sqrt()
    shared = float((first * other.conj()).mean().abs() / power)
    assert shared > 20 / SIZE


def test_the_minimiser_is_the_wiener_gain_of_the_first_group():
    """f(u_J) = √P_J E[x | u_J] in every pixel: u_J P_J s² / (P_J s² + 1), for one P_J."""
    one = coils(1.0)
    maps = 0.5 * one.maps / one.maps.abs()
    generator = torch.Generator().manual_seed(3)
    clean, *noise = (
        2**0.5 * torch.randn(SIZE, SIZE, dtype=torch.complex64, generator=generator)
        for _ in range(5)
    )
    flat = Coils(maps * clean + torch.stack(noise), maps)
    batch = CoilImages((flat,), Coil2Coil.paper()).draw(4, SIZE, generator)
    gain, floor = best_gain(Coil2Coil.paper(), batch)
    # Two coils each: P = 0.5, gain 0.5 / 1.5; the floor is the mean of error and noise.
    count = 4 * 2 * SIZE**2
    assert gain == pytest.approx(1 / 3, abs=5 / count**0.5 * 4)
    unit = float(batch.sigma.square().mean())
    assert floor == pytest.approx(unit * (1 + 0.5 / 1.5), rel=5 * (2 / count) ** 0.5 * 2)


def test_groups_of_unequal_strength_have_the_minimiser_of_the_first():
    """Coils of strength 1 and 3, one each: gains 1 / 2 and 9 / 10, whichever comes first."""
    generator = torch.Generator().manual_seed(5)
    clean, *noise = (
        2**0.5 * torch.randn(SIZE, SIZE, dtype=torch.complex64, generator=generator)
        for _ in range(3)
    )
    maps = torch.stack([torch.full((SIZE, SIZE), k * 1j, dtype=torch.complex64) for k in (1, 3)])
    data = CoilImages((Coils(maps * clean + torch.stack(noise), maps),), Coil2Coil())
    batch = data.draw(8, SIZE, generator)
    weak = batch.ratio[:, 0, 0] > 1
    assert batch.ratio[weak].unique().tolist() == pytest.approx([3.0])
    assert batch.ratio[~weak].unique().tolist() == pytest.approx([1 / 3])
    for chosen, expected in ((weak, 1 / 2), (~weak, 9 / 10)):
        count = int(chosen.sum())
        assert count
        part = TwoGroups(
            batch.image[chosen], batch.sigma[chosen],
            other=batch.other[chosen], ratio=batch.ratio[chosen],
        )  # fmt: skip
        gain, _ = best_gain(Coil2Coil(), part)
        assert gain == pytest.approx(expected, abs=5 * 4 / (2 * SIZE**2) ** 0.5)
        assert sum(len(piece) for piece in part.split(2)) == count
        whole = Coil2Coil().loss(Gain(0.3), part, torch.Generator())
        pieces = [
            (len(x) / count) * Coil2Coil().loss(Gain(0.3), x, torch.Generator())
            for x in part.split(2)
        ]
        torch.testing.assert_close(sum(pieces), whole)


def test_groups_are_of_the_sizes_that_are_asked_for():
    generator = torch.Generator().manual_seed(0)
    sizes = {
        name: {CoilImages((), objective)._size(8, generator) for _ in range(200)}
        for name, objective in (
            ("default", Coil2Coil()), ("paper", Coil2Coil.paper()), ("few", Coil2Coil(0.1)),
        )
    }  # fmt: skip
    assert sizes == {"default": {4, 5, 6, 7}, "paper": {4}, "few": set(range(1, 8))}
    assert {CoilImages((), Coil2Coil())._size(2, generator) for _ in range(20)} == {1}


def test_where_the_first_group_sees_nothing_nothing_is_asked():
    one = coils(1.0)
    one.maps[:2, :9] = 0
    data = CoilImages((one,), Coil2Coil.paper())
    batches = [data.draw(1, SIZE, torch.Generator().manual_seed(seed)) for seed in range(8)]
    assert all(bool(batch.ratio.isfinite().all()) for batch in batches)
    assert any(bool((batch.ratio == 0).any()) for batch in batches)
    assert np.isfinite(float(Coil2Coil().loss(Gain(1.0), batches[0], torch.Generator())))


def test_a_denoiser_is_trained_and_used(tmp_path):
    denoiser = kd.train("coil2coil", scan(), config=TINY)
    image = kd.denoise(scan(), denoiser).image
    assert image.shape == (2, *SHAPE)
    assert np.isfinite(image).all()
    checkpoint = tmp_path / "checkpoint"
    half = kd.train("coil2coil", scan(), config=TINY.replace(steps=2), checkpoint=checkpoint)
    assert half.record["steps"] == 2


def test_what_has_no_coils_to_compare_is_refused():
    one_coil = dataclasses.replace(
        scan(), kspace=scan().kspace[:, :1], noise_covariance=scan().noise_covariance[:1, :1]
    )
    mask = np.zeros((1, SHAPE[1]), bool)
    mask[:, ::2] = True
    mask[:, 12:24] = True
    undersampled = dataclasses.replace(scan(), kspace=scan().kspace * mask, mask=mask)
    for source, message in (
        (one_coil, "scan 1 has only one, or is images"),
        (magnitudes(), "scan 1 has only one, or is images"),
        (undersampled, "scan 1 is undersampled: they alias"),
    ):
        with pytest.raises(ValueError, match=message):
            kd.train("coil2coil", source, config=TINY)
    with pytest.raises(ValueError, match="leave stage at 'after-sense', and contrasts and the"):
        kd.train("coil2coil", scan(), "before-sense", config=TINY)
    with pytest.raises(ValueError, match="the penalty of SENSE out"):
        kd.train("coil2coil", scan(), config=TINY, regularisation=0.1)
    with pytest.raises(ValueError, match="smallest is 1, expected a share of the coils"):
        Coil2Coil(smallest=1)
    with pytest.raises(ValueError, match="every slice is blank"):
        CoilImages.collect(training_coils([], Recipe("after-sense")), Coil2Coil())
    half = dataclasses.replace(scan(), kspace=scan().kspace * np.array([0, 1])[:, None, None, None])
    assert len(list(training_coils([Subject(half)], Recipe("after-sense")))) == 1
