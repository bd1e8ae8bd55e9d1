"""The decompositions beside a dense one, of masks that fold and masks that scatter."""

import numpy as np
import pytest
import torch

from kspace_denoise.fourier import fft2c
from kspace_denoise.recon.sense_operator import SenseOperator
from kspace_denoise.recon.spectral import FourierSampling, PixelSampling, SpectralOperator
from kspace_denoise.recon.spectral_choice import spectral_operator
from kspace_denoise.recon.spectral_sense import SenseSampling, decompose
from kspace_denoise.recon.whitened import Whitened
from tests.recon.cases import smooth_maps


def sense_case(shape: tuple[int, int], axis: int, kind: str, coils: int = 4) -> SenseOperator:
    size = shape[axis]
    line = np.zeros(size)
    line[::3] = 1
    if kind == "calibrated":
        line[size // 2 - 1 : size // 2 + 2] = 1
    maps = torch.from_numpy(smooth_maps(coils, shape)).to(torch.complex128)
    maps[:, :2] = 0  # outside the object
    return SenseOperator(maps, torch.from_numpy(line if axis == -1 else line[:, None]))


def phases(*shape: int) -> torch.Tensor:
    return torch.exp(1j * torch.randn(shape, generator=torch.Generator().manual_seed(7)))


def units(shape: tuple[int, int]) -> torch.Tensor:
    count = shape[0] * shape[1]
    return torch.eye(count, dtype=torch.complex128).reshape(count, *shape)


CASES = {
    "last axis, folding": ((7, 12), -1, "folding"),
    "last axis, calibrated": ((7, 13), -1, "calibrated"),
    "first axis, calibrated": ((11, 6), -2, "calibrated"),
    "first axis, folding": ((9, 5), -2, "folding"),
    "one coil": ((8, 9), -1, "calibrated", 1),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_sense_has_the_singular_values_and_vectors_of_the_dense_matrix(case):
    operator = sense_case(*case)
    shape = case[0]
    dense = operator.forward(units(shape)).flatten(1).T
    expected = torch.linalg.svdvals(dense)
    found = decompose(operator)
    ordered = found.singular_values.flatten().sort(descending=True)[0]
    count = min(dense.shape)
    assert torch.allclose(ordered[:count], expected[:count], atol=1e-7)
    assert torch.all(ordered[count:] < 1e-7)
    vectors = found.image(units(shape))  # A V has orthogonal columns, of length s
    through = operator.forward(vectors).flatten(1)
    gram = through.conj() @ through.T
    assert torch.allclose(
        gram, torch.diag(found.singular_values.flatten() ** 2).to(gram), atol=1e-12
    )


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_sense_shows_the_spectrum_of_the_image_where_it_is_seen(case):
    operator = sense_case(*case)
    image = torch.randn(
        3, *case[0], dtype=torch.complex128, generator=torch.Generator().manual_seed(0)
    )
    found = decompose(operator)
    seen = found.seen(operator.forward(image))
    clear = found.singular_values > 1e-3
    assert torch.allclose(seen[:, clear], found.spectrum(image)[:, clear], atol=1e-8)
    blind = found.singular_values == 0
    assert torch.all(seen[:, blind] == 0)
    assert torch.all(blind[:2])  # rows outside the object


def test_folding_masks_need_smaller_matrices_than_scattering_ones():
    assert decompose(sense_case((7, 12), -1, "folding")).vectors.shape == (7, 4, 3, 3)
    assert decompose(sense_case((7, 12), -1, "calibrated")).vectors.shape == (7, 1, 12, 12)


def test_single_precision_keeps_the_rule_to_its_rounding():
    double = sense_case((16, 24), -1, "calibrated")
    single = SenseOperator(double.maps.to(torch.complex64), double.mask)
    found, exact = decompose(single), decompose(double)
    assert found.vectors.dtype == torch.complex64
    assert torch.allclose(found.singular_values.double(), exact.singular_values, atol=1e-6)
    image = torch.randn(
        1, 16, 24, dtype=torch.complex64, generator=torch.Generator().manual_seed(1)
    )
    assert torch.allclose(found.image(found.spectrum(image)), image, atol=1e-5)


def single_coil() -> tuple[FourierSampling, torch.Tensor]:
    rng = np.random.default_rng(3)
    mask = torch.from_numpy((rng.random((9, 8)) < 0.4).astype(np.float64))
    phase = np.exp(1j * rng.uniform(-3, 3, (9, 8)))
    return FourierSampling(mask, torch.from_numpy(2.5 * phase)), mask


def operators() -> dict[str, SpectralOperator]:
    return {
        "pixels": PixelSampling(torch.ones(7, 12)),
        "fourier": FourierSampling(torch.ones(7, 12)),
        "coil": FourierSampling(torch.ones(1), 2 * phases(7, 12)),
        "sense": decompose(sense_case((7, 12), -1, "calibrated")),
    }


@pytest.mark.parametrize("name", operators())
def test_the_transform_is_unitary(name):
    operator = operators()[name]
    x = torch.randn(2, 7, 12, dtype=torch.complex128, generator=torch.Generator().manual_seed(2))
    z = operator.spectrum(x)
    assert float(z.norm()) == pytest.approx(float(x.norm()), rel=1e-6)
    assert torch.allclose(operator.image(z), x, atol=1e-6)


def test_a_single_coil_is_seen_at_the_sampled_positions():
    operator, mask = single_coil()
    image = torch.randn(2, 9, 8, dtype=torch.complex128, generator=torch.Generator().manual_seed(4))
    data = fft2c(operator.coil * image)[..., None, :, :] * mask
    expected = operator.spectrum(image) * mask
    assert torch.allclose(operator.seen(data), expected, atol=1e-12)
    assert torch.allclose(operator.singular_values, 2.5 * mask)


def test_the_decomposition_follows_the_scan():
    coil = phases(1, 6, 8)
    scattered = torch.ones(6, 8)
    scattered[2, 3] = 0
    kspace = torch.zeros(1, 6, 8, dtype=torch.complex64)
    assert isinstance(spectral_operator(Whitened(kspace, coil, scattered)), FourierSampling)
    uneven = coil * torch.linspace(1, 2, 8)
    assert isinstance(spectral_operator(Whitened(kspace, uneven, None)), SenseSampling)
    with pytest.raises(ValueError, match="varies along both axes"):
        spectral_operator(Whitened(kspace, uneven, scattered))
