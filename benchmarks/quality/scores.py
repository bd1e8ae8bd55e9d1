"""Scores of single slices, each with what it was compared with."""

from typing import Any

import numpy as np

from benchmarks.quality.volumes import Numpy, Volume
from kspace_denoise import metrics

Scores = dict[str, Any]


def references(volume: Volume) -> dict[str, Numpy]:
    """Return what the slices of a volume are compared with, the most telling one first.

    `truth` is noise-free; `without` and `with` are means of repetitions, without the one that was
    denoised or with it, as papers have it that clip. Means of magnitudes keep the noise floor;
    beside the truth they are left out.
    """
    found: dict[str, Numpy | None] = {"truth": volume.truth}
    if np.iscomplexobj(volume.images) or volume.truth is None:
        for name in ("with", "without") if volume.clip else ("without", "with"):
            found[name] = volume.average(with_input=name == "with")
    return {name: np.asarray(image) for name, image in found.items() if image is not None}


def slice_scores(volume: Volume, output: Numpy) -> list[Scores]:
    """Return one record per slice of a denoised volume (slices, y, x).

    PSNR is that of the images as they are, complex or magnitude, inside the object mask (where
    there is none, over the whole image); SSIM that of the magnitudes of the whole image.
    """
    rows = []
    compared = references(volume)
    for index, result in enumerate(output):
        image = np.clip(result, 0, volume.data_range) if volume.clip else result
        row: Scores = {
            "subject": volume.subject,
            "contrast": volume.contrast,
            "slice": index,
            "data_range": volume.data_range,
        }
        mask = None if volume.mask is None else volume.mask[index]
        for name, reference in compared.items():
            row[f"psnr_{name}"] = metrics.psnr(
                image, reference[index], data_range=volume.data_range, mask=mask
            )
            row[f"ssim_{name}"] = metrics.ssim(
                np.abs(image), np.abs(reference[index]), data_range=volume.data_range
            )
        removed = np.abs(volume.images[0][index] - image) ** 2
        power = np.mean(removed if mask is None else removed[mask]) / volume.sigma**2
        row["residual_power"] = float(power / (2 if np.iscomplexobj(image) else 1))
        rows.append(row)
    return rows


def main_score(rows: list[Scores]) -> str:
    """Return the name of the PSNR that tables lead with."""
    return next(name for name in rows[0] if name.startswith("psnr_"))
