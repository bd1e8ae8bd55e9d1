import pytest
import torch

from kspace_denoise.symmetry import SYMMETRIES, rotate_phase, symmetric_mean, turn, turn_back
from kspace_denoise.training.config import TrainConfig


def image(shape=(2, 5, 8)) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.complex64, generator=torch.Generator().manual_seed(0))


def test_the_eight_symmetries_are_different_and_can_be_undone():
    square = image((1, 4, 4))
    turned = [turn(square, number) for number in range(SYMMETRIES)]
    for i, one in enumerate(turned):
        assert torch.equal(turn_back(one, i), square)
        assert not any(torch.equal(one, other) for other in turned[:i])
    oblong = image()
    for number in range(SYMMETRIES):
        assert torch.equal(turn_back(turn(oblong, number), number), oblong)


def test_a_denoiser_that_commutes_is_left_as_it_is():
    torch.testing.assert_close(symmetric_mean(lambda x: 0.5 * x, image()), 0.5 * image())


def test_what_depends_on_direction_averages_out():
    square = image((3, 6, 6)).real
    ramp = torch.linspace(-1, 1, 6) + 2 * torch.linspace(-1, 1, 6)[:, None]
    torch.testing.assert_close(symmetric_mean(lambda x: x + ramp, square), square)
    assert not torch.allclose(symmetric_mean(lambda x: x + ramp, square, count=1), square)


def test_what_depends_on_phase_averages_out():
    mean = symmetric_mean(lambda x: x + 3 + x.real, image())
    torch.testing.assert_close(mean, 1.5 * image())  # Re x is half x, and half its conjugate


def test_other_contrasts_turn_with_the_image():
    square = image((3, 6, 6))
    others = torch.stack([2j * square, square.conj()], dim=1)

    def join(x, condition):
        return x + condition[:, 0]

    mean = symmetric_mean(join, square, condition=others)
    torch.testing.assert_close(mean, (1 + 2j) * square)
    magnitudes = symmetric_mean(join, square.abs(), condition=others.abs())
    torch.testing.assert_close(magnitudes, 3 * square.abs())
    alone = symmetric_mean(join, square, count=1, condition=others)
    torch.testing.assert_close(alone, (1 + 2j) * square)


def test_one_symmetry_is_one_plain_pass():
    assert torch.equal(symmetric_mean(torch.sin, image(), count=1), torch.sin(image()))


def test_magnitudes_have_no_phase():
    real = torch.ones(2, 3, 4)
    assert rotate_phase(real, torch.ones(2)) is real
    torch.testing.assert_close(symmetric_mean(lambda x: 2 * x, real), 2 * real)


def test_the_paper_takes_one_pass_and_the_default_eight():
    assert TrainConfig().passes == 8
    assert TrainConfig(paper=True).passes == 1
    assert TrainConfig(symmetries=4).passes == 4


def test_the_count_is_checked():
    with pytest.raises(ValueError, match="symmetries is 9, expected 1 to 8"):
        TrainConfig(symmetries=9)
