import itertools
from pathlib import Path

import numpy as np
import pytest

import kspace_denoise as kd
from benchmarks.quality import m4raw
from benchmarks.quality.m4raw import CONTRASTS
from benchmarks.quality.phantom import FIRST, SNR, _phase
from benchmarks.quality.scores import slice_scores
from benchmarks.quality.volumes import Volume, kept_volumes, load_volume, save_volume
from kspace_denoise.formats import repetitions
from kspace_denoise.scan import Scan


@pytest.fixture(scope="module")
def tested(study: Path) -> list[Volume]:
    return list(m4raw.volumes(study, "test"))


def test_files_are_named_and_counted_like_m4raw(study: Path) -> None:
    first = FIRST["validation"]
    for name, count in {"T1": 6, "T2": 6, "FLAIR": 4}.items():
        found = repetitions(study / "multicoil_val" / f"{first}_{name}01.h5")
        assert [p.name for p in found] == [f"{first}_{name}{n:02d}.h5" for n in range(1, count + 1)]
    for name, count in {"T1": 3, "T2": 3, "FLAIR": 2}.items():
        found = repetitions(study / "multicoil_train" / f"{FIRST['train']}_{name}01.h5")
        assert len(found) == count


def test_a_scan_has_four_coils_with_correlated_noise_at_low_field(study: Path) -> None:
    scan = kd.read(study / "multicoil_val" / f"{FIRST['validation']}_T102.h5")
    assert isinstance(scan, Scan)
    assert scan.kspace.shape == (2, 4, 48, 48)
    assert scan.field_strength == pytest.approx(0.3)
    psi = scan.noise_covariance
    assert psi is not None
    clean = kd.read(study / "noise_free" / "multicoil_val" / f"{FIRST['validation']}_T101.h5")
    assert isinstance(clean, Scan)
    noise = np.moveaxis(scan.kspace[:] - clean.kspace[:], 1, 0).reshape(4, -1)
    measured = noise @ noise.conj().T / noise.shape[1]
    scale = np.sqrt(np.outer(np.diag(psi), np.diag(psi)).real)
    assert np.abs((measured - psi) / scale).max() < 5 / np.sqrt(noise.shape[1])
    assert np.abs(psi / scale - np.eye(4)).max() > 0.1


def test_contrasts_of_a_subject_show_the_same_anatomy(tested: list[Volume]) -> None:
    assert [v.contrast for v in tested[:3]] == ["FLAIR", "T1w", "T2w"]
    assert len({v.subject for v in tested[:3]}) == 1
    masks = [v.mask for v in tested[:3]]
    assert all(np.mean(m == masks[0]) > 0.95 for m in masks)


def test_each_contrast_has_the_phase_that_was_drawn_for_it(tested: list[Volume]) -> None:
    """Between two contrasts of a slice, up to a constant: coil maps have no phase of their own."""
    for one, other in itertools.combinations(tested[:3], 2):
        assert one.truth is not None
        assert other.truth is not None
        for index in range(2):
            product = one.truth[index] * other.truth[index].conj()
            drawn = _drawn(one, index) * _drawn(other, index).conj()
            total = np.abs(product).sum()
            agreement = np.abs(np.sum(product * drawn.conj())) / total
            assert agreement > 0.99
            assert np.abs(product.sum()) / total < 0.96 * agreement


def _drawn(volume: Volume, index: int) -> np.ndarray:
    contrast = list(CONTRASTS.values()).index(volume.contrast)
    return _phase((48, 48), [int(volume.subject), index, contrast, 2])


def test_snr_lies_in_the_range_that_is_stated(tested: list[Volume]) -> None:
    for volume in tested:
        assert volume.truth is not None
        snr = np.abs(volume.truth)[volume.mask].mean()
        assert 0.8 * SNR[0] < snr < 1.1 * SNR[1]  # the mask is drawn, not that of the phantom


def test_noisy_image_scores_as_the_number_of_repetitions_says(tested: list[Volume]) -> None:
    """Against an average with the input its error is (1 - 1/K) σ², without it (1 + 1/(K-1)) σ²."""
    for volume in tested:
        count = len(volume.images)
        rows = slice_scores(volume, volume.images[0])
        for index, row in enumerate(rows):
            assert volume.mask is not None
            pixels = volume.mask[index].sum()
            tolerance = 10 * np.log10(1 + 5 / np.sqrt(pixels))
            for name, share in (
                ("truth", 1.0),
                ("with", 1 - 1 / count),
                ("without", 1 + 1 / (count - 1)),
            ):
                expected = 10 * np.log10(volume.data_range**2 / (2 * share))
                assert row[f"psnr_{name}"] == pytest.approx(expected, abs=tolerance), name


def test_volumes_come_back_and_are_made_once(tmp_path: Path, tested: list[Volume]) -> None:
    save_volume(tmp_path / "one", tested[0])
    again = load_volume(tmp_path / "one")
    assert np.array_equal(again.images, tested[0].images)
    assert (again.subject, again.sigma, again.clip) == (tested[0].subject, 1.0, False)
    made = []

    def make() -> list[Volume]:
        made.append(1)
        return tested[:2]

    for _ in range(2):
        kept = kept_volumes(tmp_path / "all", {"first": 1}, make)
        assert [v.contrast for v in kept] == [v.contrast for v in tested[:2]]
    assert made == [1]
