"""GSURE from multi-coil k-space that is noisy and undersampled."""

import dataclasses

import numpy as np
import pytest
import torch

import kspace_denoise as kd
from kspace_denoise import sim
from kspace_denoise.recon.spectral import noise_of_components
from kspace_denoise.training.lattice import lattice_within
from kspace_denoise.training.measurements import Measurements, training_measurements
from kspace_denoise.training.subjects import Subject
from tests.training.scans import TINY

SHAPE, COILS, COUNT = (32, 24), 4, 3


def said(kind: str = "equispaced", acceleration: float = 2) -> dict[str, object]:
    """Return how masks were drawn, as `simulate` records it."""
    return {"mask": kind, "acceleration": acceleration, "calibration": 8, "mask_axis": -1}


def scan(kind: str = "equispaced", acceleration: float = 2) -> kd.Scan:
    """Return slices of correlated coils, each with a mask of its own."""
    psi = 1e-3 * sim.array_covariance(COILS, seed=1)
    heads = [sim.phantom(SHAPE, seed=i, coils=COILS).kspace for i in range(COUNT)]
    noisy = sim.add_noise(np.stack(heads), psi, seed=0)
    masks = np.stack([sim.mask(kind, SHAPE, acceleration, 8, seed=i) for i in range(COUNT)])
    header = {"provenance": {"parameters": said(kind, acceleration)}}
    kspace = noisy * masks[:, None]
    return kd.Scan(kspace=kspace, mask=masks, noise_covariance=psi, header=header)


def measurements(source: kd.Scan | None = None) -> Measurements:
    found = Measurements.collect(training_measurements([Subject(source or scan())]))
    return found.with_density()


def test_slices_are_whitened_through_maps_of_unit_norm():
    found = measurements()
    assert len(found.slices) == COUNT
    for one, mask in zip(found.slices, scan().mask, strict=True):
        norm = one.maps.abs().square().sum(0).sqrt()
        torch.testing.assert_close(norm[norm > 0], torch.ones_like(norm[norm > 0]))
        assert np.array_equal(one.mask.numpy() != 0, mask[:1])
        assert torch.equal(one.kspace.abs().sum((0, 1)) > 0, torch.from_numpy(mask[0]))
        expected = sim.mask_probability("equispaced", SHAPE, 2, 8)
        np.testing.assert_array_equal(one.density.numpy(), expected)


def test_a_batch_holds_images_of_order_one_with_their_noise():
    found = measurements()
    batch = found.draw(6, 8, torch.Generator().manual_seed(0))
    for measured in batch.scans:
        image = measured.shown.image(measured.shown.seen(measured.kspace))
        assert 0.7 < float(image.abs().square().mean().sqrt()) < 1.4
        assert measured.shown.vectors.shape[-1] == 2  # by the lattice, calibration left out
    rms = {round(one.rms, 3) for one in found.slices}
    assert {round(1 / measured.sigma, 3) for measured in batch.scans} <= rms


def test_the_levels_begin_where_a_scan_shows_as_much_as_its_mask_has_samples():
    found = measurements()
    expected = []
    for index, one in enumerate(found.slices):
        noise = noise_of_components(found.shown(index), 1 / one.rms).flatten().sort().values
        expected.append(float(noise[int(one.mask.sum()) * SHAPE[0] - 1]))
    assert found.largest_noise == pytest.approx(np.median(expected), rel=1e-6)
    full = dataclasses.replace(scan("equispaced", 1), mask=None)
    alone = measurements(full)
    assert all(one.mask is None for one in alone.slices)
    middle = np.median([1 / one.rms for one in alone.slices])
    assert alone.largest_noise == pytest.approx(middle, rel=1e-5)


def test_the_density_of_masks_of_unknown_kind_is_their_mean():
    unsaid = dataclasses.replace(scan(), header={})
    for one in measurements(unsaid).slices:
        np.testing.assert_allclose(one.density, scan().mask.mean(axis=0), rtol=1e-6)
    losses = kd.train("gsure", unsaid, config=TINY.replace(steps=3)).record["losses"]
    assert np.isfinite([loss for _, loss in losses]).all()


def test_the_record_is_found_behind_later_ones():
    later = {"provenance": {"parameters": {"source_provenance": scan().header["provenance"]}}}
    found = measurements(dataclasses.replace(scan(), header=later)).slices[0].density
    np.testing.assert_array_equal(found, measurements().slices[0].density)


@pytest.mark.parametrize(
    "header", [{"provenance": "text"}, {"provenance": [1]}, {"provenance": {}}]
)
def test_a_record_of_another_form_says_nothing(header):
    found = measurements(dataclasses.replace(scan(), header=header)).slices[0].density
    np.testing.assert_allclose(found, scan().mask.mean(axis=0), rtol=1e-6)


