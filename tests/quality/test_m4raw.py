import json
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from benchmarks.quality import m4raw
from benchmarks.quality.acquired import cut_empty_lines
from benchmarks.quality.command import main
from benchmarks.quality.denoisers import training_data
from benchmarks.quality.phantom import FIRST, _phase
from benchmarks.quality.registry import find_row
from benchmarks.quality.repetitions import in_phase, reconstruct
from benchmarks.quality.scores import slice_scores
from benchmarks.quality.volumes import Volume, load_volume
from kspace_denoise import recon, sim
from kspace_denoise.formats import read_repetitions
from kspace_denoise.fourier import ifft2c
from kspace_denoise.metrics import object_mask
from kspace_denoise.scan import LazySlices, Scan
from tests.formats.files import M4RAW_LINES, write_m4raw
from tests.quality.whiteness import check_white


def _write(
    folder: Path, split: str, repetitions: int, readout: slice | None = None, turn: float = 0.0
) -> Path:
    """Write M4Raw's T1 of a study, each repetition turned by `turn` against the one before."""
    place = folder / f"multicoil_{split}"
    place.mkdir(parents=True, exist_ok=True)
    for number in range(1, repetitions + 1):
        name, seed = f"2022061003_T1{number:02d}", 10 * (split == "test") + number
        with h5py.File(write_m4raw(place, name, slices=1, seed=seed), "r+") as file:
            kspace = np.exp(1j * turn * number) * file["kspace"][:]
            del file["kspace"]
            file["kspace"] = kspace[..., readout or slice(None), :].astype(np.complex64)
    return place / "2022061003_T101.h5"


@pytest.fixture(scope="module")
def scanned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """M4Raw's layout, size and empty columns, with three repetitions."""
    folder = tmp_path_factory.mktemp("m4raw")
    _write(folder, "test", 3, turn=2.0)
    return folder


@pytest.fixture(scope="module")
def volume(scanned: Path) -> Volume:
    (volume,) = m4raw.volumes(scanned, "test")
    return volume


def test_two_repetitions_differ_by_white_noise_of_the_level_that_is_measured(
    volume: Volume,
) -> None:
    assert volume.images.shape == (3, 1, 256, 194)
    assert volume.truth is None
    assert volume.mask is not None
    check_white((volume.images[0] - volume.images[1]) / np.sqrt(2), volume.mask)


def test_repetitions_are_turned_before_they_are_averaged(volume: Volume) -> None:
    """A turn of 2 rad from each to the next would leave 0.54 of the signal in the mean of two."""
    without = volume.average(with_input=False)
    assert without is not None
    first = volume.images[0][volume.mask]
    share = np.sum(without[volume.mask] * first.conj()) / np.sum(np.abs(first) ** 2 - 2)
    assert share == pytest.approx(1, abs=0.01)


def test_turning_repetitions_of_one_phase_moves_no_score(scanned: Path) -> None:
    scans = read_repetitions(scanned / "multicoil_test" / "2022061003_T101.h5")
    same = [
        Scan(kspace=np.exp(-2j * n).astype(np.complex64) * scan.kspace[:], readout_axis=-2)
        for n, scan in enumerate(scans)
    ]
    rows = []
    for align in (False, True):
        made = reconstruct("1", "T1w", cut_empty_lines(same)[0], align=align)
        rows.append(slice_scores(made, made.images[0])[0])
    for score in ("psnr_without", "psnr_with"):
        assert 0 < rows[1][score] - rows[0][score] < 0.01


@pytest.mark.parametrize(("snr", "left"), [(7, 0.01), (20, 0.05)])
def test_slowly_varying_phases_are_taken_off_but_for_a_little_noise(
    snr: float, left: float
) -> None:
    """What is left of constant, slope and curvature is `left` of the power of the noise."""
    rng = np.random.default_rng(snr)
    clean = np.asarray(sim.phantom((256, 194), "T1w", seed=1).image, np.complex64)[None]
    mask = object_mask(np.abs(clean))
    clean *= np.float32(snr / np.abs(clean)[mask].mean())
    first = clean + _noise(clean.shape, rng)
    for seed in (1, 2):
        phase = _phase((256, 194), [seed]).astype(np.complex64)
        second = phase * clean + _noise(clean.shape, rng)
        before = second.copy()
        turned = in_phase(second, first)
        assert np.array_equal(second, before)
        assert np.abs(turned) == pytest.approx(np.abs(second), rel=1e-4, abs=1e-4)
        wrong = turned / second * phase * clean - clean
        assert np.mean(np.abs(wrong[mask]) ** 2) / 2 < left
        assert np.mean(np.abs((phase * clean - clean)[mask]) ** 2) / 2 > 1


