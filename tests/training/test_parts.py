"""The gradient of a batch in parts: that of the whole, on any number of cores."""

import pytest
import torch
from torch import Tensor, nn

from kspace_denoise.objectives import Batch
from kspace_denoise.training.parts import Parts
from tests.training.test_trainer import TINY, trainer


class Squares(nn.Module):
    """A stand-in with a parameter that the loss never sees."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([2.0, 3.0]))
        self.idle = nn.Parameter(torch.ones(3))


class Mean:
    """The mean over images of weight · image."""

    def loss(self, network: nn.Module, batch: Batch, _generator: torch.Generator) -> Tensor:
        return (network.weight.sum() * batch.image).mean()


@pytest.mark.parametrize("count", [1, 2, 3, 9])
def test_parts_of_unequal_size_add_up_to_the_whole(count):
    image = torch.arange(5.0)[:, None, None].expand(5, 3, 4)
    network = Squares()
    with Parts(network, Mean(), "cpu", count) as parts:
        loss = parts.gradient(Batch(image, torch.ones(5)), seed=0)
    assert float(loss) == pytest.approx(10.0)
    torch.testing.assert_close(network.weight.grad, torch.full((2,), 2.0))
    assert torch.equal(network.idle.grad, torch.zeros(3))


def test_a_batch_is_split_with_all_that_belongs_to_it():
    image, pair = torch.randn(2, 5, 4, 4).unbind(0)
    whole = Batch(image, torch.arange(5.0), pair, torch.randn(5, 2, 4, 4))
    pieces = whole.split(2)
    assert [len(piece.image) for piece in pieces] == [3, 2]
    for name in ("image", "sigma", "pair", "condition"):
        joined = torch.cat([getattr(piece, name) for piece in pieces])
        assert torch.equal(joined, getattr(whole, name))
    assert Batch(image, torch.ones(5)).split(2)[0].pair is None


def test_the_number_of_cores_changes_nothing_but_rounding():
    threads = torch.get_num_threads()
    results = []
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            results.append(trainer(TINY.replace(steps=8)).run())
            assert torch.get_num_threads() == count
    finally:
        torch.set_num_threads(threads)
    for name, value in results[0].items():
        torch.testing.assert_close(results[1][name], value, rtol=1e-3, atol=1e-5)


def test_parts_draw_different_noise():
    seen = []

    class Draw:
        def loss(self, network: nn.Module, batch: Batch, generator: torch.Generator) -> Tensor:
            seen.append(float(torch.rand(1, generator=generator)))
            return network.weight.sum() * batch.image.mean()

    with Parts(Squares(), Draw(), "cpu", 2) as parts:
        parts.gradient(Batch(torch.ones(4, 2, 2), torch.ones(4)), seed=3)
        parts.gradient(Batch(torch.ones(4, 2, 2), torch.ones(4)), seed=3)
    first, again = sorted(seen[:2]), sorted(seen[2:])
    assert first[0] != first[1]
    assert first == again


def test_the_fused_optimiser_steps_like_the_plain_one():
    """Weights in channels-last layout: gradients and moments must be laid out alike."""
    run = trainer(TINY)
    plain = trainer(TINY)
    plain.optimiser = torch.optim.AdamW(
        plain.network.parameters(), lr=TINY.learning_rate, weight_decay=TINY.weight_decay
    )
    for one in (run, plain):
        one.optimiser.param_groups[0]["eps"] = 1e-2  # no step of full length from rounding alone
        with Parts(one.network, one.objective, "cpu", 2) as parts:
            for _ in range(3):
                one._step(parts, one._batch(one.progress.step))
    for mine, theirs in zip(run.network.parameters(), plain.network.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-6)
