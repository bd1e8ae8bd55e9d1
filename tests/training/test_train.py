"""Training from scans to a denoiser, for every method, with targets and contrasts."""

import dataclasses

import numpy as np
import pytest
import torch

import kspace_denoise as kd
from kspace_denoise.networks import leak, network_config
from kspace_denoise.objectives import (
    GSURE,
    METHODS,
    BlindSpot,
    Coil2Coil,
    DiffDenoise,
    make_objective,
)
from kspace_denoise.training.train import train
from kspace_denoise.training.trainer import Trainer
from tests.training.scans import TINY, clean_magnitudes, magnitudes, scan, truth

OTHERS = (GSURE, Coil2Coil, BlindSpot, DiffDenoise)
OF_IMAGES = [name for name, objective in METHODS.items() if objective not in OTHERS]


def material(method: str) -> dict:
    """Return the targets that a method takes."""
    pair = METHODS[method].pair
    if pair == "nothing":
        return {}
    return {"targets": scan(noise=1) if pair == "repetition" else kd.Scan(kspace=truth())}


def weights(denoiser: kd.Denoiser) -> dict[str, torch.Tensor]:
    return denoiser.network.state_dict()


def same(one: kd.Denoiser, other: kd.Denoiser) -> bool:
    first, second = weights(one), weights(other)
    return first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)


@pytest.mark.parametrize("method", OF_IMAGES)
@pytest.mark.parametrize("stage", ["after-sense", "before-sense"])
def test_every_method_trains_at_both_stages(method, stage, tmp_path):
    denoiser = kd.train(method, scan(), stage, TINY, **material(method))
    denoiser.save(tmp_path / "model")
    again = kd.load(tmp_path / "model")
    first, second = (kd.denoise(scan(noise=2), f, stage=stage).image for f in (denoiser, again))
    assert np.array_equal(first, second)
    learnt = "scans taken for clean" if method == "diffusion" else METHODS[method].pair
    assert denoiser.record["learnt_from"] == learnt


@pytest.mark.parametrize("architecture", ["half-plane", "puca", "lg-bpn"])
def test_a_blind_network_is_blind_behind_the_doorway_and_in_its_file(architecture, tmp_path):
    """From the noisy image in SNR units to the result: only the unit of the image leaks."""
    small = {"width": 8, "levels": 3} if architecture == "half-plane" else {"width": 8}
    network = network_config({"architecture": architecture, "hole": 3, **small})
    denoiser = kd.train("blind-spot", scan(), config=TINY.replace(network=network))
    denoiser.save(tmp_path / "model")
    again = kd.load(tmp_path / "model")
    assert again.config.network == denoiser.config.network
    noisy = kd.denoise(scan(noise=2), again).noisy[0]
    body = again.network.double()
    level = torch.ones(1, dtype=torch.float64)

    def told(x: torch.Tensor) -> torch.Tensor:
        image = torch.view_as_complex(x.movedim(1, -1).contiguous())
        return torch.view_as_real(body(image, level)).movedim(-1, 1)

    parts = torch.view_as_real(torch.from_numpy(noisy.astype(np.complex128)))
    found = leak(told, parts.movedim(-1, 0)[None], 3, 4)
    assert found < (1e-2 if architecture == "lg-bpn" else 1e-12)  # of so few pixels it sees more


@pytest.mark.parametrize(
    ("method", "architecture", "said"),
    [
        ("blind-spot", "nafnet", "set architecture under .network. to half-plane, puca, lg-bpn"),
        ("c2s", "puca", "puca does not see the pixel that it tells"),
    ],
)
def test_blind_networks_are_for_blind_spot_and_it_for_them(method, architecture, said):
    network = network_config({"architecture": architecture})
    with pytest.raises(ValueError, match=said):
        kd.train(method, scan(), config=TINY.replace(network=network))


def test_a_method_has_a_network_of_its_own_where_none_is_chosen():
    config = TINY.replace(network=kd.TrainConfig().network, steps=1)
    assert kd.train("blind-spot", scan(), config=config).config.network.architecture == "puca"


@pytest.mark.parametrize("method", ["c2s", "noise2noise"])
def test_other_contrasts_are_learnt_from_and_asked_for_again(method, tmp_path):
    others = [scan("T1w", noise=5), scan("FLAIR", noise=6)]
    denoiser = kd.train(method, scan(), config=TINY, contrasts=others, **material(method))
    assert (denoiser.contrasts, denoiser.needs_condition) == (2, True)
    assert denoiser.record["contrasts"] == 2
    denoiser.save(tmp_path / "model")
    again = kd.load(tmp_path / "model")
    assert again.contrasts == 2
    seen = [kd.denoise(scan(), f, contrasts=others).image for f in (denoiser, again)]
    assert np.array_equal(*seen)
    swapped = kd.denoise(scan(), denoiser, contrasts=others[::-1]).image
    assert not np.allclose(seen[0], swapped, rtol=1e-3)
    louder = [
        dataclasses.replace(
            other, kspace=50 * other.kspace, noise_covariance=2500 * other.noise_covariance
        )
        for other in others
    ]
    scaled = kd.denoise(scan(), denoiser, contrasts=louder).image
    np.testing.assert_allclose(scaled, seen[0], atol=1e-3 * np.abs(seen[0]).max())


