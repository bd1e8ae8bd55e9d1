"""Bounds that follow from the sample size, for tests of distributions."""

import math
from collections.abc import Callable

import numpy as np


def kolmogorov(samples: np.ndarray, cdf: Callable[[np.ndarray], np.ndarray]) -> float:
    """Return the largest distance between the samples' distribution function and the stated one."""
    samples = np.sort(np.ravel(samples).astype(float))
    steps = np.arange(samples.size + 1) / samples.size
    stated = cdf(samples)
    return float(max(np.abs(stated - steps[1:]).max(), np.abs(stated - steps[:-1]).max()))


def within_chance(samples: np.ndarray) -> float:
    """Return the distance that fair samples exceed with a probability of 1e-4."""
    return math.sqrt(math.log(2 / 1e-4) / (2 * samples.size))


def mean_error(samples: np.ndarray) -> float:
    """Return the standard error of the mean of independent samples."""
    return float(np.std(samples) / math.sqrt(samples.size))


def variance_error(samples: np.ndarray) -> float:
    """Return the standard error of their variance."""
    return mean_error((samples - np.mean(samples)) ** 2)
