import json
import shutil
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from matplotlib.axes import Axes
from scipy.ndimage import binary_dilation

from benchmarks.quality import real
from benchmarks.quality.denoisers import Training
from benchmarks.quality.evaluate import Job, Means
from benchmarks.quality.markdown import real_text
from benchmarks.quality.pictures import draw_correlations
from benchmarks.quality.registry import find_row
from benchmarks.quality.tables import Sheet, read_sheets
from benchmarks.quality.tables_real import best_comparator, real_sections
from benchmarks.quality.write import write_tables
from kspace_denoise.arrays import to_numpy
from kspace_denoise.fourier import fft2c
from kspace_denoise.scan import Scan
from kspace_denoise.stages import known_noise
from kspace_denoise.training.config import TrainConfig
from tests.quality.whiteness import check_white, neighbours

SHAPE = (2, 48, 48)


@pytest.fixture
def scene() -> np.ndarray:
    y, x = np.mgrid[-1:1:48j, -1:1:48j]
    disc = 8 * (x**2 + y**2 < 0.5) * (1.5 + np.sin(9 * x) * np.cos(7 * y))
    return np.stack([disc, disc[::-1]]).astype(np.complex64)


def _scan(scene: np.ndarray, seed: int) -> Scan:
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal((*SHAPE, 2)) @ [1, 1j]
    kspace = fft2c(scene + noise)[:, None].astype(np.complex64)
    return Scan(kspace=kspace, noise_covariance=2 * np.eye(1))


def _job(row: str) -> Job:
    found = find_row(row)
    return Job("real-fisp", found, 0 if found.trained else None, 2 if found.trained else None)


def test_a_split_scan_gives_two_images_with_independent_noise_of_level_one(
    scene: np.ndarray,
) -> None:
    pair = real.split(_scan(scene, 1), seed=0)
    noises = [image - np.sqrt(0.5) * scene for image in pair.images]
    count = 2 * noises[0].size
    for noise in noises:
        level = np.sqrt(np.mean(np.abs(noise) ** 2) / 2)
        assert level == pytest.approx(1, rel=5 / np.sqrt(2 * count))
    product = np.mean((noises[0] * noises[1].conj()).real) / 2
    assert abs(product) < 5 / np.sqrt(count)


def test_repetitions_stand_in_one_unit_with_the_noise_of_each(scene: np.ndarray) -> None:
    second = _scan(scene, 2)
    louder = Scan(kspace=second.kspace, noise_covariance=8 * np.eye(1))
    pair = real.repeated(_scan(scene, 1), louder)
    assert pair.sigmas[0] == 1
    assert pair.sigmas[1] == pytest.approx(2, rel=1e-5)
    assert np.mean(np.abs(pair.images[0] - pair.images[1]) ** 2) == pytest.approx(4, rel=0.1)


def test_rows_on_a_real_scan_and_their_paired_difference(
    tmp_path: Path, scene: np.ndarray, tiny: TrainConfig
) -> None:
    pair = real.repeated(_scan(scene, 1), _scan(scene, 2))
    dataset = real.RealSet("real-fisp", pair)
    means = Means(tmp_path / "work", tiny)
    for name in ("noisy", "nlm", "c2s"):
        job = _job(name)
        result = dataset.evaluate(job, means)
        path = (tmp_path / "out" / job.place).with_suffix(".json")
        path.parent.mkdir(parents=True)
        record = {"dataset": job.dataset, "row": name, "seed": job.seed, "steps": job.steps}
        path.write_text(json.dumps({**record, **result}))
    kept = sorted(p.name for p in (tmp_path / "work" / "denoisers").glob("*/*/*"))
    assert kept == ["seed0-steps2-a.safetensors", "seed0-steps2-b.safetensors"]
    (sheet,) = read_sheets(tmp_path / "out")
    assert best_comparator(sheet) == "nlm"
    rows = {row["row"]: row for row in real_sections(sheet)[0]["rows"]}
    assert rows["noisy"]["error"] == pytest.approx(1)
    assert rows["nlm"]["error"] < 1
    expected = rows["c2s"]["error"] - rows["nlm"]["error"]
    assert rows["c2s"]["difference"] == pytest.approx(expected)
    assert "difference" not in rows["nlm"]
    names = [path.name for path in write_tables(tmp_path / "out", tmp_path / "work")]
    assert "real-fisp.md" in names
    assert "real-fisp-residuals.png" in names


def _result(error: float, largest: float) -> dict[str, Any]:
    blocks = {"crossed": [4 * (1 + error), 4 * (1 + error)], "noise": [4.0, 4.0], "pixels": 2}
    correlation = [[0.0, largest], [-largest, 0.0]]
    scores: dict[str, Any] = {
        "unbiased_error": {"value": error},
        "residual_power": 1.0,
        "blocks": blocks,
    }
    scores |= {"autocorrelation": correlation, "seconds_per_slice": 0.0, "seed": 0}
    return scores


@pytest.mark.parametrize(
    ("rows", "named"),
    [
        (("nlm", "wavelet", "c2s"), "nlm"),
        (("noisy", "c2s", "noise2void"), "c2s"),
        (("noisy", "noise2void"), None),
    ],
)
def test_the_column_of_differences_names_what_is_subtracted(
    rows: tuple[str, ...], named: str | None
) -> None:
    sheet = Sheet("real-fisp", 2, {name: [_result(0.1 * i, 0.1)] for i, name in enumerate(rows)})
    section = real_sections(sheet)[0]
    text = real_text(section)
    assert section["best_comparator"] == named
    assert ("| minus " in text) == (named is not None)
    if named:
        assert f"| minus {named}, σ²" in text
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in table}) == 1
    assert best_comparator(Sheet("real-fisp", None, {})) is None


