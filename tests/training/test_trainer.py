"""The loop: progress, exact resume after a kill, and refusals."""

import dataclasses
import json
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest
import torch

from kspace_denoise.denoiser import build_network
from kspace_denoise.networks import UNetConfig
from kspace_denoise.objectives import Neighbor2Neighbor, Noise2Score
from kspace_denoise.objectives.c2s import C2S
from kspace_denoise.training.checkpoint import read_tensors, write_tensors
from kspace_denoise.training.config import TrainConfig
from kspace_denoise.training.facts import signal_scale
from kspace_denoise.training.images import Example, NoisyImages
from kspace_denoise.training.trainer import Trainer, TrainingDivergedError
from tests.helpers import complex_array

TINY = TrainConfig(
    network=UNetConfig(base=8, multipliers=(1,), attention=(0,), heads=2),
    steps=30,
    batch=2,
    patch=16,
    warmup=5,
    checkpoint_seconds=0.0,
)


def images(seed: int = 0, count: int = 3) -> NoisyImages:
    rng = np.random.default_rng(seed)
    return NoisyImages.from_arrays(3 + complex_array(rng, (20, 23)) for _ in range(count))


def trainer(config: TrainConfig = TINY, checkpoint=None, seed: int = 0) -> Trainer:
    network = build_network(config.network, channels=2, seed=seed)
    return Trainer(network, C2S(), images(), config, seed, checkpoint=checkpoint)


KILLED = """
    import sys
    from pathlib import Path
    from tests.training.test_trainer import trainer
    trainer(checkpoint=Path(sys.argv[1])).run(lambda progress: print(progress.step, flush=True))
"""


def test_kill_and_resume_gives_bit_identical_weights(tmp_path):
    whole = trainer().run()
    path = tmp_path / "run.safetensors"
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(KILLED), str(path)],
        stdout=subprocess.PIPE,
        text=True,
    )
    for line in process.stdout:
        if int(line) >= 10 and path.exists():
            break
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    resumed = trainer(checkpoint=path)
    resumed.resume()
    assert 0 < resumed.progress.step < TINY.steps
    result = resumed.run()
    assert whole.keys() == result.keys()
    assert all(torch.equal(whole[name], result[name]) for name in whole)


def test_other_targets_are_another_run(tmp_path):
    path = tmp_path / "run.safetensors"

    def taught(seed: int) -> Trainer:
        run = trainer(checkpoint=path)
        pairs = images(seed).images
        examples = [
            Example(x.numpy(), pair=y.numpy())
            for x, y in zip(run.images.images, pairs, strict=True)
        ]
        run.images = NoisyImages.from_examples(examples)
        return run

    taught(1).save()
    taught(1).resume()
    with pytest.raises(ValueError, match=r"another run \(the images are others\)"):
        taught(2).resume()


def test_a_resumed_run_must_be_the_same_run(tmp_path):
    path = tmp_path / "run.safetensors"
    trainer(checkpoint=path).run()
    with pytest.raises(ValueError, match=r"another run \(seed was 0 and is 1\): resume with the"):
        trainer(checkpoint=path, seed=1).resume()
    wider = dataclasses.replace(TINY.network, base=16)
    with pytest.raises(ValueError, match=r"\(network.base was 8 and is 16, batch was 2 and is 3\)"):
        trainer(TINY.replace(batch=3, network=wider), checkpoint=path).resume()
    with pytest.raises(FileNotFoundError, match="does not exist"):
        trainer(checkpoint=tmp_path / "none").resume()
    other = trainer(checkpoint=path)
    other.images = images(seed=1)
    with pytest.raises(ValueError, match=r"another run \(the images are others\)"):
        other.resume()
    spread = trainer(checkpoint=path)
    spread.objective = C2S(spread=0.5)
    with pytest.raises(ValueError, match=r"\(objective.spread was 0.3 and is 0.5\)"):
        spread.resume()
    write_tensors(path, {"a": torch.zeros(1)}, {})
    with pytest.raises(ValueError, match="is not the checkpoint of a training run"):
        trainer(checkpoint=path).resume()
    trainer(checkpoint=path).run()
    longer = trainer(TINY.replace(steps=32), checkpoint=path)
    longer.resume()
    assert longer.progress.step == 30


def test_training_lowers_the_loss_and_logs_it():
    run = trainer(TINY.replace(steps=60, learning_rate=3e-3))
    batch = run.images.draw(64, 16, torch.Generator().manual_seed(1))

    def loss() -> float:
        with torch.no_grad():  # the same images and noise before and after
            return float(C2S().loss(run.network, batch, torch.Generator().manual_seed(2)))

    before = loss()
    run.network.load_state_dict(run.run())
    assert loss() < 0.98 * before
    assert [step for step, _ in run.progress.losses] == [10, 20, 30, 40, 50, 60]


