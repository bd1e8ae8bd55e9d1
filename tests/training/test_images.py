"""What is drawn: pairs follow their image exactly, contrasts follow it but for phase and scale."""

import numpy as np
import pytest
import torch

from kspace_denoise.symmetry import rotate_phase, turn
from kspace_denoise.training.facts import signal_scale
from kspace_denoise.training.images import Example, NoisyImages
from tests.helpers import complex_array

SIZES = ((20, 23), (31, 18), (26, 26))


def examples(rng, pair=None, condition=None, real=False) -> list[Example]:
    """Return examples; `pair` and `condition` make theirs from the image."""
    made = []
    for number, size in enumerate(SIZES):
        image = (3 + number) * (2 + complex_array(rng, size))
        image = np.abs(image) if real else image
        made.append(Example(image, pair and pair(image), condition and condition(image)))
    return made


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("real", [False, True])
def test_a_pair_that_equals_the_image_stays_equal(rng, real):
    noisy = NoisyImages.from_examples(examples(rng, pair=np.copy, real=real))
    batch = noisy.draw(64, 12, generator())
    assert batch.condition is None
    assert torch.equal(batch.image, batch.pair)


def test_a_pair_has_the_unit_of_its_image(rng):
    noisy = NoisyImages.from_examples(examples(rng, pair=lambda image: 0.25j * image))
    batch = noisy.draw(64, 12, generator())
    torch.testing.assert_close(batch.pair, 0.25j * batch.image)


def test_the_images_drawn_do_not_depend_on_what_is_beside_them(rng):
    full = examples(rng, np.conj, lambda image: np.stack([image, 2 * image]))
    alone = NoisyImages.from_arrays([example.image for example in full])
    for seed in range(5):
        one, other = generator(seed), generator(seed)
        plain = alone.draw(8, 12, one)
        rich = NoisyImages.from_examples(full).draw(8, 12, other)
        assert torch.equal(plain.image, rich.image)
        assert torch.equal(plain.sigma, rich.sigma)
        assert plain.pair is None
        assert plain.condition is None


def test_the_random_stream_of_plain_images_is_what_it_always_was(rng):
    """Runs that were started by earlier versions resume exactly, and figures stay what they are."""
    noisy = NoisyImages.from_examples(examples(rng))
    drawn, stream = generator(3), generator(3)
    batch = noisy.draw(4, 12, drawn)
    chosen = [noisy.images[i] for i in torch.randint(3, (4,), generator=stream)]
    numbers = torch.randint(8, (4,), generator=stream).tolist()
    crops = []
    for image, number in zip(chosen, numbers, strict=True):
        top = int(torch.randint(image.shape[0] - 11, (1,), generator=stream))
        left = int(torch.randint(image.shape[1] - 11, (1,), generator=stream))
        crops.append(turn(image[top : top + 12, left : left + 12], number))
    sigma = 1 / torch.stack([signal_scale(image) for image in chosen])
    angle = 2 * torch.pi * torch.rand(4, generator=stream)
    expected = rotate_phase(torch.stack(crops) * sigma[:, None, None], angle)
    assert torch.equal(batch.image, expected)
    assert torch.equal(batch.sigma, sigma)
    assert torch.equal(drawn.get_state(), stream.get_state())


def test_contrasts_are_cut_with_the_image_and_have_units_of_their_own(rng):
    def two(image):
        return np.stack([np.exp(1j) * image, 1e3 * image.conj()])

    noisy = NoisyImages.from_examples(examples(rng, condition=two))
    assert noisy.contrasts == 2
    batch = noisy.draw(64, 12, generator())
    assert batch.condition.shape == (64, 2, 12, 12)
    for number in range(2):
        torch.testing.assert_close(batch.condition[:, number].abs(), batch.image.abs())


def test_each_contrast_has_a_phase_of_its_own(rng):
    noisy = NoisyImages.from_examples(
        examples(rng, condition=lambda image: np.stack([image, image]))
    )
    count = 900
    batch = noisy.draw(count, 4, generator())
    turns = batch.condition / batch.image[:, None]
    turns = turns / turns.abs()
    torch.testing.assert_close(turns, turns[..., :1, :1].expand_as(turns))  # one for all pixels
    phases = turns[:, :, 0, 0]
    between = phases[:, 0] / phases[:, 1]
    for uniform in (phases[:, 0], phases[:, 1], between):
        assert uniform.mean().abs() < 4 / np.sqrt(count)


def test_magnitudes_have_no_phase_to_turn(rng):
    noisy = NoisyImages.from_examples(
        examples(rng, condition=lambda image: image[None] / 7, real=True)
    )
    batch = noisy.draw(16, 12, generator())
    assert batch.condition.dtype == torch.float32
    torch.testing.assert_close(batch.condition[:, 0], batch.image)


def test_everything_is_in_single_precision(rng):
    made = examples(rng, lambda image: image.astype(np.complex128))
    noisy = NoisyImages.from_examples(made)
    assert {x.dtype for x in (*noisy.images, *noisy.pairs)} == {torch.complex64}
    assert NoisyImages.from_arrays([np.ones((8, 8))]).images[0].dtype == torch.float32


def test_a_run_is_told_by_its_images_and_by_what_is_beside_them(rng):
    made = examples(rng, np.conj, lambda image: image[None])
    full = NoisyImages.from_examples(made).identity()
    assert full["images"] == 3
    other = NoisyImages.from_examples([e._replace(pair=2 * e.pair) for e in made]).identity()
    assert {name for name in full if full[name] != other[name]} == {"pairs"}
    assert full != NoisyImages.from_examples(made[::-1]).identity()
    assert set(NoisyImages.from_examples(examples(rng)).identity()) == {"images", "sum"}


def test_what_does_not_fit_is_refused(rng):
    (first, *rest) = examples(rng, np.copy, lambda image: np.stack([image, image]))

    def collect(**changes):
        return NoisyImages.from_examples([first._replace(**changes), *rest])

    with pytest.raises(ValueError, match=r"image 0 has shape \(20, 23\) and its pair \(20, 22\)"):
        collect(pair=first.pair[:, 1:])
    with pytest.raises(ValueError, match=r"and its condition \(20, 23\): expected"):
        collect(condition=first.image)
    with pytest.raises(ValueError, match="the pair of training image 0 holds NaN"):
        collect(pair=first.pair * np.nan)
    with pytest.raises(ValueError, match="the condition of training image 0 holds NaN"):
        collect(condition=first.condition * np.inf)
    with pytest.raises(ValueError, match="complex and magnitude images are mixed"):
        collect(pair=np.abs(first.pair))
    with pytest.raises(ValueError, match="complex and magnitude images are mixed"):
        collect(condition=np.abs(first.condition))
    with pytest.raises(ValueError, match=r"different numbers of contrasts \(\[1, 2\]\)"):
        collect(condition=first.condition[:1])
    with pytest.raises(ValueError, match=r"different numbers of contrasts \(\[0, 2\]\)"):
        collect(condition=None)
    with pytest.raises(ValueError, match="some images have a target and others have none"):
        collect(pair=None)
    with pytest.raises(ValueError, match="nothing to train on: all is blank"):
        NoisyImages.from_examples([])
