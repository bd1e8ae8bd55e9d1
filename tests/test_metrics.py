"""Scores: known values, invariances, refusals, and the unbiased error by Monte Carlo."""

import numpy as np
import pytest

from kspace_denoise.metrics import (
    error_blocks,
    error_of_blocks,
    nmse,
    object_mask,
    psnr,
    ssim,
    unbiased_difference,
    unbiased_error,
)
from tests.helpers import complex_array


@pytest.fixture
def truth(rng: np.random.Generator) -> np.ndarray:
    y, x = np.mgrid[-1:1:64j, -1:1:48j]
    inside = y**2 + 2 * x**2 < 0.6
    phase = np.exp(1j * (2 * x + y))
    texture = 5 + rng.standard_normal((2, 64, 48))
    return (inside * texture * phase).astype(np.complex64)


@pytest.mark.parametrize(("dtype", "expected"), [(np.float32, 100.0), (np.complex64, 50.0)])
def test_psnr_of_a_constant_error(dtype: type, expected: float) -> None:
    reference = np.zeros((3, 8, 8), dtype)
    image = reference + np.asarray(0.5 if dtype is np.float32 else 0.5 + 0.5j, dtype)
    assert psnr(image, reference, data_range=5) == pytest.approx(10 * np.log10(expected))


def test_complex_psnr_counts_both_components(rng: np.random.Generator) -> None:
    noise = 0.1 * complex_array(rng, (4, 128, 128))
    sampling = 4 * 10 / np.log(10) / np.sqrt(noise.size)  # four standard errors of the mean of |n|²
    score = psnr(noise, np.zeros_like(noise), data_range=1)
    assert abs(score - 10 * np.log10(1 / (2 * 0.1**2))) < sampling


def test_only_the_mask_is_scored() -> None:
    reference = np.ones((8, 8), np.float32)
    image = reference.copy()
    image[:4] += 100
    image[4:] += 0.1
    mask = np.zeros((8, 8), bool)
    mask[4:] = True
    assert psnr(image, reference, data_range=1, mask=mask) == pytest.approx(20, abs=1e-4)
    assert nmse(image, reference, mask=mask) == pytest.approx(0.01, rel=1e-4)


def test_scaling_images_and_range_together_changes_nothing(
    truth: np.ndarray, rng: np.random.Generator
) -> None:
    image, reference = np.abs(truth + complex_array(rng, truth.shape)), np.abs(truth)
    for score in (psnr, ssim):
        plain = score(image, reference, data_range=8.0)
        scaled = score(image * 1e-5, reference * 1e-5, data_range=8e-5)
        assert scaled == pytest.approx(plain, rel=1e-4)
    assert nmse(image * 1e-5, reference * 1e-5) == pytest.approx(nmse(image, reference), rel=1e-4)


def test_equal_images_score_best(truth: np.ndarray) -> None:
    assert psnr(truth, truth, data_range=1) == float("inf")
    assert ssim(np.abs(truth), np.abs(truth), data_range=1) == pytest.approx(1)
    assert nmse(truth, truth) == 0


def test_ssim_of_constants_is_the_luminance_term() -> None:
    a, b, c1 = 0.2, 0.7, 0.01**2
    image, reference = np.full((9, 9), a), np.full((9, 9), b)
    expected = (2 * a * b + c1) / (a**2 + b**2 + c1)
    assert ssim(image, reference, data_range=1) == pytest.approx(expected)


def test_ssim_is_the_mean_over_slices(truth: np.ndarray, rng: np.random.Generator) -> None:
    image, reference = np.abs(truth + complex_array(rng, truth.shape)), np.abs(truth)
    image[1] = reference[1]
    assert ssim(image, reference, data_range=8) == pytest.approx(
        (ssim(image[0], reference[0], data_range=8) + 1) / 2
    )