def test_minutes_plan_the_number_of_steps():
    run = trainer(TINY.replace(steps=None, minutes=0.02))
    started = time.monotonic()
    run.run()
    assert run.progress.step == run.progress.steps >= 10
    assert time.monotonic() - started < 60


def falling(progress):
    """Give a run of 20 steps the losses of one that learns."""
    if progress.step == 20:
        progress.losses[:] = [(step, 2 - 0.05 * step) for step in range(1, 21)]


def test_a_run_that_diverged_goes_on_from_its_checkpoint_with_a_lower_rate(tmp_path, monkeypatch):
    path = tmp_path / "run.safetensors"
    run = trainer(checkpoint=path)
    draw = NoisyImages.draw

    def spoil(progress):
        falling(progress)
        if progress.step == 20:
            monkeypatch.setattr(NoisyImages, "draw", lambda *given: _not_finite(draw(*given)))

    with pytest.raises(
        TrainingDivergedError,
        match=r"gradient of step 2\d is not finite; .* is of step 20, when the loss had fallen "
        r"from 1\.85 to 1\.1: set learning_rate lower and resume",
    ):
        run.run(spoil)
    assert read_tensors(path)[1]["progress"]["step"] == 20
    monkeypatch.undo()
    slower = trainer(TINY.replace(learning_rate=1e-5), checkpoint=path)
    slower.resume()
    slower.run()
    assert slower.progress.step == TINY.steps


def test_nothing_is_promised_of_a_checkpoint_that_had_learnt_nothing(tmp_path, monkeypatch):
    path = tmp_path / "run.safetensors"
    run = trainer(checkpoint=path)
    draw = NoisyImages.draw

    def spoil(progress):
        if progress.step == 20:
            monkeypatch.setattr(NoisyImages, "draw", lambda *given: _not_finite(draw(*given)))

    with pytest.raises(
        TrainingDivergedError,
        match=r"lower and start again: by step [12]0, that of .*, nothing had been learnt",
    ):
        run.run(spoil)


def test_a_checkpoint_of_another_run_is_not_spoken_of(tmp_path):
    path = tmp_path / "run.safetensors"
    trainer(checkpoint=path).run()
    run = trainer(checkpoint=path)
    run.images = NoisyImages(tuple(image * torch.nan for image in run.images.images))
    with pytest.raises(TrainingDivergedError, match=r"lower and start again$"):
        run.run()


def test_the_checkpoint_stays_while_the_loss_is_high(tmp_path):
    """A state on its way to divergence does not replace a good one."""
    path = tmp_path / "run.safetensors"
    run = trainer(checkpoint=path)
    kept = []

    def spoil(progress):
        if progress.step == 10:
            with torch.no_grad():
                for parameter in run.network.network.leave.parameters():
                    parameter.fill_(0.5)
        elif progress.step == 30:
            kept.append(read_tensors(path)[1]["progress"]["step"])

    run.run(spoil)
    first, *others = [loss for _, loss in run.progress.losses]
    assert min(others) > 2 * first  # higher than before, far from diverged
    assert kept == [10]  # 10 is the first, and saved after the report
    assert read_tensors(path)[1]["progress"]["step"] == 30  # the last one always


def _not_finite(batch):
    return dataclasses.replace(batch, image=batch.image * torch.nan)


def test_divergence_without_a_checkpoint_does_not_speak_of_one():
    run = trainer()
    run.images = NoisyImages(tuple(image * torch.nan for image in run.images.images))
    with pytest.raises(TrainingDivergedError, match="learning_rate lower and start again"):
        run.run()


def test_a_loss_that_explodes_stops_the_run_before_the_checkpoint_is_spoilt(tmp_path):
    path = tmp_path / "run.safetensors"
    run = trainer(checkpoint=path)

    def spoil(progress):
        falling(progress)
        if progress.step == 20:
            with torch.no_grad():
                for parameter in run.network.network.leave.parameters():
                    parameter.fill_(100.0)

    with pytest.raises(TrainingDivergedError, match=r"the loss has grown from .* is of step 20"):
        run.run(spoil)
    assert read_tensors(path)[1]["progress"]["step"] == 20


def test_checkpoints_hold_tensors_and_json_and_appear_whole(tmp_path):
    path = tmp_path / "run.safetensors"
    trainer(checkpoint=path).run()
    assert [p.name for p in tmp_path.iterdir()] == ["run.safetensors"]
    tensors, record = read_tensors(path)
    json.dumps(record)
    assert {name.split(".")[0] for name in tensors} == {"network", "average", "optimiser"}