def test_masks_that_never_sample_some_lines_are_weighed_with_the_others():
    """Outside of its 8 calibration lines a mask of these scans is never there."""
    wide = scan("equispaced", 2)
    centre = np.zeros((1, 1, SHAPE[1]), bool)
    centre[..., 8:16] = True
    narrow = dataclasses.replace(
        wide, kspace=wide.kspace * centre, mask=np.broadcast_to(centre, (COUNT, 1, SHAPE[1])),
        header={},
    )  # fmt: skip
    full = dataclasses.replace(scan("equispaced", 1), mask=None)
    subjects = [Subject(narrow), Subject(full)]
    found = Measurements.collect(training_measurements(subjects)).with_density()
    expected = np.where(centre[0, 0], 1.0, 0.5)
    for one in found.slices:
        np.testing.assert_allclose(one.density.numpy()[0], expected)
    losses = kd.train("gsure", [narrow, full], config=TINY.replace(steps=3)).record["losses"]
    assert np.isfinite([loss for _, loss in losses]).all()


def test_full_data_have_density_one_whatever_the_record_says():
    full = dataclasses.replace(scan("equispaced", 1), mask=None, header=scan().header)
    assert measurements(full).slices[0].density.eq(1).all()


def test_double_precision_is_taken_as_single():
    double = dataclasses.replace(scan(), kspace=scan().kspace.astype(np.complex128))
    assert measurements(double).slices[0].kspace.dtype == torch.complex64
    kd.train("gsure", double, config=TINY.replace(steps=1))


def test_gsure_trains_from_coils_and_becomes_a_prior():
    denoiser = kd.train("gsure", scan(), config=TINY.replace(steps=3))
    assert denoiser.objective.smallest == pytest.approx(measurements().largest_noise, rel=1e-3)
    image = np.ones((2, *SHAPE), np.complex64)
    assert denoiser.prior(1.0)(image, 0.3).shape == image.shape


def test_what_it_learns_is_closer_to_images_that_nobody_showed_it():
    """Of its own scans without their noise, at a level at which they are hardly seen."""
    truth = np.stack([sim.phantom(SHAPE, seed=i).image for i in range(COUNT)])
    rms = float(np.sqrt(np.mean(np.abs(truth) ** 2)))
    noisy = sim.add_noise(truth[:, None], np.array([[2 * rms**2]]), seed=5)[:, 0]

    def error(steps: int) -> float:
        config = TINY.replace(steps=steps, learning_rate=3e-3)
        clean = kd.train("gsure", scan(), config=config).prior(rms)(noisy, rms)
        return float(np.mean(np.abs(clean - truth) ** 2)) / rms**2

    assert error(40) < 0.8 * error(1)


def of_other_lines() -> kd.Scan:
    """Return scans whose record is of masks along the other axis."""
    header = {"provenance": {"parameters": {**said(), "mask_axis": -2}}}
    return dataclasses.replace(scan(), header=header)


def of_one_mask() -> kd.Scan:
    masks = np.repeat(scan().mask[:1], COUNT, axis=0)
    return dataclasses.replace(scan(), mask=masks, kspace=scan().kspace * masks[:, None])


WRONG = {
    "the mask is no such mask": (of_other_lines, TINY),
    "sampled in none of the 3 slices": (of_one_mask, TINY),
    "of several coils, which the paper leaves for later": (scan, TINY.replace(paper=True)),
    "varies along both axes": (lambda: scan("poisson", 2), TINY),
    "takes it for white": (
        lambda: dataclasses.replace(scan(), noise_spectrum=np.linspace(0.5, 1.5, SHAPE[1])),
        TINY,
    ),
}


@pytest.mark.parametrize("message", WRONG)
def test_what_cannot_be_learnt_from_is_refused(message):
    make, config = WRONG[message]
    with pytest.raises(ValueError, match=message):
        kd.train("gsure", make(), config=config)


def test_the_lattice_is_found_among_calibration_lines():
    line = torch.zeros(24)
    line[1::4] = 1
    lattice = line.clone()
    line[10:14] = 1
    assert torch.equal(lattice_within(line), lattice)
    assert torch.equal(lattice_within(lattice), lattice)
    assert torch.equal(lattice_within(torch.ones(24)), torch.ones(24))


def test_without_a_lattice_a_mask_stays_as_it_is():
    line = torch.from_numpy(sim.mask("random", (1, 24), 3, 4, seed=1)[0].astype(np.float32))
    assert torch.equal(lattice_within(line), line)
    odd = torch.zeros(25)
    odd[::4] = 1
    assert torch.equal(lattice_within(odd), odd)
