import pytest
import torch

from kspace_denoise.dmri.schedule import signal_left


@pytest.mark.parametrize(
    ("schedule", "levels"),
    [
        ("rev_warmup70", (0.00707, 0.02236, 0.09975, 0.12202, 0.51526, 0.98545)),
        ("warmup70", (0.00707, 0.0338, 0.5044, 0.6930, 0.9141, 0.9993)),
    ],
)
def test_noise_levels_are_those_of_ddm2(schedule, levels):
    left = signal_left(schedule)
    noise = (1 - left**2).sqrt()
    for t, level in zip((1, 10, 200, 300, 500, 1000), levels, strict=True):
        assert abs(float(noise[t]) - level) < 1e-4


def test_signal_is_not_gone_at_the_end_of_the_reverse_warm_up():
    left = signal_left("rev_warmup70")
    assert left[0] == 1
    assert abs(float(left[-1] ** 2) - 0.02889) < 1e-4
    assert bool(torch.all(left[1:] < left[:-1]))


def test_an_unknown_schedule_is_refused():
    with pytest.raises(ValueError, match=r"'cosine', expected one of rev_warmup70, warmup70"):
        signal_left("cosine")
