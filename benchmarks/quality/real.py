"""Real 55 mT scans, trained on one noisy repetition alone and scored by the unbiased error."""

import hashlib
import os
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import kspace_denoise as kd
from benchmarks.quality.denoisers import for_row, kept_denoiser, training_record
from benchmarks.quality.evaluate import Job, Means, training
from benchmarks.quality.pictures_kept import keep_images
from benchmarks.quality.records import Origin
from benchmarks.quality.rows import Row
from benchmarks.quality.strengths import LADDERS, AnyDenoiser, best_strength, classical
from benchmarks.quality.volumes import Numpy
from kspace_denoise import metrics
from kspace_denoise.arrays import to_numpy
from kspace_denoise.denoiser import Denoiser
from kspace_denoise.random import complex_normal
from kspace_denoise.report.residual import autocorrelation, residual_power
from kspace_denoise.scan import Images, Scan
from kspace_denoise.stages import in_snr_units, known_noise, reconstruct_slice, through_maps

SCANS = {
    "real-flair-cage-removed": "ulf55mT_FLAIR_cage_EMIremoved_s01_rep{}.h5",
    "real-fisp": "ulf55mT_human_FISP_FA50.h5",
    "real-flair-cage-raw": "ulf55mT_FLAIR_cage_EMIraw_s01_rep{}.h5",
    "real-flair-nocage-removed": "ulf55mT_FLAIR_nocage_EMIremoved_s01_rep{}.h5",
}
"""Files by the name of their data set; of FISP there is one repetition, which is split."""
WHITE = ("real-flair-cage-removed", "real-fisp")
"""Scans whose noise is white; that of FISP is 1.045 times as loud as the methods are told."""
STRESS = {
    "real-flair-cage-raw": "The noise profile that is measured in k-space is wrong: over the "
    "thirds of the image along y it tells σ of 0.78, 1.16 and 1.01, and two repetitions differ by "
    "0.75, 1.00 and 1.01.",
    "real-flair-nocage-removed": "The noise is coloured: its spectrum over ky runs from 0.63 to "
    "1.32.",
}
"""The others, outside the aim, and how their noise differs from what the methods are told."""
KSPACE = {
    "ulf55mT_FLAIR_cage_EMIremoved_s01_rep1.h5": "eadc668e786d54e1",
    "ulf55mT_FLAIR_cage_EMIremoved_s01_rep2.h5": "698142b794a9137d",
    "ulf55mT_human_FISP_FA50.h5": "438ca69a631c75ba",
    "ulf55mT_FLAIR_cage_EMIraw_s01_rep1.h5": "fd18524b95a3dd04",
    "ulf55mT_FLAIR_cage_EMIraw_s01_rep2.h5": "2a21337d34a594dc",
    "ulf55mT_FLAIR_nocage_EMIremoved_s01_rep1.h5": "597a5d018152e626",
    "ulf55mT_FLAIR_nocage_EMIremoved_s01_rep2.h5": "41a6ee605e31d38a",
}
"""First digits of the SHA-256 of the k-space of each file, which records tell by its size alone."""
SPLIT_SEED = 0
DIRECTIONS = ("a", "b")


class Pair(NamedTuple):
    """Two images (slices, y, x) of one object with independent noise.

    `sigmas` is the noise of each, per real component, a number or a map, in the one unit of both.
    """

    images: tuple[Numpy, Numpy]
    sigmas: tuple[Any, Any]
    mask: Numpy


class RealSet:
    """Two repetitions: each is trained on and denoised alone, and scored against the other."""

    def __init__(self, name: str, pair: Pair) -> None:
        self.name, self.pair = name, pair

    def evaluate(self, job: Job, means: Means) -> dict[str, Any]:
        """Return the unbiased error of a row, what it is made of, and what the residual is like."""
        record: dict[str, Any] = {}
        if job.row.method == "noisy":
            denoisers: list[AnyDenoiser] = [lambda image, _sigma: image] * 2
        elif not job.row.trained and job.row.method not in LADDERS:
            denoisers = [classical(job.row)] * 2
        elif not job.row.trained:
            choice = best_strength(job.row, lambda d: self._error([d, d]).value)
            denoisers = [classical(job.row, choice.strength)] * 2
            record["strengths"] = {self.name: {**choice._asdict(), "at_end": choice.at_end}}
        else:
            trained = [self._trained(job, means, number) for number in range(2)]
            denoisers = [*trained]
            record |= training_record(trained[0])
        return {**record, **self._scored(job, means, denoisers)}

    def _trained(self, job: Job, means: Means, number: int) -> Denoiser:
        """Return a denoiser that has seen one of the two repetitions alone."""
        denoiser = kept_denoiser(
            training(job, means, DIRECTIONS[number]),
            means.work,
            lambda row: {"scans": [self._training_images(row, number)]},
            means.device,
            means.report,
        )
        return for_row(denoiser, job.row)

    def _training_images(self, row: Row, number: int) -> Images:
        sigma = row.sigma * np.asarray(self.pair.sigmas[number], np.float32)
        return Images(data=self.pair.images[number], sigma=sigma)

    def _denoised(self, denoisers: list[AnyDenoiser], factor: float = 1.0) -> list[Numpy]:
        both = zip(denoisers, self.pair.images, self.pair.sigmas, strict=True)
        return [to_numpy(d(image, factor * sigma)) for d, image, sigma in both]

    def _error(self, denoisers: list[AnyDenoiser]) -> metrics.UnbiasedError:
        first, second = self._denoised(denoisers)
        return metrics.unbiased_error((first, second), self.pair.images, mask=self.pair.mask)

    def _scored(self, job: Job, means: Means, denoisers: list[AnyDenoiser]) -> dict[str, Any]:
        started = time.perf_counter()
        outputs = self._denoised(denoisers, job.row.sigma * job.row.inference_sigma)
        seconds = (time.perf_counter() - started) / (2 * len(outputs[0]))
        blocks = metrics.error_blocks(
            (outputs[0], outputs[1]), self.pair.images, mask=self.pair.mask
        )
        error = metrics.error_of_blocks(blocks)
        residuals = [
            in_snr_units(image - output, sigma)
            for image, output, sigma in zip(
                self.pair.images, outputs, self.pair.sigmas, strict=True
            )
        ]
        middle = len(outputs[0]) // 2
        keep_images(means.work, job.place, {self.name: outputs[0][middle]})
        return {
            "unbiased_error": error._asdict(),
            "blocks": {
                "crossed": blocks.crossed.tolist(),
                "noise": blocks.noise.tolist(),
                "pixels": blocks.pixels,
            },
            "residual_power": float(
                np.mean([residual_power(r, self.pair.mask) for r in residuals])
            ),
            "autocorrelation": None
            if job.row.method == "noisy"
            else _correlation(residuals, self.pair.mask),
            "seconds_per_slice": seconds,
        }


