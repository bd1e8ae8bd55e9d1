import dataclasses

import numpy as np
import pytest

from kspace_denoise.sim.contrast import CONTRASTS, SpinEcho, spin_echo
from kspace_denoise.sim.tissues import TISSUES


def signals(contrast, field=3.0):
    """Return the signal of each tissue."""
    sequence = spin_echo(contrast)
    return {
        name: float(sequence.signal(tissue.proton_density, tissue.t1_at(field), tissue.t2))
        for name, tissue in TISSUES.items()
    }


def test_signal_equation():
    assert np.isclose(SpinEcho(1e9, 0.0).signal(0.8, 1.0, 0.1), 0.8)
    assert np.isclose(SpinEcho(1.0, 0.1).signal(1.0, 1.0, 0.1), (1 - np.exp(-1)) * np.exp(-1))
    assert abs(SpinEcho(1e9, 0.0, np.log(2)).signal(1.0, 1.0, 0.1)) < 1e-12
    assert np.isclose(SpinEcho(1e9, 0.0, 0.0).signal(1.0, 1.0, 0.1), -1.0)


def test_each_contrast_orders_the_tissues_as_radiologists_know():
    t1, t2, flair, pd = (signals(contrast) for contrast in ("T1w", "T2w", "FLAIR", "PDw"))
    assert t1["fat"] > t1["white"] > t1["deep_grey"] > t1["cortex"] > 5 * abs(t1["csf"])
    assert t2["csf"] > t2["cortex"] > t2["deep_grey"] > t2["white"] > t2["muscle"]
    assert t2["csf"] > t2["lesion"] > t2["cortex"]
    assert flair["lesion"] > flair["cortex"] > flair["white"] > 8 * abs(flair["csf"])
    assert pd["cortex"] > pd["white"] > 0.7 * pd["cortex"]
    assert all(abs(part["bone"]) < 0.01 for part in (t1, t2, flair, pd))


def test_relaxation_follows_the_field_as_the_source_fitted_it():
    # Rooney et al. 2007: T1 = 0.583 B0^0.382 in white and 0.857 B0^0.376 in cortical grey matter.
    for field in (0.2, 1.5, 7.0):
        assert np.isclose(TISSUES["white"].t1_at(field), 0.583 * field**0.382, rtol=0.01)
        assert np.isclose(TISSUES["cortex"].t1_at(field), 0.857 * field**0.376, rtol=0.01)
    assert TISSUES["csf"].t1_at(0.05) == TISSUES["csf"].t1_at(7.0)


def test_timings_are_frozen_and_named():
    with pytest.raises(dataclasses.FrozenInstanceError):
        CONTRASTS["T1w"].echo_time = 1.0
    with pytest.raises(ValueError, match="unknown contrast 'T3w'; there are: PDw, T1w, T2w, FLAIR"):
        spin_echo("T3w")