class StoppedError(Exception):
    """A kill, at a step of our choosing."""


@pytest.mark.parametrize("method", ["c2s", "noise2noise"])
def test_a_run_with_pairs_and_contrasts_resumes_exactly(method, tmp_path):
    path = tmp_path / "run"
    config = TINY.replace(steps=20)
    common = {"config": config, "contrasts": [scan("T1w")], **material(method)}

    def stop(progress):
        if progress.step == 20:
            raise StoppedError

    whole = kd.train(method, scan(), **common)
    with pytest.raises(StoppedError):  # the checkpoint of step 10 is there by step 20
        kd.train(method, scan(), checkpoint=path, report=stop, **common)
    resumed = kd.train(method, scan(), checkpoint=path, resume=True, **common)
    assert resumed.record["steps"] == 20
    assert same(whole, resumed)


def test_supervised_training_learns_what_its_targets_say():
    """With targets of half the brightness the answer is half as bright."""
    source, target = scan(slices=4), kd.Scan(kspace=0.5 * truth(slices=4))
    config = TINY.replace(steps=80)
    denoiser = kd.train("supervised", source, config=config, targets=target)
    result = kd.denoise(source, denoiser)
    inside = np.abs(result.noisy) > 10 * result.sigma
    ratio = np.mean(np.abs(result.image[inside])) / np.mean(np.abs(result.noisy[inside]))
    assert ratio == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("method", OF_IMAGES)
def test_magnitudes_are_stabilised_on_the_way_in_and_out(method, tmp_path):
    noisy = magnitudes(sigma=0.4)
    pair = METHODS[method].pair
    beside = {
        "nothing": None,
        "repetition": magnitudes(seed=1, sigma=0.4),
        "clean": kd.Images(data=clean_magnitudes()),
    }
    other = magnitudes(seed=2, sigma=0.1)
    denoiser = kd.train(
        method,
        noisy,
        config=TINY.replace(vst=True),
        targets=beside[pair],
        contrasts=[other],
    )
    denoiser.save(tmp_path / "model")
    again = kd.load(tmp_path / "model")
    assert again.config.vst
    result = kd.denoise(noisy, again, contrasts=[other]).image
    assert result.dtype == np.float32
    assert result.min() == 0  # an amplitude, the bias of the magnitude gone: see test_denoiser.py


def test_one_config_is_for_any_number_of_contrasts_unless_it_says_so():
    network = dataclasses.replace(TINY.network, contrasts=2)
    config = TINY.replace(steps=2, network=network)
    others = [scan("T1w"), scan("FLAIR")]
    assert kd.train("c2s", scan(), config=config, contrasts=others).contrasts == 2
    with pytest.raises(ValueError, match="config is for 2 other contrasts, and 1 were given"):
        kd.train("c2s", scan(), config=config, contrasts=others[:1])
    with pytest.raises(ValueError, match="config is for 2 other contrasts, and 0 were given"):
        kd.train("c2s", scan(), config=config)


def test_the_network_has_what_the_method_needs():
    short = TINY.replace(steps=1)
    assert kd.train("noise2void", scan(), config=short).config.network.direct
    told = short.replace(objective={"refinement": "conditioned"})
    assert kd.train("c2s", scan(), config=told).config.network.target_level
    plain = kd.train("c2s", scan(), config=short)
    assert not plain.config.network.direct
    with pytest.raises(ValueError, match="network with direct = true, and the denoiser to start"):
        kd.train("noise2void", scan(), config=short, start=plain)
    with pytest.raises(ValueError, match="network with target_level = true, and the denoiser"):
        kd.train("c2s", scan(), config=told, start=plain)


def test_a_denoiser_is_continued_on_what_it_was_trained_for():
    short, others = TINY.replace(steps=1), [scan("T1w")]
    two = kd.train("c2s", scan(), config=short, contrasts=others)
    assert kd.train("c2s", scan(), config=short, contrasts=others, start=two).contrasts == 1
    with pytest.raises(ValueError, match="start from is for 1 other contrasts, and 0 were given"):
        kd.train("c2s", scan(), config=short, start=two)
    one = kd.train("c2s", magnitudes(), config=short)
    with pytest.raises(ValueError, match="start from was trained with vst and this run is without"):
        kd.train("c2s", magnitudes(), config=short.replace(vst=True), start=one)
    with pytest.raises(ValueError, match="is for complex images and these are magnitudes, or the"):
        kd.train("c2s", scan(), config=short, start=one)