def _noise(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    return np.asarray(rng.standard_normal((*shape, 2)) @ [1, 1j], np.complex64)


@pytest.mark.parametrize("axis", [-1, -2])
def test_empty_lines_are_cut_off_on_either_axis_and_the_centre_stays(axis: int) -> None:
    kspace = _noise((3, 2, 256, 256), np.random.default_rng(0))
    acquired = np.zeros(256, bool)
    acquired[M4RAW_LINES] = True
    kspace *= acquired if axis == -1 else acquired[:, None]
    kspace[1] = 0  # the middle slice is blank
    scan = Scan(kspace=kspace)
    (cut,), clean = cut_empty_lines([scan], scan)
    assert isinstance(cut.kspace, LazySlices)
    assert cut.kspace.shape[axis] == 194
    assert cut.kspace.shape[-3 - axis] == 256
    kept = kspace[..., 31:225] if axis == -1 else kspace[..., 31:225, :]
    assert np.array_equal(cut.kspace[:], kept)  # DC, at 128, is at 97 = 194 // 2
    assert clean is not None
    assert np.array_equal(clean.kspace[:], kept)


def test_what_has_no_empty_edges_or_says_what_it_sampled_is_left_alone() -> None:
    for shape in ((1, 1, 8, 8), (1, 1, 7, 9), (1, 1, 1, 8)):
        full = Scan(kspace=np.ones(shape, np.complex64))
        assert cut_empty_lines([full])[0][0] is full
    half = np.ones((1, 1, 8, 8), np.complex64)
    half[..., :3] = 0
    masked = Scan(kspace=half, mask=half[0, 0, 0] != 0)
    assert cut_empty_lines([masked])[0][0] is masked


def test_repetitions_are_cut_alike() -> None:
    kspaces = [np.ones((1, 1, 8, 40), np.complex64) for _ in range(2)]
    kspaces[1][..., :1] = 0
    cut, _ = cut_empty_lines([Scan(kspace=k) for k in kspaces])
    assert [scan.kspace.shape for scan in cut] == [(1, 1, 8, 39)] * 2


def _blank(kspace: np.ndarray) -> None:
    kspace[:] = 0


def _one_sided(kspace: np.ndarray) -> None:
    kspace[..., :90] = 0


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_blank, "all 17 slices of k-space are blank"),
        (_one_sided, "holds lines 90 to 225 of 256 along kx, and its centre is 128"),
    ],
)
def test_scans_that_cannot_be_cut_are_refused_by_name(
    tmp_path: Path, damage: Callable[[np.ndarray], None], message: str
) -> None:
    kspace = np.ones((17, 1, 8, 256), np.complex64)
    kspace[..., 226:] = 0
    damage(kspace)
    (tmp_path / "multicoil_test").mkdir()
    with h5py.File(tmp_path / "multicoil_test" / "1_T101.h5", "w") as file:
        file["kspace"] = kspace
    with pytest.raises(ValueError, match=rf"1_T101\.h5: .*{message}"):
        next(m4raw.volumes(tmp_path, "test"))


def test_from_files_as_m4raw_has_them_to_a_table(tmp_path: Path, tiny_file: Path) -> None:
    """No covariance, empty columns, a phase between repetitions, and nobody knows the truth."""
    for split in ("train", "test"):
        _write(tmp_path, split, 2, readout=slice(80, 176), turn=2.0)
    rows = ("noisy", "nlm", "c2s", "supervised", "noise2noise")
    out, work = tmp_path / "out", tmp_path / "work"
    command = ["m4raw", "--folder", str(tmp_path), "--methods", *rows, "--seeds", "0"]
    command += ["--steps", "2", "--config", str(tiny_file)]
    assert main([*command, "--out", str(out), "--work", str(work)]) == 0
    results = {p.parent.name: json.loads(p.read_text()) for p in out.glob("m4raw/*/*.json")}
    assert set(results) == set(rows)
    for result in results.values():
        (row,) = result["slices"]
        assert next(iter(s for s in row if s.startswith("psnr_"))) == "psnr_without"
        assert "psnr_truth" not in row
    text = (out / "tables" / "m4raw.md").read_text()
    assert "|  | PSNR against the mean without it | minus c2s" in text
    train, test = (
        load_volume(next(work.glob(f"data/m4raw/{s}-*/0000-*"))) for s in ("train", "test")
    )
    assert test.images.shape == (2, 1, 96, 194)
    _check_noisy(results["noisy"]["slices"][0]["psnr_without"], test)
    for name in ("supervised", "noise2noise"):
        (target,) = training_data(find_row(name), [train])["targets"]
        assert np.array_equal(target.data, train.images[1])


def _check_noisy(psnr: float, volume: Volume) -> None:
    """Hold the noisy image to an error of 2 σ² in each component against one other repetition."""
    assert volume.mask is not None
    tolerance = 10 * np.log10(1 + 5 / np.sqrt(volume.mask.sum()))
    assert psnr == pytest.approx(10 * np.log10(volume.data_range**2 / 4), abs=tolerance)


def test_the_middle_repetition_is_denoised_under_paper_scoring(study: Path) -> None:
    for split, number, folder in (("test", 3, "multicoil_val"), ("train", 1, "multicoil_train")):
        first = FIRST["validation" if split == "test" else "train"]
        volume = next(v for v in m4raw.paper_volumes(study, split) if v.contrast == "FLAIR")
        scans = read_repetitions(study / folder / f"{first}_FLAIR01.h5")
        images = recon.rss(ifft2c(scans[number - 1].kspace[:]))
        low, high = (f(images, axis=(-2, -1), keepdims=True) for f in (np.min, np.max))
        assert volume.images[0] == pytest.approx((images - low) / (high - low), abs=1e-6)
        assert len({image.tobytes() for image in volume.images}) == len(scans)


def test_paper_scoring_scales_each_slice_and_clips(study: Path) -> None:
    volume = next(iter(m4raw.paper_volumes(study, "test")))
    assert not np.iscomplexobj(volume.images)
    assert volume.images.min(axis=(-2, -1)) == pytest.approx(0)
    assert volume.images.max(axis=(-2, -1)) == pytest.approx(1)
    inside = slice_scores(volume, volume.images[0])
    outside = slice_scores(volume, np.where(volume.images[0] == 1, 2, volume.images[0]))
    assert inside[0]["psnr_with"] == outside[0]["psnr_with"]


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="has no folder multicoil_train"):
        next(iter(m4raw.volumes(tmp_path, "train")))
    (tmp_path / "multicoil_val").mkdir()
    with pytest.raises(FileNotFoundError, match="no first repetition"):
        next(iter(m4raw.volumes(tmp_path, "test")))
