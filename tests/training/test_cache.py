"""Images kept on disk: the same as without, made once, found again only where nothing differs."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

import kspace_denoise as kd
from kspace_denoise.scan import LazySlices
from kspace_denoise.training import cache
from kspace_denoise.training.cache import cached_images, key
from kspace_denoise.training.examples import training_examples
from kspace_denoise.training.images import NoisyImages
from kspace_denoise.training.processes import Processes
from kspace_denoise.training.subjects import Recipe, Subject, gather, known_subjects
from tests.training.scans import PSI, SHAPE, TINY, magnitudes, scan

RECIPE = Recipe("after-sense")


def subjects(*several: kd.Scan) -> list[Subject]:
    return known_subjects(gather(several or [scan(), scan(seed=2)]), RECIPE)


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(3)


@pytest.mark.parametrize(
    ("given", "recipe"),
    [
        (([scan(), scan(seed=2)], None, None), RECIPE),
        (([scan(), scan(seed=2)], [scan(noise=1), scan(seed=2, noise=1)], None), RECIPE),
        (([scan()], None, [[scan("T1w"), scan("FLAIR")]]), RECIPE),
        (([scan()], None, None), Recipe("before-sense")),
        (([magnitudes()], None, None), Recipe("after-sense", vst=True)),
    ],
    ids=["alone", "pairs", "contrasts", "coils", "magnitudes"],
)
def test_what_is_drawn_from_a_cache_is_what_is_drawn_without(given, recipe, tmp_path):
    known = known_subjects(gather(*given), recipe)
    without = NoisyImages.from_examples(training_examples(known, recipe))
    for _ in range(2):  # made, and found
        kept = cached_images(known, recipe, tmp_path)
        assert kept.identity() == without.identity()
        batch, expected = (x.draw(5, 12, generator()) for x in (kept, without))
        for name in ("image", "sigma", "pair", "condition"):
            one, other = getattr(batch, name), getattr(expected, name)
            assert (one is None) == (other is None)
            assert one is None or torch.equal(one, other)


def test_images_are_made_once_and_stay_on_disk(tmp_path, monkeypatch):
    counted = []
    cached_images(subjects(), RECIPE, tmp_path, lambda *count: counted.append(count))
    assert counted == [(1, 2), (2, 2)]
    monkeypatch.setattr(cache, "training_examples", lambda *_: pytest.fail("made again"))
    kept = cached_images(subjects(), RECIPE, tmp_path)
    mapped = Path("/proc/self/maps").read_text()
    files = list(tmp_path.iterdir())
    assert len(files) == 2
    assert all(str(file) in mapped for file in files)
    assert len(kept.images) == 4


def test_whatever_changes_the_images_has_a_file_of_its_own():
    (one,) = subjects(scan())
    others = [
        *subjects(scan(seed=2)),
        *subjects(scan(noise=1)),
        *subjects(dataclasses.replace(scan(), noise_covariance=2 * PSI)),
        one._replace(target=scan(noise=1)),
        one._replace(contrasts=(scan("T1w"),)),
        *subjects(dataclasses.replace(scan(), mask=np.arange(SHAPE[0])[:, None] % 3 > 0)),
    ]
    recipes = [Recipe("before-sense"), Recipe("after-sense", calibration=12)]
    keys = [key(other, RECIPE) for other in others] + [key(one, recipe) for recipe in recipes]
    assert len({key(one, RECIPE), *keys}) == 1 + len(keys)
    assert key(one, RECIPE) == key(*subjects(scan()), RECIPE)


def test_scans_that_agree_in_their_blank_middle_are_told_apart():
    keys = set()
    for seed in (1, 2):
        kspace = np.concatenate([scan(seed=seed).kspace, 0 * scan().kspace[:1]])[[0, 2, 2, 2, 1]]
        images = magnitudes(seed)
        images.data[0] = 0
        others = known_subjects(gather(images), Recipe("after-sense"))
        own = subjects(kd.Scan(kspace=kspace, noise_covariance=PSI))
        keys |= {key(*own, RECIPE), key(*others, RECIPE)}
    assert len(keys) == 4


def test_blank_scans_are_left_out_and_nothing_else_is_refused(tmp_path):
    shape = (2, 4, *SHAPE)
    zeros = LazySlices(shape, np.complex64, lambda _index: np.zeros(shape[1:], np.complex64))
    blank = kd.Scan(kspace=zeros, noise_covariance=PSI)
    kept = cached_images(subjects(blank, scan()), RECIPE, tmp_path)
    assert len(kept.images) == 2
    with pytest.raises(ValueError, match="nothing to train on"):
        cached_images(subjects(blank), RECIPE, tmp_path)


def test_processes_make_their_own_first_and_then_help_from_the_other_end():
    first, second = (list(cache._order(7, Processes(rank, 2))) for rank in (0, 1))
    assert first == [0, 2, 4, 6, 5, 3, 1]
    assert second == [1, 3, 5, 6, 4, 2, 0]
    orders = [list(cache._order(9, Processes(rank, 3))) for rank in range(3)]
    assert all(sorted(order) == list(range(9)) for order in orders)
    assert [order[3] for order in orders] == [7, 8, 6]  # where each begins to help


def test_training_from_a_cache_finds_the_same_weights(tmp_path):
    plain = kd.train("c2s", scan(), config=TINY)
    cached = kd.train("c2s", scan(), config=TINY, cache=tmp_path / "cache")
    pairs = zip(plain.network.parameters(), cached.network.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("method", ["coil2coil", "gsure"])
def test_what_learns_from_kspace_has_no_use_for_it(method, tmp_path):
    with pytest.raises(ValueError, match="a cache holds SENSE images"):
        kd.train(method, scan(), config=TINY, cache=tmp_path)


def test_a_place_where_no_folder_can_be_made_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="is a file, expected a folder"):
        cached_images(subjects(), RECIPE, tmp_path / "file")
    with pytest.raises(FileNotFoundError, match="no such folder; create it first"):
        cached_images(subjects(), RECIPE, tmp_path / "no" / "where")
