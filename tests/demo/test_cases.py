"""The protocol of the demo: what is scored against what."""

import dataclasses

import numpy as np
import pytest

from kspace_denoise import sim
from kspace_denoise.arrays import to_numpy
from kspace_denoise.demo import phantom_experiment, phantoms
from kspace_denoise.demo.cases import best_nlm, unbiased_error, untouched
from kspace_denoise.demo.phantom_experiment import TEST_SNR, unseen_cases
from kspace_denoise.demo.raw_experiment import LOW_SNR, choose_reference, raw_cases, scan_snr
from kspace_denoise.demo.scores import data_range, mean_row, paired_gain
from kspace_denoise.scan import Scan
from kspace_denoise.stages import known_noise


@pytest.fixture(scope="module")
def cases():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(phantoms, "SHAPE", (63, 60))
        patch.setattr("kspace_denoise.demo.phantom_experiment.TEST_SUBJECTS", 1)
        yield unseen_cases(seed=0)


def test_phantoms_have_the_snr_that_was_asked_for(cases):
    for case in cases:
        snr = np.abs(case.reference)[case.mask].mean()
        assert snr == pytest.approx(TEST_SNR, rel=0.03)  # maps are estimated at this SNR


def test_the_noise_of_the_cases_is_one_and_independent(cases):
    pixels = np.concatenate([case.mask.ravel() for case in cases]).sum()
    first = np.concatenate([(c.noisy - c.reference)[c.mask] for c in cases])
    second = np.concatenate(
        [(to_numpy(c.repetition.image) / c.repetition.sigma - c.reference)[c.mask] for c in cases]
    )
    for noise in (first, second):
        assert np.mean(np.abs(noise) ** 2) / 2 == pytest.approx(1, abs=5 / np.sqrt(pixels))
    assert abs(np.vdot(first, second)) / pixels / 2 < 5 / np.sqrt(pixels)


def test_noisy_scores_one_and_the_reference_scores_zero(cases):
    assert unbiased_error(untouched(cases), cases).sigma == pytest.approx(1, abs=0.03)
    both = dataclasses.replace(
        untouched(cases),
        images=np.stack([case.reference for case in cases]),
        repetitions=np.stack([case.reference for case in cases]),
    )
    assert unbiased_error(both, cases).value == pytest.approx(0, abs=0.1)


def test_nlm_gets_its_best_strength_inside_the_range_that_was_tried(cases):
    outcome = best_nlm(cases[:2])
    tried = int(outcome.note.split("best of ")[1].split(" ")[0])
    assert tried >= 12
    noisy = mean_row(untouched(cases[:2]), cases[:2], data_range(cases[:2]))
    assert mean_row(outcome, cases[:2], data_range(cases[:2]))["psnr_db"] > noisy["psnr_db"] + 1


def test_training_and_test_subjects_are_never_the_same(monkeypatch):
    drawn = []

    def remember(seed, *_, **__):
        drawn.append(seed)
        raise StopIteration

    monkeypatch.setattr(phantom_experiment, "scan_phantom", remember)
    for seed in (0, 1, 2):
        first = 2 * seed * phantom_experiment.TEST_SEEDS
        for function, expected in (
            (phantom_experiment.training_scans, first),
            (phantom_experiment.unseen_cases, first + phantom_experiment.TEST_SEEDS),
        ):
            with pytest.raises((StopIteration, RuntimeError)):
                function(seed)
            assert drawn.pop() == expected
    subjects = phantom_experiment.TRAINING_SUBJECTS, phantom_experiment.TEST_SUBJECTS
    assert max(subjects) < phantom_experiment.TEST_SEEDS


def test_a_better_scan_is_made_noisy_down_to_the_snr(monkeypatch):
    monkeypatch.setattr(phantoms, "SLICES", 1)
    monkeypatch.setattr(phantoms, "SHAPE", (64, 64))
    scan = phantoms.scan_phantom(seed=3, snr=60).scans[0]
    source = choose_reference(scan, known_noise(scan), None, seed=0)
    assert source.better is scan
    assert scan_snr(source.scan, source.noise) == pytest.approx(LOW_SNR, rel=0.1)
    poor = phantoms.scan_phantom(seed=3, snr=9).scans[0]
    assert choose_reference(poor, known_noise(poor), None, seed=0).reference == "none"
    with pytest.raises(ValueError, match="expected another repetition of the same scan"):
        choose_reference(scan, known_noise(scan), Scan(kspace=scan.kspace[:, :2]), seed=0)


def test_gains_are_paired_over_slices(cases):
    noisy = untouched(cases)
    better = dataclasses.replace(
        noisy,
        images=np.stack([(case.noisy + case.reference) / 2 for case in cases]),
    )
    gain = paired_gain(better, noisy, cases, data_range(cases))
    assert gain["psnr_gain_db"] == pytest.approx(20 * np.log10(2), abs=1e-3)
    assert gain["psnr_gain_half_width_db"] == pytest.approx(0, abs=1e-3)
    alone = paired_gain(
        better, noisy, [dataclasses.replace(c, reference=None) for c in cases], None
    )
    assert alone == {"psnr_gain_db": None, "psnr_gain_half_width_db": None}


@pytest.mark.parametrize("factor", [0.5, 3.0])
def test_a_repetition_with_other_noise_keeps_the_unit_of_the_first(monkeypatch, factor):
    monkeypatch.setattr(phantoms, "SLICES", 1)
    monkeypatch.setattr(phantoms, "SHAPE", (64, 64))
    head = phantoms.scan_phantom(seed=4, snr=9)
    psi = head.scans[0].noise_covariance
    other_psi = factor**2 * psi
    other = Scan(kspace=sim.add_noise(head.clean, other_psi, seed=1), noise_covariance=other_psi)
    noises = known_noise(head.scans[0]), known_noise(other)
    source = choose_reference(head.scans[0], noises[0], other, 0, noises[1])
    (case,) = raw_cases(source)
    inside = case.mask
    assert case.repetition.sigma[inside] / case.piece.sigma[inside] == pytest.approx(factor)
    first, second = case.piece.image[inside], case.repetition.image[inside]
    gain = np.vdot(first, second) / np.vdot(first, first)
    noise = 1 / 9**2  # noise in `first` pulls the regression down by no more than this share
    error = 5 * factor / 9 / np.sqrt(inside.sum())
    assert 1 - 2 * noise - error < gain.real < 1 + error
    found = unbiased_error(untouched([case]), [case]).sigma
    expected = np.sqrt((1 + factor**2) / 2)
    assert found == pytest.approx(expected, rel=5 / np.sqrt(4 * inside.sum()))