def _correlation(residuals: list[Numpy], mask: Numpy) -> list[list[float]]:
    """Return the autocorrelation of the residuals, averaged over slices and directions."""
    found = [
        autocorrelation(one, inside)
        for residual in residuals
        for one, inside in zip(residual, mask, strict=True)
    ]
    return [[round(float(x), 5) for x in line] for line in np.mean(found, axis=0)]


def origin(name: str, folder: Path) -> Origin:
    """Return what a data set is made of.

    Raises:
        FileNotFoundError: if a scan is not there.
    """
    files = dict.fromkeys(SCANS[name].format(n) for n in (1, 2))
    sizes = {file: (folder / file).stat().st_size for file in files}
    return {"files": sizes, "split_seed": SPLIT_SEED if len(files) == 1 else None}


def data_folder() -> Path:
    """Return the folder of real scans.

    Raises:
        FileNotFoundError: if the variable KSPACE_DENOISE_DATA does not name one.
    """
    folder = os.environ.get("KSPACE_DENOISE_DATA", "")
    if not folder or not Path(folder).is_dir():
        raise FileNotFoundError(
            "the real scans stand in no known folder: set KSPACE_DENOISE_DATA to it"
        )
    return Path(folder)


def open_pair(name: str, folder: Path) -> Pair:
    """Read the two repetitions of a data set, or split its only one.

    Raises:
        ValueError: if a file of that name holds another scan.
    """
    if "{}" not in SCANS[name]:
        return split(_scan(folder / SCANS[name]), SPLIT_SEED)
    return repeated(*(_scan(folder / SCANS[name].format(n)) for n in (1, 2)))


def repeated(first: Scan, second: Scan) -> Pair:
    """Reconstruct two repetitions through the coil maps, and in the SNR units, of the first."""
    noises = known_noise(first), known_noise(second)
    images: tuple[list[Numpy], list[Numpy]] = [], []
    ratios = []
    for one, other in zip(first.kspace[:], second.kspace[:], strict=True):
        piece = reconstruct_slice(one, noises[0])
        again = through_maps(other, noises[1], piece, noises[0])
        sigma = to_numpy(piece.sigma)
        images[0].append(in_snr_units(piece.image, sigma))
        images[1].append(in_snr_units(again.image, sigma))
        ratios.append(np.abs(in_snr_units(to_numpy(again.sigma), sigma)))
    a, b = (np.stack(part) for part in images)
    return Pair((a, b), (1.0, np.stack(ratios)), metrics.object_mask(np.abs(a + b)))


def split(scan: Scan, seed: int) -> Pair:
    """Make two images with independent noise of one, by adding and subtracting further noise.

    y holds noise of level 1 (SNR units), n is drawn at the same level: (y + n)/√2 and (y - n)/√2
    have independent noise of level 1 each, and the object at 1/√2 of its SNR. That is recorruption
    (Pang et al., CVPR 2021) with alpha = 1, for which both directions are the same problem. It
    holds as far as the noise of y is white, Gaussian and of the level that was measured.
    """
    noise = known_noise(scan)
    pieces = [reconstruct_slice(kspace, noise) for kspace in scan.kspace[:]]
    image = np.stack([in_snr_units(piece.image, piece.sigma) for piece in pieces])
    drawn = complex_normal(image.shape, image, seed)
    half = np.float32(np.sqrt(0.5))
    pair = half * (image + drawn), half * (image - drawn)
    return Pair(pair, (1.0, 1.0), metrics.object_mask(np.abs(image)))


def _scan(path: Path) -> Scan:
    scan = kd.read(path)
    if not isinstance(scan, Scan):
        raise ValueError(f"{path} holds images, expected k-space")
    found = hashlib.sha256(scan.kspace[:].tobytes()).hexdigest()[: len(KSPACE[path.name])]
    if found != KSPACE[path.name]:
        raise ValueError(
            f"the k-space of {path} has the SHA-256 {found}..., expected {KSPACE[path.name]}...: "
            "it is another scan than the one that the data set is named after"
        )
    return scan
