import numpy as np
import pytest
import pywt
import torch

from kspace_denoise.recon.wavelet import (
    WaveletTransform,
    default_levels,
    orthogonal_filters,
    padded_shape,
)
from tests.helpers import check_adjoint, complex_array


def transform(name: str, levels: int, shape: tuple[int, int]) -> WaveletTransform:
    return WaveletTransform(name, levels, shape, torch.zeros(1, dtype=torch.complex64))


@pytest.mark.parametrize("name", ["haar", "db2", "db4", "sym5", "coif2"])
@pytest.mark.parametrize("shape", [(16, 16), (24, 40)])
def test_the_transform_is_orthogonal_even_where_filters_wrap_around(rng, name, shape):
    psi = transform(name, 3, shape)
    x, y = (torch.from_numpy(complex_array(rng, shape)) for _ in range(2))
    given = x.clone()
    check_adjoint(psi.forward, psi.inverse, x, y)
    torch.testing.assert_close(psi.inverse(psi.forward(x)), x, rtol=0, atol=1e-5)
    torch.testing.assert_close(psi.forward(x).norm(), x.norm())
    torch.testing.assert_close(x, given, rtol=0, atol=0)


def test_coefficients_are_those_of_pywavelets_inside(rng):
    """An image that vanishes near the edges has the same coefficients with any extension."""
    image = np.zeros((64, 64), np.complex64)
    image[24:40, 24:40] = complex_array(rng, (16, 16))
    ours = transform("db2", 2, (64, 64)).forward(torch.from_numpy(image)).numpy()
    theirs = pywt.wavedec2(image, "db2", mode="zero", level=2)
    ours_levels = [ours[:16, :16], ours[16:32, :16], ours[32:, :32], ours[32:, 32:]]
    theirs_levels = [theirs[0], theirs[1][0], theirs[2][0], theirs[2][2]]
    for own, other in zip(ours_levels, theirs_levels, strict=True):
        top = np.sort(np.abs(other[np.abs(other) > 1e-4]))
        np.testing.assert_allclose(np.sort(np.abs(own[np.abs(own) > 1e-4])), top, rtol=1e-4)


def test_a_constant_is_one_coefficient_per_coarse_pixel():
    coefficients = transform("db3", 2, (16, 16)).forward(torch.ones(16, 16, dtype=torch.complex64))
    torch.testing.assert_close(coefficients[:4, :4], torch.full((4, 4), 4 + 0j))
    coefficients[:4, :4] = 0
    assert coefficients.abs().max() < 1e-5


def test_levels_leave_eight_samples_and_sizes_are_padded_to_halve_evenly():
    assert [default_levels((n, 500)) for n in (256, 255, 16, 7, 1)] == [5, 4, 1, 1, 1]
    assert padded_shape((230, 181), 3) == (232, 184)
    assert padded_shape((16, 1), 1) == (16, 2)


@pytest.mark.parametrize("name", ["bior2.2", "dmey", "mexh", "nonsense"])
def test_wavelets_that_are_not_orthogonal_are_refused(name):
    with pytest.raises(ValueError, match=f"wavelet '{name}' is not an orthogonal wavelet"):
        orthogonal_filters(name)
