"""Rows of `results.json` and `slices.json`: every number with its range and its reference."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.stats import t as student

from kspace_denoise import metrics
from kspace_denoise.demo.cases import Case, Outcome, unbiased_error

Row = dict[str, Any]


def data_range(cases: Sequence[Case]) -> float | None:
    """Return the largest reference magnitude inside the masks, one number for all cases."""
    peaks = [np.abs(c.reference)[c.mask].max() for c in cases if c.reference is not None]
    return float(max(peaks)) if peaks else None


def slice_rows(outcome: Outcome, cases: Sequence[Case], peak: float | None) -> list[Row]:
    """Return one row per case; numbers that need a reference are None without one."""
    rows = []
    for index, (case, image) in enumerate(zip(cases, outcome.images, strict=True)):
        row: Row = {
            "method": outcome.method,
            "stage": outcome.stage,
            "slice": index,
            "psnr_db": None,
            "ssim": None,
            "nmse": None,
            "data_range": peak,
            "seconds": outcome.seconds,
        }
        if case.reference is not None and peak is not None:
            magnitudes = np.abs(image), np.abs(case.reference)
            row["psnr_db"] = metrics.psnr(image, case.reference, data_range=peak, mask=case.mask)
            row["ssim"] = metrics.ssim(*magnitudes, data_range=peak)
            row["nmse"] = metrics.nmse(image, case.reference, mask=case.mask)
        rows.append(row)
    return rows


def mean_row(outcome: Outcome, cases: Sequence[Case], peak: float | None, seed: int = 0) -> Row:
    """Return the row of a method and stage: means over the cases, the unbiased error over all."""
    rows = slice_rows(outcome, cases, peak)
    error = unbiased_error(outcome, cases, seed)

    def mean(name: str) -> float | None:
        values = [row[name] for row in rows]
        return None if None in values else float(np.mean(values))

    return {
        "method": outcome.method,
        "stage": None if outcome.method == "noisy" else outcome.stage,
        "psnr_db": mean("psnr_db"),
        "ssim": mean("ssim"),
        "nmse": mean("nmse"),
        "unbiased_error": None if error is None else error.value,
        "unbiased_error_standard_error": None if error is None else error.standard_error,
        "sigma_from_repetitions": None if error is None else error.sigma,
        "data_range": peak,
        "seconds": outcome.seconds,
        "trained_on": outcome.trained_on or None,
        "note": outcome.note,
    }


def paired_gain(outcome: Outcome, noisy: Outcome, cases: Sequence[Case], peak: float | None) -> Row:
    """Return the PSNR gain over the noisy images and its 95 % interval, paired over slices.

    Both None without a reference; the interval (Student's t) is None with fewer than two slices.
    """
    rows = zip(slice_rows(outcome, cases, peak), slice_rows(noisy, cases, peak), strict=True)
    pairs = [(mine["psnr_db"], theirs["psnr_db"]) for mine, theirs in rows]
    if any(None in pair for pair in pairs):
        return {"psnr_gain_db": None, "psnr_gain_half_width_db": None}
    gains = np.array([mine - theirs for mine, theirs in pairs])
    count = len(gains)
    half = None
    if count > 1:
        half = float(student.ppf(0.975, count - 1) * gains.std(ddof=1) / np.sqrt(count))
    return {"psnr_gain_db": float(gains.mean()), "psnr_gain_half_width_db": half}
