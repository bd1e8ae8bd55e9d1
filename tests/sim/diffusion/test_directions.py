import numpy as np
import pytest

from kspace_denoise.sim.diffusion import gradient_scheme


@pytest.mark.parametrize("directions", [1, 6, 30])
def test_directions_are_unit_vectors_and_b0_is_spread(directions):
    scheme = gradient_scheme(directions, bval=800, b0=3)
    weighted = scheme.bval > 0
    assert len(scheme.bval) == directions + 3
    assert weighted.sum() == directions
    assert not scheme.bval[0]
    np.testing.assert_allclose(np.linalg.norm(scheme.bvec[weighted], axis=1), 1, atol=1e-12)
    assert not scheme.bvec[~weighted].any()


def test_six_directions_are_those_of_an_icosahedron():
    scheme = gradient_scheme(6, b0=0, seed=3)
    cosine = np.abs(scheme.bvec @ scheme.bvec.T)[~np.eye(6, dtype=bool)]
    np.testing.assert_allclose(cosine, 1 / np.sqrt(5), atol=1e-3)


def test_thirty_directions_lie_far_apart():
    scheme = gradient_scheme(30, b0=0)
    cosine = np.abs(scheme.bvec @ scheme.bvec.T) - np.eye(30)
    nearest = np.degrees(np.arccos(cosine.max(axis=1)))
    assert nearest.min() > 20


@pytest.mark.parametrize("bad", [{"directions": 0}, {"b0": -1}, {"bval": 0.0}])
def test_bad_arguments(bad):
    with pytest.raises(ValueError, match="expected at least 1, at least 0, and a positive number"):
        gradient_scheme(**{"directions": 6, **bad})
