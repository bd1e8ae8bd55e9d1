import numpy as np
import pytest
from scipy.stats import t as student

from benchmarks.quality.markdown import section_text
from benchmarks.quality.rows import Row, find_row
from benchmarks.quality.statistics import (
    difference_spread,
    of_same_seeds,
    paired_difference,
    seed_spread,
    slice_means,
)
from benchmarks.quality.strengths import best_strength, classical
from benchmarks.quality.tables import Sheet, sections


def _result(values: list[float]) -> dict[str, object]:
    rows = [
        {"subject": f"s{i // 2}", "contrast": "T1w", "slice": i % 2, "psnr_truth": value}
        for i, value in enumerate(values)
    ]
    return {"slices": rows}


def test_slices_are_averaged_over_seeds_and_seeds_spread() -> None:
    results = [_result([1, 2, 3, 4]), _result([3, 4, 5, 6])]
    means = slice_means(results, "psnr_truth", None)
    assert list(means.values()) == [2, 3, 4, 5]
    assert seed_spread(results, "psnr_truth", "T1w") == pytest.approx(np.sqrt(2))
    assert seed_spread(results[:1], "psnr_truth", None) is None
    assert slice_means(results, "psnr_truth", "T2w") == {}


def test_interval_is_that_of_subjects_and_not_of_slices() -> None:
    first = slice_means([_result([1, 3, 3, 5, 5, 7])], "psnr_truth", None)
    second = slice_means([_result([1, 1, 1, 1, 1, 1])], "psnr_truth", None)
    found = paired_difference(first, second)
    assert found is not None
    assert found.mean == pytest.approx(3)
    assert found.half == pytest.approx(student.ppf(0.975, 2) * 2 / np.sqrt(3))


def test_rows_with_other_seeds_are_compared_over_those_they_share() -> None:
    mine = [{"seed": seed} for seed in (0, 2)]
    theirs = [{"seed": seed} for seed in (0, 1, 3)]
    assert of_same_seeds(mine, theirs) == (mine[:1], theirs[:1])
    assert of_same_seeds(mine[1:], theirs) == ([], [])
    assert of_same_seeds([{"seed": None}], theirs) == ([{"seed": None}], theirs)


def test_interval_of_one_subject_is_not_known() -> None:
    one = slice_means([_result([1, 3])], "psnr_truth", None)
    assert paired_difference(one, one) == (0, None)
    assert paired_difference(one, {}) is None


def test_coverage_of_the_interval_is_95_percent() -> None:
    rng = np.random.default_rng(1)
    trials, hits = 600, 0
    for _ in range(trials):
        subjects = np.repeat(rng.normal(0, 1, 6), 2)
        first = slice_means([_result(list(subjects + rng.normal(0, 0.3, 12)))], "psnr_truth", None)
        found = paired_difference(first, dict.fromkeys(first, 0.0))
        assert found is not None
        assert found.half is not None
        hits += abs(found.mean) < found.half
    deviation = np.sqrt(0.95 * 0.05 / trials)
    assert abs(hits / trials - 0.95) < 4 * deviation


def test_best_strength_is_never_left_at_an_end() -> None:
    for wanted in (0.1, 0.8, 5.0):
        choice = best_strength(find_row("nlm"), lambda d, w=wanted: abs(np.log(d.strength / w)))  # type: ignore[misc]
        assert not choice.at_end
        assert len(choice.tried) >= 12
        assert choice.strength == pytest.approx(wanted, rel=0.1)


def test_a_hopeless_search_ends_and_says_so() -> None:
    choice = best_strength(find_row("nlm"), lambda d: d.strength)
    assert choice.at_end


def test_a_search_that_ends_at_an_end_is_marked_in_the_table() -> None:
    found = [{"seed": None, **_result([1, 2, 3, 4])}]
    for row in found[0]["slices"]:  # type: ignore[attr-defined]
        row["contrast"] = "T1w" if row["slice"] else "T2w"
    choices = {
        name: {"strength": strength, "badness": 1.0, "tried": {}, "at_end": at_end}
        for name, strength, at_end in (("T1w", 0.3, False), ("T2w", 9.0, True))
    }
    sheet = Sheet("phantom", None, {"noisy": found, "nlm": [{**found[0], "strengths": choices}]})
    text = section_text(sections(sheet)[0])
    assert "non-local means, best strength (0.3, 9 at the end of the search) |" in text
    choices["T2w"]["at_end"] = False
    assert "at the end" not in section_text(sections(sheet)[0])


def test_an_unknown_comparator_is_refused() -> None:
    with pytest.raises(ValueError, match="no method 'median'"):
        classical(Row("median", "median"), 1.0)


def test_spread_of_a_difference_sets_seed_against_seed() -> None:
    ours = [{"seed": seed, "psnr": 20.0 + seed} for seed in range(3)]
    theirs = [{"seed": seed, "psnr": 19.0 + 3 * seed} for seed in range(3)]
    untrained = [{"seed": None, "psnr": 18.0}]
    assert difference_spread(ours, theirs, lambda r: r["psnr"]) == pytest.approx(2)
    assert difference_spread(ours, untrained, lambda r: r["psnr"]) == pytest.approx(1)
    assert difference_spread(untrained, ours, lambda r: r["psnr"]) == pytest.approx(1)
    assert difference_spread(ours[:1], theirs, lambda r: r["psnr"]) is None