@pytest.mark.parametrize(("largest", "end"), [(0.05, 0.2), (0.7, 0.7)])
def test_colours_reach_the_largest_correlation_on_both_sides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, largest: float, end: float
) -> None:
    drawn: list[tuple[float, float]] = []
    imshow = Axes.imshow

    def noted(axes: Axes, values: Any, **options: Any) -> Any:
        drawn.append((options["vmin"], options["vmax"]))
        return imshow(axes, values, **options)

    monkeypatch.setattr(Axes, "imshow", noted)
    results = {"nlm": [_result(0.3, 0.01)], "c2s": [_result(0.2, largest)]}
    assert draw_correlations(Sheet("real-fisp", 2, results), tmp_path / "residuals.png")
    assert drawn == [(-end, end)] * 2


def test_another_scan_of_the_same_name_is_refused(tmp_path: Path, real_data: Path) -> None:
    name = real.SCANS["real-fisp"]
    shutil.copy(real_data / name, tmp_path / name)
    assert real.open_pair("real-fisp", tmp_path).mask.any()
    with h5py.File(tmp_path / name, "r+") as file:
        file["kspace"][0, 0, 0, 0] += 1
    with pytest.raises(ValueError, match=r"has the SHA-256 .* another scan than"):
        real.open_pair("real-fisp", tmp_path)


def test_both_directions_train_on_one_repetition_each(
    tmp_path: Path, scene: np.ndarray, tiny: TrainConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = real.repeated(_scan(scene, 1), _scan(scene, 2))
    seen = []

    def kept(training: Training, _work: Path, make_data: object, *_rest: object) -> object:
        seen.append(make_data(training.row)["scans"])  # type: ignore[operator]
        raise ValueError("enough") if len(seen) == 2 else _Done

    class _Done(Exception):  # noqa: N818
        pass

    monkeypatch.setattr(real, "kept_denoiser", kept)
    dataset = real.RealSet("real-fisp", pair)
    for number in range(2):
        with pytest.raises((ValueError, _Done)):
            dataset._trained(_job("c2s"), Means(tmp_path, tiny), number)
    for (images,), image in zip(seen, pair.images, strict=True):
        assert np.array_equal(images.data, image)


def test_no_data_folder_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KSPACE_DENOISE_DATA", raising=False)
    with pytest.raises(FileNotFoundError, match="set KSPACE_DENOISE_DATA"):
        real.data_folder()


def test_stress_scans_are_marked_in_tables() -> None:
    assert set(real.WHITE) | set(real.STRESS) == set(real.SCANS)
    assert not set(real.WHITE) & set(real.STRESS)
    row = {"row": "noisy", "title": "", "seeds": 1, "error": 1.0, "standard_error": 0.0}
    row |= {"seed_spread": None, "residual_power": 0.0, "largest_correlation": None}
    row |= {"seconds_per_slice": 0.0, "training_seconds": None, "parameters": None}
    section = {"dataset": "x", "steps": None, "title": "Methods", "best_comparator": None}
    for stress in (None, "Its noise is coloured."):
        text = real_text({**section, "stress": stress, "rows": [row]})
        assert ("outside the aim. Its noise is coloured." in text) == (stress is not None)


def test_noise_of_the_white_set_is_white_inside_the_object(real_data: Path) -> None:
    pair = real.open_pair("real-flair-cage-removed", real_data)
    difference = (pair.images[0] - pair.images[1]) / np.sqrt(1 + pair.sigmas[1] ** 2)
    check_white(difference, pair.mask)


def test_noise_of_fisp_far_from_the_object_is_white_and_a_little_louder(real_data: Path) -> None:
    """The two halves add up to the image itself; what was drawn in between says nothing."""
    pair = real.open_pair("real-fisp", real_data)
    image = (pair.images[0] + pair.images[1]) / np.sqrt(2)
    far = ~binary_dilation(pair.mask, np.ones((1, 3, 3)), iterations=8)
    level = np.sqrt(np.mean(np.abs(image[far]) ** 2) / 2)
    assert level == pytest.approx(1.045, abs=4 / np.sqrt(4 * far.sum()))
    for axis in (-2, -1):
        correlation, count = neighbours(image, far, axis)
        assert abs(correlation) < 4 / np.sqrt(2 * count)


def test_noise_of_the_stress_scans_is_not_what_is_told(real_data: Path) -> None:
    raw = real.open_pair("real-flair-cage-raw", real_data)
    told = to_numpy(known_noise(real._scan(_file(real_data, "real-flair-cage-raw"))).profile)
    seen = np.abs(raw.images[0] - raw.images[1]) * told / 2
    thirds = np.array_split(np.arange(len(told)), 3)
    levels = [np.sqrt(np.mean(told[i] ** 2)) for i in thirds]
    assert levels == pytest.approx([0.78, 1.16, 1.01], abs=0.02)
    levels = [np.sqrt(np.mean(seen[:, i] ** 2)) for i in thirds]
    assert levels == pytest.approx([0.75, 1.00, 1.01], abs=0.02)
    spectrum = known_noise(real._scan(_file(real_data, "real-flair-nocage-removed"))).spectrum
    assert (spectrum.min(), spectrum.max()) == pytest.approx((0.63, 1.32), abs=0.01)


def _file(folder: Path, name: str) -> Path:
    return folder / real.SCANS[name].format(1)
