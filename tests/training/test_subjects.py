"""What is refused before any work: each line says what was given and what to do."""

import dataclasses

import numpy as np
import pytest

import kspace_denoise as kd
from kspace_denoise import recon, sim
from kspace_denoise.objectives import make_objective
from kspace_denoise.training.subjects import Recipe, check_targets, gather, known_subjects
from tests.training.scans import SHAPE, magnitudes, scan, truth


def check(method, *material):
    check_targets(method, make_objective(method), gather(*material))


def settle(*material, **recipe):
    return known_subjects(gather(*material), Recipe(**{"stage": "after-sense", **recipe}))


def test_one_scan_or_many():
    one, other, third = scan(), scan(noise=1), scan("T1w")
    (subject,) = gather(one, other, [third])
    assert (subject.source, subject.target, subject.contrasts) == (one, other, (third,))
    both = gather([one, other], [other, one], iter([[third], iter([third])]))
    assert [s.target for s in both] == [other, one]
    assert [s.contrasts for s in both] == [(third,), (third,)]
    assert gather(iter([one]))[0].contrasts == ()


def test_what_does_not_belong_together_is_refused():
    one, two = scan(), scan(noise=1)
    with pytest.raises(ValueError, match="no scan was given"):
        gather([])
    with pytest.raises(ValueError, match="1 targets were given for 2 scans"):
        gather([one, two], [one])
    with pytest.raises(ValueError, match="1 targets were given for 2 scans"):
        gather([one, two], one)
    with pytest.raises(ValueError, match="1 lists of contrasts were given for 2 scans"):
        gather([one, two], None, [[one]])
    with pytest.raises(TypeError, match="contrasts hold one scan where a list was expected"):
        gather([one, two], None, [one, two])
    with pytest.raises(ValueError, match=r"different numbers of contrasts \(\[1, 2\]\)"):
        gather([one, two], None, [[one], [one, two]])
    with pytest.raises(ValueError, match="one scan is both target and contrast"):
        gather(one, two, [scan("T1w"), two])
    with pytest.raises(TypeError, match=r"got a str to train on, expected kd.Scan or kd.Images"):
        gather(["scan.h5"])
    with pytest.raises(TypeError, match="got a list to train on"):
        gather(one, [two])


def test_methods_say_what_they_learn_from():
    one, two = scan(), scan(noise=1)
    check("noise2noise", one, two)
    with pytest.raises(ValueError, match="noise2noise needs targets: another repetition of every"):
        check("noise2noise", one)
    with pytest.raises(ValueError, match="supervised needs targets: a clean scan of every"):
        check("supervised", [one, two])
    for method in ("c2s", "noise2void"):
        check(method, one)
        with pytest.raises(ValueError, match=f"{method} learns from the noisy images alone"):
            check(method, one, two)


def test_targets_must_be_of_the_same_slices():
    one = scan()
    with pytest.raises(
        ValueError, match=r"scan 1 has k-space \(2, 4, 40, 36\), and its target \(1"
    ):
        check("noise2noise", one, scan(noise=1, slices=1))
    with pytest.raises(ValueError, match="expected the same slices and coils"):
        check("supervised", one, kd.Scan(kspace=truth()[:, :3]))
    with pytest.raises(ValueError, match="scan 1 is k-space and its target images, or the other"):
        check("supervised", one, kd.Images(data=np.ones((2, *SHAPE), np.complex64)))
    pictures = magnitudes()
    with pytest.raises(ValueError, match=r"scan 2 has images \(2, 40, 36\), and its target \(1"):
        check("supervised", [pictures] * 2, [pictures, magnitudes(size=1)])
    with pytest.raises(ValueError, match="scan 1 and its target are complex and magnitudes, mixed"):
        check("supervised", pictures, kd.Images(data=pictures.data.astype(np.complex64)))
    spokes = kd.Scan(
        kspace=one.kspace,
        trajectory=np.zeros((*SHAPE, 2), np.float32),
        image_shape=SHAPE,
    )
    with pytest.raises(ValueError, match="training needs Cartesian k-space"):
        check("noise2noise", one, spokes)


def test_noise_must_be_known_everywhere():
    pictures = magnitudes()
    unknown = dataclasses.replace(pictures, sigma=None)
    wanted = r"without their noise level: .*estimated \(recon.estimate_sigma, --sigma estimate\)"
    with pytest.raises(ValueError, match=wanted):
        settle(unknown)
    with pytest.raises(ValueError, match=wanted):
        settle(pictures, None, [unknown])
    with pytest.raises(recon.NoiseNotFound):
        settle(kd.Scan(kspace=truth()))
    with pytest.raises(recon.NoiseNotFound):
        settle(scan(), None, [kd.Scan(kspace=truth("T1w"))])
    settle(pictures, unknown)  # nobody asks for the noise of a target


def test_contrasts_must_be_of_the_same_slices():
    one = scan()
    with pytest.raises(
        ValueError, match=r"contrast 2 of 2 has images \(1, 40, 36\) and the scan \(2,"
    ):
        settle(one, None, [scan("T1w"), scan("FLAIR", slices=1)])
    with pytest.raises(ValueError, match="contrast 1 of 1 is magnitudes and the scan is complex"):
        settle(one, None, [magnitudes()])
    with pytest.raises(ValueError, match="contrast 1 of 1 is complex and the scan is magnitudes"):
        settle(magnitudes(), None, [one])
    with pytest.raises(ValueError, match="other contrasts are used after SENSE only"):
        settle(one, None, [scan("T1w")], stage="before-sense")
    mask = sim.mask("random", SHAPE, 2, 12, seed=0) & sim.mask(
        "random", SHAPE, 1.2, 12, seed=1, axis=-2
    )
    odd = dataclasses.replace(one, kspace=one.kspace * mask, mask=mask)
    with pytest.raises(ValueError, match="varies along both axes"):
        settle(one, None, [odd])


def test_targets_before_sense_are_fully_sampled():
    mask = sim.mask("equispaced", SHAPE, 2, 12, seed=0)
    under = kd.Scan(kspace=truth() * mask, mask=mask)
    with pytest.raises(ValueError, match="before SENSE needs fully sampled"):
        settle(scan(), under, stage="before-sense")
    settle(scan(), under)


def test_vst_is_for_magnitudes():
    settle(magnitudes(), vst=True)
    for source, stage in (
        (scan(), "after-sense"),
        (kd.Images(data=np.ones((1, 8, 8), np.complex64), sigma=1.0), "after-sense"),
        (magnitudes(), "before-sense"),
    ):
        with pytest.raises(ValueError, match="vst is for magnitude images"):
            settle(source, stage=stage, vst=True)
