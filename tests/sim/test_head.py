import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kspace_denoise.fourier import fft2c, ifft2c
from kspace_denoise.sim import head, phantom
from kspace_denoise.sim.anatomy import draw_anatomy
from kspace_denoise.sim.contrast import spin_echo
from kspace_denoise.sim.relaxation import signal
from kspace_denoise.sim.resolution import central_kspace

CONTRASTS = ["PDw", "T1w", "T2w", "FLAIR"]


@pytest.mark.parametrize("shape", [(64, 64), (65, 51), (48, 63), (16, 16)])
def test_shapes_kinds_and_level(shape):
    image, mask, kspace, scale, tissues, relaxation = phantom(shape, seed=1, coils=3)
    assert scale > 0
    assert set(relaxation) == set(tissues)
    assert all(part.shape == shape and part.dtype == np.float32 for part in tissues.values())
    assert image.shape == mask.shape == shape
    assert kspace.shape == (3, *shape)
    assert image.dtype == kspace.dtype == np.complex64
    assert mask.dtype == bool
    assert abs(np.abs(image[mask]).mean() - 1) < 1e-4
    assert phantom(shape, seed=1).kspace is None


@pytest.mark.parametrize("shape", [(96, 96), (97, 81)])
def test_mask_is_the_head(shape):
    for seed in range(4):
        part = phantom(shape, "T1w", seed=seed)
        energy = np.abs(part.image) ** 2
        assert energy[~part.mask].sum() < 0.02 * energy.sum()
        rim = part.mask & ~(part.mask[np.arange(-2, shape[0] - 2)] & np.roll(part.mask, -2, 0))
        assert np.abs(part.image[rim]).mean() > 0.4
        area = part.mask.mean() * max(225 / shape[0], 180 / shape[1]) ** 2 * part.mask.size
        assert 14000 < area < 27500  # mm²


def test_same_seed_same_head_whatever_the_contrast_field_and_coils():
    first = phantom((48, 48), "T2w", seed=3)
    again = phantom((48, 48), "T2w", seed=3, coils=2)
    np.testing.assert_array_equal(first.image, again.image)
    other = phantom((48, 48), "T1w", field=0.3, seed=3)
    np.testing.assert_array_equal(first.mask, other.mask)
    assert not np.allclose(np.abs(first.image), np.abs(other.image), atol=0.1)


def test_field_changes_the_contrast():
    low, high = (np.abs(phantom((48, 48), "T1w", field, seed=3).image) for field in (0.1, 3.0))
    assert 0.02 < np.abs(low - high).mean() < 0.5


@pytest.mark.parametrize(("shape", "oversampling"), [((64, 63), 2), ((48, 51), 3), ((48, 49), 4)])
def test_fractions_are_those_of_the_voxels_of_the_image(shape, oversampling):
    """The image is the sum of fractions times signals, and not if they are shifted by a voxel."""
    part = phantom(shape, "PDw", seed=5, oversampling=oversampling)
    total = sum(part.tissues.values())
    assert 0 <= total.min() <= total.max() < 1 + 1e-5
    inside = part.mask[1:-1, 1:-1] & part.mask[2:, 1:-1] & part.mask[:-2, 1:-1]
    assert np.median(total[1:-1, 1:-1][inside]) > 0.999
    assert total[0].max() == 0
    model = sum(
        fraction
        * part.relaxation[name].proton_density
        * signal(spin_echo("PDw"), part.relaxation[name], 3.0)
        for name, fraction in part.tissues.items()
    )
    image = np.abs(part.image) / part.scale
    error = np.linalg.norm(image - model) / np.linalg.norm(image)
    shifted = [np.roll(model, step, axis) for step in (-1, 1) for axis in (0, 1)]
    assert error < 0.12
    assert error < 0.6 * min(np.linalg.norm(image - m) / np.linalg.norm(image) for m in shifted)


def test_scale_gives_back_the_signal():
    parts = [phantom((48, 48), "PDw", field, seed=3) for field in (0.3, 3.0)]
    low, high = (np.abs(part.image) / part.scale for part in parts)
    assert 1 < np.median(low[parts[0].mask] / high[parts[0].mask]) < 1.3
    phantom((16, 16), field=np.float32(0.05), oversampling=2)
    for field in (0.04, 7.8):
        message = f"field is {field} T, and the tissues of a head are known from 0.045 to 7.7 T$"
        with pytest.raises(ValueError, match=message):
            phantom((48, 48), field=field)


def test_no_two_seeds_alike():
    brains = [np.abs(phantom((48, 48), seed=seed).image).ravel() for seed in range(30)]
    correlation = np.corrcoef(brains) - np.eye(30)
    assert correlation.max() < 0.93
    generator = np.random.default_rng(0)
    a, b = (phantom((32, 32), seed=generator).image for _ in range(2))
    assert not np.allclose(np.abs(a), np.abs(b), atol=0.3)


