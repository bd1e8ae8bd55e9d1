"""Batches drawn in the background: the right ones, and the time that is waited for them."""

import threading
import time

import pytest
import torch

from kspace_denoise.training.ahead import AHEAD, Ahead


def test_every_step_gets_its_own_batch_drawn_once():
    drawn = []

    def draw(step: int) -> int:
        drawn.append(step)
        return 10 * step

    with Ahead(draw) as batches:
        assert [batches.take(step) for step in (4, 5, 6, 7)] == [40, 50, 60, 70]
    assert sorted(drawn) == list(range(4, 8 + AHEAD))[: len(drawn)]
    assert len(drawn) >= 4


def test_the_next_batches_are_drawn_before_they_are_asked_for():
    begun = {step: threading.Event() for step in range(4)}
    with Ahead(lambda step: begun[step].set()) as batches:
        batches.take(0)
        assert all(begun[step].wait(10) for step in range(1, 1 + AHEAD))


def test_only_the_time_that_computing_does_not_cover_is_waited_for():
    delay = 0.1
    with Ahead(lambda _step: time.sleep(delay)) as batches:
        batches.take(0)
        first = batches.waited
        assert first >= delay
        time.sleep(10 * delay)  # computing
        batches.take(1)
        assert batches.waited - first < delay


def test_what_goes_wrong_in_the_background_is_raised_where_it_is_asked_for():
    def draw(step: int) -> int:
        if step == 1:
            raise ValueError("broken")
        return step

    threads = torch.get_num_threads()
    with Ahead(draw) as batches:
        assert batches.take(0) == 0
        with pytest.raises(ValueError, match="broken"):
            batches.take(1)
    assert torch.get_num_threads() == threads