def test_other_files_are_refused(tmp_path):
    text = tmp_path / "text"
    text.write_text("hello")
    with pytest.raises(ValueError, match="not a safetensors file"):
        read_tensors(text)
    with pytest.raises(OSError, match="no-such-folder"):
        write_tensors(tmp_path / "no-such-folder" / "x", {"a": torch.zeros(1)}, {})


def test_batches_are_crops_in_units_of_their_image(rng):
    noisy = NoisyImages.from_arrays(
        [20 * complex_array(rng, (40, 50)), complex_array(rng, (30, 9))]
    )
    batch = noisy.draw(64, 16, torch.Generator().manual_seed(0))
    assert batch.image.shape == (64, 9, 9)
    scales = torch.stack([signal_scale(image) for image in noisy.images])
    assert set(batch.sigma.tolist()) == set((1 / scales).tolist())
    assert torch.allclose(signal_scale(batch.image), torch.ones(64), atol=0.5)
    again = noisy.draw(64, 16, torch.Generator().manual_seed(0))
    assert torch.equal(batch.image, again.image)


def test_blank_and_mixed_images_are_refused(rng):
    blank = np.zeros((8, 8), np.complex64)
    assert len(NoisyImages.from_arrays([blank, complex_array(rng, (8, 8))]).images) == 1
    with pytest.raises(ValueError, match="all of the 2 images are zero"):
        NoisyImages.from_arrays([blank, blank])
    with pytest.raises(ValueError, match="training image 1 holds NaN"):
        NoisyImages.from_arrays([np.ones((8, 8)), np.full((8, 8), np.nan)])
    with pytest.raises(ValueError, match="mixed"):
        NoisyImages.from_arrays([complex_array(rng, (8, 8)), np.ones((8, 8), np.float32)])


def test_config_round_trips_and_refuses_unknown_names(tmp_path):
    assert TrainConfig.from_dict(json.loads(json.dumps(TINY.to_dict()))) == TINY
    file = tmp_path / "run.toml"
    file.write_text("steps = 7\n[network]\nbase = 16\nattention = [1]\nmultipliers = [1, 2]\n")
    assert TrainConfig.from_toml(file).network.base == 16
    file.write_text("stepz = 7")
    with pytest.raises(ValueError, match="unknown setting stepz; TrainConfig has network"):
        TrainConfig.from_toml(file)
    file.write_text("steps = [")
    with pytest.raises(ValueError, match="not a TOML file"):
        TrainConfig.from_toml(file)
    for text, message in (
        ('steps = "many"', "steps is 'many', expected a whole number"),
        ("steps = 2.5", "steps is 2.5, expected a whole number"),
        ("batch = true", "batch is True, expected a whole number"),
        ('learning_rate = "0.1"', "learning_rate is '0.1', expected a number"),
        ("paper = 1", "paper is 1, expected true or false"),
        ("objective = 3", "objective is 3, expected a table of settings"),
        ("network = 3", "network is 3, expected a table of settings"),
        ('[network]\nbase = "wide"', "base is 'wide', expected a whole number"),
        ("[network]\nattention = 3", "attention is 3, expected a list of whole numbers"),
        ("[network]\nmultipliers = [1, 'a']", "expected a list of whole numbers"),
    ):
        file.write_text(text)
        with pytest.raises(TypeError, match=message):
            TrainConfig.from_toml(file)
    with pytest.raises(TypeError, match="learning_rate is None, expected a number"):
        TrainConfig(learning_rate=None)
    assert TrainConfig(steps=None, minutes=3, clip=np.float32(2), batch=np.int64(3)).minutes == 3
    for bad in ({"batch": 0}, {"warmup": 0}, {"learning_rate": -1.0}, {"ema": 1.0}):
        with pytest.raises(ValueError, match=f"{next(iter(bad))} is .*, expected"):
            TrainConfig(**bad)


@pytest.mark.parametrize("objective", [Neighbor2Neighbor(), Noise2Score()], ids=["n2n", "score"])
def test_an_objective_that_changes_on_the_way_keeps_its_checkpoint_up_to_date(
    objective, tmp_path, monkeypatch
):
    """Its losses rise by design, and say nothing of how well it goes."""
    path = tmp_path / "run.safetensors"
    network = build_network(TINY.network, channels=2)
    run = Trainer(network, objective, images(), TINY, checkpoint=path)
    saved = []
    save = Trainer.save
    monkeypatch.setattr(
        Trainer, "save", lambda self: (saved.append(self.progress.step), save(self))
    )
    run.run(lambda progress: progress.losses.__setitem__(-1, (progress.step, float(progress.step))))
    assert saved[:3] == [10, 20, 30]