def test_every_head_is_finite_and_covered_by_known_tissues():
    seen = set()
    for seed in range(60):
        anatomy = draw_anatomy((64, 64), np.random.default_rng(seed))
        for layer in anatomy.layers:
            assert layer.tissue in head.TEXTURE
            assert layer.coverage.dtype == np.float32
            assert 0 <= layer.coverage.min() <= layer.coverage.max() <= 1
            seen.add(layer.tissue)
    assert seen == set(head.TEXTURE)
    assert all(np.isfinite(phantom((32, 32), "T1w", seed=seed).image).all() for seed in range(60))


def test_phase_is_smooth_and_not_constant():
    part = phantom((96, 96), "PDw", seed=2)
    bright = part.mask & (np.abs(part.image) > 0.5)
    turn = part.image[1:] * part.image[:-1].conj()
    step = np.angle(turn[bright[1:] & bright[:-1]])
    assert np.abs(step).max() < 0.5
    unit = part.image[bright] / np.abs(part.image[bright])
    assert np.abs(unit.mean()) < 0.995


def test_truth_is_the_central_part_of_a_finer_transform(monkeypatch):
    """With maps of ones, k-space is exactly that of the truth; the maps live on the finer grid."""
    asked = []

    def ones(shape, coils, _):
        asked.append(shape)
        return np.ones((coils, *shape), np.complex64)

    monkeypatch.setattr(head, "coil_maps", ones)
    part = phantom((33, 24), seed=0, coils=2, oversampling=3)
    assert asked == [(99, 72)]
    np.testing.assert_allclose(part.kspace, np.stack([fft2c(part.image)] * 2), atol=1e-3)


def test_coil_images_are_no_products_of_truth_and_maps():
    """The crop comes after the coils: to simulate on the image's own grid would be a crime."""
    part = phantom((64, 64), seed=0, coils=4)
    seed = np.random.default_rng(0).integers(2**62, size=4)[3]
    fine = head.coil_maps((128, 128), 4, np.random.default_rng(seed))
    difference = np.abs(ifft2c(part.kspace) - fine[:, ::2, ::2] * part.image)[:, part.mask]
    assert 1e-4 < difference.mean() < 0.05


@pytest.mark.parametrize("shape", [(20, 24), (21, 24), (21, 25)])
@pytest.mark.parametrize("oversampling", [2, 3])
def test_crop_keeps_level_and_place(shape, oversampling):
    fine = tuple(n * oversampling for n in shape)

    def bump(size, step):
        y, x = ((np.arange(n) - n // 2) * step for n in size)
        return np.exp(-((y[:, None] - 2.3) ** 2 + (x + 1.1) ** 2) / 4).astype(np.complex64)

    cropped = ifft2c(central_kspace(fft2c(bump(fine, 1 / oversampling)), shape))
    np.testing.assert_allclose(cropped, bump(shape, 1.0), atol=2e-3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"contrast": "T9w"}, "unknown contrast 'T9w'; there are: PDw, T1w, T2w, FLAIR"),
        ({"shape": (8, 64)}, r"shape is \(8, 64\), expected \(y, x\), each 16 or more"),
        ({"shape": (64,)}, r"shape is \(64,\)"),
        ({"field": 0.0}, "field is 0.0, expected a positive number of tesla"),
        ({"field": np.inf}, "field is inf"),
        ({"coils": -1}, "coils is -1, expected 0"),
        ({"oversampling": 1}, "oversampling is 1, expected an integer of at least 2"),
        ({"oversampling": 2.5}, "oversampling is 2.5"),
    ],
)
def test_rejects_what_it_cannot_draw(change, message):
    with pytest.raises(ValueError, match=message):
        phantom(**({"shape": (64, 64), "seed": 0} | change))
    with pytest.raises(TypeError, match="seed is 'a', expected an integer"):
        phantom((64, 64), seed="a")
    with pytest.raises(TypeError, match="field is '3', expected a number of tesla"):
        phantom((64, 64), field="3")


def test_spectrum_is_that_of_a_real_head(real_data, tmp_path):
    """The benchmark at its smallest; 0.3 is what the phantom must hold on average."""
    command = [sys.executable, "benchmarks/phantom.py", "--slices=2", "--processes=1"]
    out = tmp_path / "phantom.json"
    root = Path(__file__).parents[2]
    environment = os.environ | {"KSPACE_DENOISE_DATA": str(real_data), "PYTHONPATH": str(root)}
    subprocess.run(
        [*command, "--spectra=8", f"--json={out}"], cwd=root, env=environment, check=True
    )
    assert abs(json.loads(out.read_text())["slope_difference"]) < 0.45


def test_import_stays_light():
    code = "import sys, kspace_denoise.sim; print(*sys.modules)"
    root = Path(__file__).parents[2]
    run = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, check=True)
    loaded = {name.split(".")[0] for name in run.stdout.decode().split()}
    assert not loaded & {"torch", "matplotlib", "sigpy", "skimage", "h5py"}