def test_what_cannot_be_scored_is_refused(truth: np.ndarray) -> None:
    magnitude = np.abs(truth)
    with pytest.raises(TypeError, match=r"np\.abs of both"):
        ssim(truth, truth, data_range=1)
    with pytest.raises(TypeError, match="compare complex with complex"):
        psnr(truth, magnitude, data_range=1)
    with pytest.raises(TypeError, match="image is list"):
        psnr([1.0], magnitude, data_range=1)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"\(2, 64, 48\), but the reference \(64, 48\)"):
        psnr(magnitude, magnitude[0], data_range=1)
    with pytest.raises(ValueError, match="data_range is 0"):
        psnr(magnitude, magnitude, data_range=0)
    with pytest.raises(ValueError, match="smaller than the 7"):
        ssim(magnitude[:, :6], magnitude[:, :6], data_range=1)
    with pytest.raises(ValueError, match="reference is zero"):
        nmse(magnitude, 0 * magnitude)
    with pytest.raises(ValueError, match="mask is empty"):
        psnr(magnitude, magnitude, data_range=1, mask=np.zeros((64, 48), bool))
    with pytest.raises(ValueError, match=r"mask has shape \(3, 3\)"):
        psnr(magnitude, magnitude, data_range=1, mask=np.ones((3, 3), bool))
    with pytest.raises(ValueError, match="image holds NaN"):
        psnr(magnitude * np.nan, magnitude, data_range=1)
    with pytest.raises(TypeError, match="data_range"):
        psnr(magnitude, magnitude)  # type: ignore[call-arg]


