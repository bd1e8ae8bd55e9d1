import pytest
import torch

from kspace_denoise.classical.bm3d.blocks import add_blocks, reference_grid, take_blocks
from kspace_denoise.classical.bm3d.matching import find_matches


def _blocks(shape, seed=0, features=9):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn((*shape, features), generator=generator, dtype=torch.float64)


def _nearest(blocks, y, x, radius, penalty):
    """Return distance and position of all blocks around one, nearest first."""
    rows, columns = blocks.shape[:2]
    found = []
    for v in range(max(0, y - radius), min(rows, y + radius + 1)):
        for u in range(max(0, x - radius), min(columns, x + radius + 1)):
            distance = float((blocks[v, u] - blocks[y, x]).square().sum())
            distance += float(penalty[v - y + radius, u - x + radius])
            found.append((-1e9 if (v, u) == (y, x) else distance, v * columns + u))
    return sorted(found)


@pytest.mark.parametrize("shape", [(2, 14, 11), (1, 5, 23)])
@pytest.mark.parametrize("penalised", [False, True])
def test_matches_are_those_of_an_exhaustive_search(shape, penalised):
    blocks, radius, most, limit = _blocks(shape), 4, 8, 12.0
    penalty = torch.zeros((9, 9), dtype=torch.float64)
    if penalised:
        penalty = _blocks((9, 9), seed=1, features=1)[..., 0]
    matches = find_matches(
        blocks,
        step=3,
        radius=radius,
        most=most,
        limit=limit,
        penalty=penalty if penalised else None,
    )
    ys, xs = (reference_grid(n, 3, blocks.device).tolist() for n in shape[1:])
    places = [(y, x) for y in ys for x in xs]
    assert matches.position.shape == (shape[0], len(places), most)
    sizes = set()
    for image in range(shape[0]):
        for index, (y, x) in enumerate(places):
            expected = _nearest(blocks[image], y, x, radius, penalty)
            assert matches.position[image, index].tolist() == [p for _, p in expected[:most]]
            alike = sum(distance <= limit for distance, _ in expected[:most])
            sizes.add(int(matches.size[image, index]))
            assert matches.size[image, index] == 2 ** (alike.bit_length() - 1)
    assert len(sizes) > 1


def test_a_single_block_matches_itself():
    matches = find_matches(_blocks((1, 1, 1)), step=3, radius=5, most=16, limit=1.0)
    assert matches.position.tolist() == [[[0]]]
    assert matches.size.tolist() == [[1]]


def test_the_grid_ends_at_the_last_block():
    device = torch.device("cpu")
    assert reference_grid(8, 3, device).tolist() == [0, 3, 6, 7]
    assert reference_grid(7, 3, device).tolist() == [0, 3, 6]


def test_adding_blocks_is_the_adjoint_of_taking_them():
    image = _blocks((2, 2, 11), features=9)  # (images, parts, y, x)
    blocks = take_blocks(image, 4)
    assert blocks.shape == (2, 8, 6, 2, 16)
    torch.testing.assert_close(blocks[1, 3, 2, 1].view(4, 4), image[1, 1, 3:7, 2:6])
    other = torch.randn(blocks.shape, generator=torch.Generator().manual_seed(3)).double()
    left, right = (blocks * other).sum(), (image * add_blocks(other, 4)).sum()
    torch.testing.assert_close(left, right)