def test_papers_have_networks_that_estimate_the_image_itself():
    ours = kd.train("c2s", scan(), config=TINY.replace(steps=1))
    assert (ours.config.network.direct, ours.config.network.phase_width) == (False, 4.0)
    theirs = kd.train("c2s", scan(), config=TINY.replace(steps=1, paper=True))
    assert (theirs.config.network.direct, theirs.config.network.phase_width) == (True, 0.0)
    with pytest.raises(ValueError, match="needs a network with direct = true"):
        kd.train("c2s", scan(), config=TINY.replace(steps=1, paper=True), start=ours)
    with pytest.warns(UserWarning, match="was trained with paper = true and this run is without"):
        kd.train("c2s", scan(), config=TINY.replace(steps=1), start=theirs)
    kd.train("c2s", scan(), config=TINY.replace(steps=1, paper=True), start=theirs)


def test_settings_of_a_method_are_those_that_it_has_and_of_their_kind():
    with pytest.raises(ValueError, match="c2s has no setting spred; it has form, "):
        make_objective("c2s", spred=1.0)
    with pytest.raises(
        ValueError, match=r"no setting refinement; it has none: leave \[objective\]"
    ):
        make_objective("supervised", refinement="paper")
    with pytest.raises(TypeError, match="spread is 'wide', expected a number"):
        make_objective("c2s", spread="wide")
    with pytest.raises(TypeError, match="reparameterise is 1, expected true or false"):
        make_objective("c2s", reparameterise=1)


def test_what_comes_from_the_data_is_kept_with_the_denoiser(tmp_path):
    config = TINY.replace(steps=1, paper=True, objective={"unit": "peak"})
    denoiser = kd.train("c2s", scan(), config=config)
    assert denoiser.objective.unit == "batch"
    assert denoiser.objective.maximum != 10
    denoiser.save(tmp_path / "model")
    assert kd.load(tmp_path / "model").objective == denoiser.objective


def test_nothing_is_trained_where_something_is_wrong(monkeypatch):
    """One of each kind; the rest is in test_subjects.py and test_examples.py."""

    def run(*_):
        raise AssertionError("a step was taken")

    monkeypatch.setattr(Trainer, "run", run)
    one = scan()
    unknown = kd.Images(data=np.ones((1, 16, 16), np.complex64))
    wrong = [
        ("noise2noise", one, {}, "noise2noise needs targets: another repetition"),
        ("noise2noise", one, {"targets": one}, "is the noisy image itself"),
        ("supervised", one, {}, "supervised needs targets: a clean scan"),
        ("c2s", one, {"targets": one}, "takes no targets"),
        ("c2s", one, {"contrasts": [scan("T1w", slices=1)]}, "expected the same slices"),
        ("c2s", one, {"contrasts": [one]}, "contrast 1 of 1 is the noisy image itself"),
        ("c2s", [one, one], {"contrasts": [[one], []]}, "different numbers of contrasts"),
        ("c2s", unknown, {}, "recon.estimate_sigma"),
        ("c2s", [magnitudes(), one], {}, "complex and magnitude images are mixed"),
        ("c2s", one, {"config": TINY.replace(vst=True)}, "vst is for magnitude images"),
        ("c2s", one, {"stage": "sense"}, "stage is 'sense'"),
        ("dncnn", one, {}, "there is: c2s"),
    ]
    for method, source, given, message in wrong:
        with pytest.raises(ValueError, match=message):
            train(method, source, **{"config": TINY, **given})
    with pytest.raises(AssertionError, match="a step was taken"):
        train("c2s", one, config=TINY)


def test_a_network_for_images_of_another_kind_is_refused_before_the_first_step(monkeypatch):
    monkeypatch.setattr(Trainer, "run", lambda *_: pytest.fail("training began"))
    for channels, images, kind in ((1, scan(), "complex"), (3, magnitudes(), "magnitudes")):
        config = TINY.replace(network=dataclasses.replace(TINY.network, channels=channels))
        with pytest.raises(ValueError, match=f"channels = {channels}, and the images are {kind}"):
            kd.train("c2s", images, config=config)


def blanked() -> kd.Images:
    """Return complex images, half of whose pixels a scanner has set to 0."""
    noisy = np.random.default_rng(0).standard_normal((4, 32, 32, 2)).astype(np.float32)
    data = noisy.view(np.complex64)[..., 0]
    data[:, 8:24, 8:24] += 5
    data[:, :, :16] = 0
    return kd.Images(data=data, sigma=1.0)


@pytest.mark.parametrize("derivative", ["exact", "difference"])
def test_sure_trains_the_default_network_on_blanked_images(derivative):
    """Where nothing is noisy nothing is won by a divergence: the loss has a least value."""
    network = dataclasses.replace(TINY.network, attention=(0,))
    config = TINY.replace(network=network, steps=6, objective={"derivative": derivative})
    denoiser = kd.train("sure", blanked(), config=config)
    assert np.isfinite(denoiser.record["losses"][-1][1])


def test_blind_methods_refuse_a_network_that_adds_the_image():
    network = network_config({"architecture": "plain-unet", "residual": True})
    with pytest.raises(ValueError, match="set residual to false"):
        kd.train("noise2self", scan(), config=TINY.replace(network=network))