def _repeat(
    truth: np.ndarray, sigma: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    return tuple(truth + sigma * complex_array(rng, truth.shape) for _ in range(2))


def test_unbiased_error_of_the_identity_is_one_and_sigma_is_found(
    truth: np.ndarray, rng: np.random.Generator
) -> None:
    pair = _repeat(truth, 0.7, rng)
    mask = np.abs(truth) > 0
    result = unbiased_error(pair, pair, mask=mask)
    assert result.value == pytest.approx(1)
    assert abs(result.sigma / 0.7 - 1) < 4 / np.sqrt(4 * mask.sum())


def test_unbiased_error_of_the_truth_is_zero_within_its_standard_error(
    truth: np.ndarray, rng: np.random.Generator
) -> None:
    """Mean over many draws against the scatter of that mean; the bootstrap predicts the scatter."""
    mask = np.abs(truth) > 0
    results = [
        unbiased_error((truth, truth), _repeat(truth, 0.7, rng), mask=mask, resamples=200)
        for _ in range(100)
    ]
    values = np.array([r.value for r in results])
    assert abs(values.mean()) < 4 * values.std() / 10
    # The standard deviation of 100 values is known to 7 %, and so is its bootstrap to within 20 %.
    predicted = np.mean([r.standard_error for r in results])
    assert 0.7 < predicted / values.std() < 1.4


def test_unbiased_error_of_a_shrinkage_is_its_true_error(
    truth: np.ndarray, rng: np.random.Generator
) -> None:
    mask = np.abs(truth) > 0
    gain, sigma = 0.9, 0.7
    bias = (1 - gain) ** 2 * np.mean(np.abs(truth[mask]) ** 2) / 2
    expected = (bias + gain**2 * sigma**2) / sigma**2
    found = []
    for _ in range(40):
        a, b = _repeat(truth, sigma, rng)
        found.append(unbiased_error((gain * a, gain * b), (a, b), mask=mask, resamples=2).value)
    assert abs(np.mean(found) - expected) < 4 * np.std(found) / np.sqrt(40)


def test_unbiased_error_repeats_with_its_seed_and_leaves_its_inputs(
    truth: np.ndarray, rng: np.random.Generator
) -> None:
    pair, mask = _repeat(truth, 0.7, rng), np.abs(truth) > 0
    copies = [x.copy() for x in pair]
    smaller = tuple(0.9 * x for x in pair)
    first, again, other = (unbiased_error(smaller, pair, mask=mask, seed=s) for s in (3, 3, 4))
    assert first == again
    assert first.standard_error != other.standard_error
    for before, after in zip(copies, pair, strict=True):
        np.testing.assert_array_equal(before, after)


def test_unbiased_error_refuses_what_would_bias_it(
    truth: np.ndarray, rng: np.random.Generator
) -> None:
    pair, mask = _repeat(truth, 0.7, rng), np.abs(truth) > 0
    magnitudes = tuple(np.abs(x) for x in pair)
    with pytest.raises(TypeError, match="noise floor"):
        unbiased_error(magnitudes, magnitudes, mask=mask)
    with pytest.raises(ValueError, match="repetitions are equal"):
        unbiased_error(pair, (pair[0], pair[0]), mask=mask)
    one = tuple(x[:1] for x in pair)
    with pytest.raises(ValueError, match="smaller block"):
        unbiased_error(one, one, mask=mask[:1], block=64)


def test_paired_difference_is_that_of_the_errors_and_surer_than_either(
    truth: np.ndarray, rng: np.random.Generator
) -> None:
    pair, mask = _repeat(truth, 0.7, rng), np.abs(truth) > 0
    blocks = [error_blocks(tuple(gain * x for x in pair), pair, mask=mask) for gain in (0.95, 0.94)]
    errors = [error_of_blocks(one) for one in blocks]
    found = unbiased_difference(*blocks)
    assert found.value == pytest.approx(errors[0].value - errors[1].value)
    apart = np.hypot(errors[0].standard_error, errors[1].standard_error)
    assert 0 < found.standard_error < 0.5 * apart
    back = unbiased_difference(*reversed(blocks))
    assert (back.value, back.standard_error) == pytest.approx((-found.value, found.standard_error))
    assert unbiased_difference(blocks[0], blocks[0]) == (0, 0)


def test_standard_error_of_a_paired_difference_is_its_scatter(
    truth: np.ndarray, rng: np.random.Generator
) -> None:
    mask = np.abs(truth) > 0
    results = []
    for _ in range(100):
        pair = _repeat(truth, 0.7, rng)
        blocks = (error_blocks(tuple(g * x for x in pair), pair, mask=mask) for g in (0.96, 0.94))
        results.append(unbiased_difference(*blocks, resamples=200, seed=rng))
    scatter = np.std([r.value for r in results])
    # Signal differs between blocks as well, which the bootstrap counts and the scatter does not.
    assert np.mean([r.standard_error for r in results]) > 0.7 * scatter


def test_a_paired_difference_needs_the_same_repetitions(
    truth: np.ndarray, rng: np.random.Generator
) -> None:
    mask = np.abs(truth) > 0
    one, other = (error_blocks(p, p, mask=mask) for p in (_repeat(truth, 0.7, rng) for _ in "ab"))
    with pytest.raises(ValueError, match="scored on different repetitions"):
        unbiased_difference(one, other)
    pair = _repeat(truth, 0.7, rng)
    finer = error_blocks(pair, pair, mask=mask, block=8)
    with pytest.raises(ValueError, match="masks or blocks"):
        unbiased_difference(one, finer)


@pytest.mark.parametrize("sigma", [0.0, 0.5, 1.0])
def test_object_mask_finds_the_object(
    truth: np.ndarray, rng: np.random.Generator, sigma: float
) -> None:
    noisy = truth + sigma * complex_array(rng, truth.shape)
    found, wanted = object_mask(noisy), np.abs(truth) > 0
    assert found.shape == noisy.shape
    overlap = (found & wanted).sum() / (found | wanted).sum()
    # Half axes of 24 and 13 pixels: moving the edge out by two leaves 24·13 / (26·15) = 0.8.
    assert overlap > 0.8


def test_object_mask_fills_dark_holes() -> None:
    image = np.zeros((1, 64, 64), np.float32)
    image[:, 10:54, 10:54] = 1
    image[:, 26:38, 26:38] = 0
    assert object_mask(image)[0, 32, 32]


def test_object_mask_needs_contrast() -> None:
    with pytest.raises(ValueError, match="no object"):
        object_mask(np.ones((1, 8, 8)))
