"""DiffDenoise from noisy images to its student, and on again after a kill."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import kspace_denoise as kd
from kspace_denoise.denoiser import build_network
from kspace_denoise.diffdenoise.conditions import check_blind, each, residual_scale
from kspace_denoise.networks import NAFNetConfig, PUCAConfig
from kspace_denoise.objectives import DiffDenoise
from kspace_denoise.training.images import Example, NoisyImages
from kspace_denoise.training.processes import Processes
from kspace_denoise.training.trainer import Progress, Trainer
from tests.training.scans import TINY, magnitudes, scan

SMALL = TINY.replace(network=NAFNetConfig(width=4, encoder=(1,), decoder=(1,)), steps=20, parts=1)
QUICK = {"hole": 1, "steps": 2, "stop_early": False}


class StoppedError(Exception):
    """A kill, at a moment of our choosing."""


def train(**more: object) -> kd.Denoiser:
    settings = {"config": SMALL.replace(objective=QUICK), **more}
    return kd.train("diffdenoise", scan(), **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"start": "symmetric", "runs": 4, "variable": "image"},
        {"start": "independent", "runs": 3, "error": "absolute", "of_noise": True},
        {"blind": "half-plane", "iterations": 2},
    ],
    ids=lambda s: "-".join(map(str, s.values())) or "default",
)
def test_a_student_comes_out_and_back_from_its_file(settings: dict, tmp_path: Path) -> None:
    denoiser = train(config=SMALL.replace(objective={**QUICK, **settings}))
    names = list(denoiser.record["networks"])
    of_two = ["blind network", "diffusion 1", "student 1", "diffusion"]
    assert names == (of_two if settings.get("iterations") == 2 else ["blind network", "diffusion"])
    assert denoiser.record["hole"] == 1
    before = denoiser.record["networks"].values()
    assert denoiser.record["steps"] > sum(one["steps"] for one in before) > 0
    denoiser.save(tmp_path / "model")
    again = kd.load(tmp_path / "model")
    first, second = (kd.denoise(scan(noise=2), f).image for f in (denoiser, again))
    np.testing.assert_array_equal(first, second)
    assert np.isfinite(first).all()
    assert not np.allclose(first, kd.denoise(scan(noise=2), again).noisy)


def test_the_paper_s_mode_and_magnitudes() -> None:
    config = SMALL.replace(paper=True, objective=QUICK)
    denoiser = train(config=config)
    assert denoiser.objective == dataclasses.replace(DiffDenoise.paper(), **QUICK)
    stabilised = SMALL.replace(vst=True, objective=QUICK)
    noisy = magnitudes(sigma=0.4)
    found = kd.train("diffdenoise", noisy, config=stabilised)
    assert kd.denoise(noisy, found).image.dtype == np.float32


def test_coil_images_are_denoised_too() -> None:
    denoiser = kd.train("diffdenoise", scan(), "before-sense", SMALL.replace(objective=QUICK))
    found = kd.denoise(scan(noise=2), denoiser, stage="before-sense")
    assert np.isfinite(found.image).all()


@pytest.mark.filterwarnings("ignore:what the diffusion model draws")  # of so few steps
def test_without_a_hole_it_is_as_wide_as_the_noise_is_correlated() -> None:
    heads = [np.abs(kd.sim.phantom((96, 96), seed=s).image) for s in range(4)]
    noise = kd.sim.BlurredNoise(0.2, 0.8)
    images = kd.Images(data=noise.sample(np.stack(heads).astype(np.float32), 0), sigma=0.2)
    config = SMALL.replace(steps=4, objective={"steps": 1})
    denoiser = kd.train("diffdenoise", images, config=config)
    assert denoiser.record["hole"] == 5
    assert denoiser.record["correlation"][1][1] == pytest.approx(0.34, abs=0.05)


@pytest.mark.parametrize("name", ["blind network", "diffusion", "student"])
def test_a_killed_run_goes_on_between_and_inside_its_stages(name: str, tmp_path: Path) -> None:
    """Twenty steps of each stage or more, killed at the last but one report of one."""
    config = SMALL.replace(steps=70, objective=QUICK)
    path = tmp_path / "run"

    def reports(network: str):
        def stop(progress: Progress) -> None:
            if network == name and progress.step == 20:
                raise StoppedError

        return stop

    whole = train(config=config)
    with pytest.raises(StoppedError):
        train(config=config, checkpoint=path, reports=reports)
    told: list[str] = []

    def follow(network: str):
        told.append(network)
        return lambda _: None

    resumed = train(config=config, checkpoint=path, resume=True, reports=follow)
    stages = ["blind network", "diffusion", "student"]
    assert [one.partition(", from step ")[0] for one in told] == stages
    assert "from step" in told[0]
    for key, weight in whole.network.state_dict().items():
        assert torch.equal(weight, resumed.network.state_dict()[key])


def test_where_nothing_tells_when_to_stop_that_is_told() -> None:
    with pytest.warns(
        UserWarning, match=r"cannot be told \(there are \d+ flat pixels.*after its last"
    ):
        train(config=SMALL.replace(objective={"hole": 1, "steps": 2}))


def test_holes_and_patches_must_fit_into_the_images() -> None:
    with pytest.raises(ValueError, match="hole is 25, expected less than the 24 pixels of a patch"):
        train(config=SMALL.replace(patch=24, objective={**QUICK, "hole": 25}))
    with pytest.raises(ValueError, match=r"patch is 512, expected no more than the \d+ pixels"):
        train(config=SMALL.replace(patch=512))


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="leave other contrasts out"):
        train(contrasts=[scan("T1w")])
    for settings, said in (
        ({"blind": "unet"}, "blind is 'unet'"),
        ({"hole": 4}, "hole is 4"),
        ({"blind_share": 0.7}, "leave some for the student"),
        ({"iterations": 0}, "iterations is 0"),
        ({"start": "nowhere"}, "start is 'nowhere'"),
        ({"start": "symmetric", "runs": 3}, "an even number"),
    ):
        with pytest.raises(ValueError, match=said):
            train(config=SMALL.replace(objective=settings))


def test_the_files_of_another_run_are_refused_or_swept_away(tmp_path: Path) -> None:
    path = tmp_path / "run"
    train(checkpoint=path)
    stages = ("blind-network", "diffusion", "drawn")
    names = {"run", *(f"run.{stage}" for stage in stages)}
    assert {file.name for file in tmp_path.iterdir()} == names
    with pytest.raises(ValueError, match="belongs to another run"):
        train(checkpoint=path, resume=True, seed=1)
    other = SMALL.replace(objective={**QUICK, "steps": 3})
    with pytest.raises(ValueError, match=r"run.drawn belongs to another run \(steps"):
        train(checkpoint=path, resume=True, config=other)
    (tmp_path / "run.drawn").unlink()
    wider = SMALL.replace(objective={**QUICK, "hole": 3})  # the first stage has other weights then
    with pytest.raises(ValueError, match=r"blind-network belongs .*network.hole was 1 and is 3"):
        train(checkpoint=path, resume=True, config=wider)
    (tmp_path / "run.diffusion-1").write_text("of a run with more iterations")
    (tmp_path / "run.toml").write_text("of the user")
    train(checkpoint=path)
    assert {file.name for file in tmp_path.iterdir()} == {*names, "run.toml"}


def test_several_processes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kspace_denoise.diffdenoise.teach.joined", lambda: Processes(0, 2))
    with pytest.raises(ValueError, match="leave torchrun out"):
        train()


@pytest.mark.parametrize("channels", [1, 2])
def test_a_condition_network_that_leaks_is_refused(channels: int) -> None:
    leaking = build_network(NAFNetConfig(channels=channels, direct=True, phase_width=0.0), channels)
    with pytest.raises(ValueError, match="a pixel follows itself by"):
        check_blind(leaking, channels, 1)
    blind = build_network(PUCAConfig(channels=channels, hole=3), channels)
    check_blind(blind, channels, 3)
    with pytest.raises(ValueError, match="follows itself"):
        check_blind(blind, channels, 5)


class Smooth(nn.Module):
    """A linear teacher: the mean of a pixel and its four neighbours."""

    def forward(self, x: Tensor) -> Tensor:
        shifts = [(0, 0), (0, 1), (0, -1), (1, 0), (-1, 0)]
        return torch.stack([x.roll(s, (-2, -1)) for s in shifts]).mean(dim=0)


def test_a_student_learns_a_linear_teacher() -> None:
    """Check 4: on new images it differs from the teacher by 20 dB less than the noise."""
    drawn = torch.randn(48, 32, 32, generator=torch.Generator().manual_seed(0))
    teacher = Smooth()
    lessons = [Example(x.numpy(), teacher(x).numpy()) for x in drawn[:40]]
    data = NoisyImages.from_examples(lessons)
    config = kd.TrainConfig(
        network=NAFNetConfig(width=8, encoder=(1,), decoder=(1,)), steps=400, batch=8, patch=32,
        parts=1,
    )  # fmt: skip
    network = build_network(dataclasses.replace(config.network, channels=1), 1)
    trainer = Trainer(network, DiffDenoise(), data, config)
    network.load_state_dict(trainer.run())
    with torch.no_grad():
        said = network.eval()(drawn[40:], torch.ones(8))
    inner = slice(1, -1)  # at the border the teacher looks at the other side
    error = (said - teacher(drawn[40:]))[:, inner, inner].square().mean()
    assert 10 * float(torch.log10(error)) < -20


def test_each_image_is_asked_in_its_own_unit() -> None:
    images = NoisyImages.from_arrays(
        [np.full((4, 5), 3.0, np.float32), np.full((6, 4), 7.0, np.float32)]
    )
    seen: list[tuple[float, float]] = []

    def of_image(x: Tensor, level: Tensor) -> Tensor:
        seen.append((float(x.mean()), float(level)))
        return 2 * x

    found = each(images, of_image, nn.Identity(), "cpu")
    assert [float(x.mean()) for x in found] == pytest.approx([6, 14])
    assert seen == [pytest.approx((1, 1 / 3)), pytest.approx((1, 1 / 7))]
    beside = dataclasses.replace(images, pairs=tuple(x / 2 for x in images.images), known=None)
    assert residual_scale(beside) == pytest.approx(0.5)
