"""DDM2 from a diffusion scan to a denoiser and its file."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import kspace_denoise as kd
from kspace_denoise.dmri.expected import expected
from kspace_denoise.dmri.networks import noise_network
from kspace_denoise.dmri.prepare import prepare
from kspace_denoise.dmri.volumes import Volumes
from kspace_denoise.networks import UNetConfig
from kspace_denoise.objectives.ddm2 import DDM2
from kspace_denoise.scan import Images

SIGMA = 0.1
TINY = UNetConfig(base=8, multipliers=(1, 1), attention=())


@pytest.fixture(scope="module")
def scan() -> Images:
    scheme = kd.sim.gradient_scheme(6, b0=2)
    phantom = kd.sim.diffusion_phantom((3, 33, 26), scheme, seed=4)
    noise = np.random.default_rng(0).standard_normal((2, *phantom.image.shape))
    noisy = phantom.image + SIGMA * (noise[0] + 1j * noise[1])
    return Images(data=noisy.astype(np.complex64), bval=scheme.bval, bvec=scheme.bvec, sigma=SIGMA)


def magnitudes(scan: Images) -> Images:
    return dataclasses.replace(scan, data=np.abs(scan.data))


def config(steps: int = 6, paper: bool = False, **settings: Any) -> kd.TrainConfig:
    return kd.TrainConfig(
        network=TINY, steps=steps, batch=2, patch=16, parts=1, symmetries=1, paper=paper,
        warmup=2, objective=settings,
    )  # fmt: skip


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"diffusion": "shuffled", "chain_steps": 2, "eta": 0.5},
        {"diffusion": "none", "order": "time", "neighbours": 1},
        {"slab": 3},
        {"diffusion": "shuffled", "slab": 3, "matching": "residual"},
        {"matching": "residual", "neighbours": 5},
    ],
    ids=lambda s: "-".join(map(str, s.values())) or "default",
)
def test_a_denoiser_comes_back_from_its_file(
    scan: Images, tmp_path: Path, settings: dict[str, Any]
) -> None:
    images = magnitudes(scan) if settings else scan
    trained = kd.train_volumes("ddm2", images, config(**settings))
    clean = trained(images)
    assert clean.data.shape == images.data.shape
    assert clean.data.dtype == images.data.dtype
    assert np.isfinite(clean.data).all()
    assert clean.sigma is None
    trained.save(tmp_path / "model.safetensors")
    again = kd.load(tmp_path / "model.safetensors")
    assert isinstance(again, kd.VolumeDenoiser)
    np.testing.assert_array_equal(again(images).data, clean.data)
    assert again.record["steps"] == trained.record["steps"]


def test_the_paper_runs_end_to_end(scan: Images) -> None:
    one = dataclasses.replace(magnitudes(scan), data=np.abs(scan.data[:, :1]))
    trained = kd.train_volumes("ddm2", one, config(2, paper=True, schedule="warmup70"))
    assert np.isfinite(trained(one).data).all()


def test_one_slice_is_a_scan_too(scan: Images) -> None:
    one = dataclasses.replace(scan, data=scan.data[:, :1])
    clean = kd.denoise(one, kd.train_volumes("ddm2", one, config()))
    assert clean.image.shape == one.data.shape
    assert (clean.image != one.data).all()
    trained = kd.train_volumes("ddm2", one, config(2))
    kspace = kd.Scan(kspace=np.ones((1, 1, 8, 8), np.complex64))
    with pytest.raises(ValueError, match="this is k-space"):
        kd.denoise(kspace, trained)


@pytest.mark.parametrize("slab", [3, 5])
def test_no_slice_is_among_its_neighbours(slab: int) -> None:
    images = torch.arange(5.0)[None, :, None, None].expand(2, 5, 4, 4)
    volumes = Volumes(images, torch.zeros(2, 1, dtype=torch.long), slab)
    for piece in range(5):
        around = volumes.around(piece)
        assert around[slab // 2] == piece
        assert around.count(piece) == 1
        assert len(around) == slab
        assert all(0 <= k < 5 and abs(k - piece) <= slab // 2 for k in around)


def test_in_the_unit_of_the_paper_no_pixel_counts_as_blank(scan: Images) -> None:
    data = np.abs(scan.data).copy()
    data[3, 0, 0, 0] = data[3].max() / 2
    data[3, 0, 1] = 0
    paper = prepare(dataclasses.replace(scan, data=data), DDM2.paper())[0]
    assert (paper.volumes.images != 0).all()
    assert paper.volumes.images.abs().max() <= 1


def test_settings_that_mean_nothing_here_are_refused(scan: Images) -> None:
    for change in ({"vst": True}, {"domain": "svd"}):
        with pytest.raises(ValueError, match="neither vst nor domain"):
            kd.train_volumes("ddm2", scan, config().replace(**change))


def test_a_new_run_leaves_nothing_of_an_old_one(scan: Images, tmp_path: Path) -> None:
    keep = {"checkpoint": tmp_path / "model.checkpoint"}
    kd.train_volumes("ddm2", scan, config(), **keep)
    old = {path.name for path in tmp_path.iterdir()}
    assert len(old) == 4
    (tmp_path / "model.checkpoint.b3000-diffusion").write_text("of another scan")
    kd.train_volumes("ddm2", scan, config(4), **keep)
    assert {path.name for path in tmp_path.iterdir()} == old


def test_what_has_too_few_volumes_comes_out_as_it_is(scan: Images) -> None:
    trained = kd.train_volumes("ddm2", scan, config(neighbours=2))
    clean = trained(scan).data
    assert scan.bval is not None
    np.testing.assert_array_equal(clean[scan.bval == 0], scan.data[scan.bval == 0])
    assert not np.array_equal(clean[scan.bval > 0], scan.data[scan.bval > 0])
    assert [model.bval for model in trained.shells] == [1000]


def test_volumes_of_b_0_are_denoised_where_there_are_enough(scan: Images) -> None:
    trained = kd.train_volumes("ddm2", scan, config())
    assert [(m.bval, m.neighbours) for m in trained.shells] == [(0, 1), (1000, 5)]
    assert not np.array_equal(trained(scan).data[0], scan.data[0])


def test_blank_slices_and_voxels_stay_blank(scan: Images) -> None:
    data = np.abs(scan.data).copy()
    data[:, 1] = 0
    data[3, 2] = 0
    data[..., :4] = 0
    images = dataclasses.replace(scan, data=data)
    clean = kd.train_volumes("ddm2", images, config())(images).data
    np.testing.assert_array_equal(clean[data == 0], 0)
    assert (clean[2, 2][data[2, 2] != 0] != 0).all()
    for settings in ({"matching": "schedule"}, {"matching": "residual"}):
        method = config(diffusion="shuffled", **settings)
        again = kd.train_volumes("ddm2", images, method)(images).data
        assert np.isfinite(again).all()
        assert again[2, 2].any()
        np.testing.assert_array_equal(again[data == 0], 0)


def test_the_unit_of_the_scan_does_not_matter(scan: Images) -> None:
    images = magnitudes(scan)
    thousand = dataclasses.replace(images, data=1000 * images.data, sigma=1000 * SIGMA)
    trained = kd.train_volumes("ddm2", images, config())
    np.testing.assert_allclose(
        trained(thousand).data, 1000 * trained(images).data, rtol=1e-3, atol=1
    )


@pytest.mark.parametrize("slab", [1, 3])
def test_the_noise_model_is_blind_to_its_own_volume(scan: Images, slab: int) -> None:
    """The Jacobian of Φ for a volume with respect to that volume is exactly 0."""
    method = DDM2(neighbours=2, slab=slab)
    volumes = prepare(magnitudes(scan), method)[0].volumes
    network = noise_network(config(), 2, slab, seed=1)
    for parameter in network.parameters():  # a network that was trained: nothing is 0
        torch.nn.init.normal_(parameter, std=0.1)
    told = expected(network, volumes)
    for own in range(len(volumes.images)):
        images = volumes.images.clone()
        images[own] += (images[own] != 0) * torch.randn(images[own].shape)
        other = expected(network, dataclasses.replace(volumes, images=images))
        assert torch.equal(other[own], told[own])
        assert not torch.equal(other, told)


def test_a_killed_run_resumes_to_the_same_weights(
    scan: Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kspace_denoise.training.trainer import Trainer

    straight = kd.train_volumes("ddm2", scan, config(20))
    step = Trainer._step
    taken = []

    def dies(self: Trainer, parts: Any, batch: Any) -> None:
        step(self, parts, batch)
        taken.append(1)
        if len(taken) == 14:  # in the third stage
            self.save()
            raise KeyboardInterrupt

    keep: dict[str, Any] = {"checkpoint": tmp_path / "model.checkpoint"}
    monkeypatch.setattr(Trainer, "_step", dies)
    with pytest.raises(KeyboardInterrupt):
        kd.train_volumes("ddm2", scan, config(20), **keep)
    resumed = kd.train_volumes("ddm2", scan, config(20), resume=True, **keep)
    assert len(taken) == 20
    np.testing.assert_array_equal(resumed(scan).data, straight(scan).data)


def test_progress_is_told_of_each_network(scan: Images) -> None:
    told = []

    def reports(name: str) -> Any:
        told.append(name)
        return lambda _progress: None

    kd.train_volumes("ddm2", scan, config(neighbours=1), reports=reports)
    of_both = ["b0 noise model", "b1000 noise model"]
    assert told == [*of_both, "b1000 diffusion", "b0 diffusion"]


@pytest.mark.parametrize(
    ("change", "settings", "said"),
    [
        ({"bvec": None}, {}, r"without directions \(--bvec\)"),
        ({"bval": None}, {}, r"without b-values \(--bval\)"),
        ({"bval": np.zeros(7)}, {}, "8 volumes, 7 b-values"),
        ({}, {"neighbours": 6}, "to see 6 other volumes, and no shell of b > 0 has more"),
        ({}, {"slab": 5}, "slab is 5, and the scan has 3 slices"),
        ({}, {"nonsense": 1}, "ddm2 has no setting nonsense; it has neighbours"),
        ({"sigma": 0.0}, {}, "noise is 0 everywhere"),
        ({"bvec": np.full((8, 3), np.nan)}, {}, "hold NaN or infinity"),
    ],
)
def test_what_cannot_be_trained_on_is_refused(
    scan: Images, change: dict[str, Any], settings: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        kd.train_volumes("ddm2", dataclasses.replace(scan, **change), config(**settings))


def test_three_axes_are_no_diffusion_scan(scan: Images) -> None:
    with pytest.raises(ValueError, match=r"expected those of a diffusion scan"):
        kd.train_volumes("ddm2", dataclasses.replace(scan, data=scan.data[0]), config())


@pytest.mark.parametrize("kind", [np.float16, ">f4"])
def test_numbers_of_an_odd_kind_are_refused(scan: Images, kind: Any) -> None:
    odd = dataclasses.replace(scan, data=np.abs(scan.data).astype(kind))
    with pytest.raises(TypeError, match="expected single or double precision"):
        kd.train_volumes("ddm2", odd, config())


def test_blank_volumes_are_refused(scan: Images) -> None:
    blank = dataclasses.replace(scan, data=np.zeros_like(scan.data))
    with pytest.raises(ValueError, match="blank"):
        kd.train_volumes("ddm2", blank, config())


def test_a_scan_of_other_shells_is_refused(scan: Images) -> None:
    trained = kd.train_volumes("ddm2", scan, config())
    assert scan.bval is not None
    fewer = dataclasses.replace(scan, data=scan.data[:7], bval=scan.bval[:7])
    assert scan.bvec is not None
    with pytest.raises(ValueError, match="sees 5 other volumes, and the scan has 5 in all"):
        trained(dataclasses.replace(fewer, bvec=scan.bvec[:7]))
    other = dataclasses.replace(scan, bval=2.5 * scan.bval)
    with pytest.raises(ValueError, match="trained for 0, 1000: train on this scan"):
        trained(other)


def test_train_and_train_volumes_point_to_each_other(scan: Images) -> None:
    with pytest.raises(ValueError, match=r"kd\.train_volumes"):
        kd.train("ddm2", scan)
    with pytest.raises(ValueError, match=r"kd\.train"):
        kd.train_volumes("c2s", scan)


def test_mixed_shells_are_one(scan: Images) -> None:
    assert scan.bval is not None
    bval = scan.bval.copy()
    bval[-2:] = 2000
    images = dataclasses.replace(scan, bval=bval)
    apart = prepare(images, DDM2(neighbours=1))
    assert [one.shell.bval for one in apart] == [0, 1000, 2000]
    mixed = prepare(images, DDM2(neighbours=1, mix_shells=True))
    assert [len(one.shell.volumes) for one in mixed] == [2, 6]
    with pytest.raises(ValueError, match="put shells together"):
        prepare(images, DDM2(neighbours=4))
    assert len(prepare(images, DDM2(neighbours=5, mix_shells=True))) == 1


def test_prepared_images_are_restored(scan: Images) -> None:
    for method in (DDM2(neighbours=1), DDM2.paper()):
        for prepared in prepare(scan, dataclasses.replace(method, neighbours=1)):
            volumes = prepared.shell.volumes
            back = prepared.restored(prepared.volumes.images)
            assert prepared.phase is not None
            real = (scan.data[volumes] * prepared.phase.numpy().conj()).real
            np.testing.assert_allclose(
                back, real * prepared.phase.numpy(), atol=1e-5 * np.abs(scan.data).max()
            )


def test_noise_that_varies_is_made_even(scan: Images) -> None:
    ramp = np.linspace(0.05, 0.2, scan.data.shape[-1])
    known = dataclasses.replace(scan, sigma=np.broadcast_to(ramp, scan.data.shape[1:]))
    prepared = prepare(known, DDM2())[0]
    assert prepared.level is not None
    noise = prepared.level * prepared.unit.numpy()
    np.testing.assert_allclose(noise, np.broadcast_to(ramp, noise.shape), rtol=1e-5)
