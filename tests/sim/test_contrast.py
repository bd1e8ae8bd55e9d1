import pytest

from kspace_denoise.sim.contrast import CONTRASTS, spin_echo
from kspace_denoise.sim.head import TEXTURE
from kspace_denoise.sim.relaxation import signal
from kspace_denoise.sim.tissues import TISSUES


def signals(contrast, field=3.0):
    """Return the signal of each tissue of the head."""
    sequence = spin_echo(contrast)
    return {
        name: TISSUES[name].proton_density * signal(sequence, TISSUES[name], field)
        for name in TEXTURE
    }


def test_each_contrast_orders_the_tissues_as_radiologists_know():
    t1, t2, flair, pd = (signals(contrast) for contrast in ("T1w", "T2w", "FLAIR", "PDw"))
    assert t1["fat"] > t1["white"] > t1["deep_grey"] > t1["cortex"] > 5 * abs(t1["csf"])
    assert t2["csf"] > t2["cortex"] > t2["deep_grey"] > t2["white"] > t2["muscle"]
    assert t2["csf"] > t2["lesion"] > t2["cortex"]
    assert flair["lesion"] > flair["cortex"] > flair["white"] > 8 * abs(flair["csf"])
    assert pd["cortex"] > pd["white"] > 0.7 * pd["cortex"]
    assert all(abs(part["bone"]) < 0.01 for part in (t1, t2, flair, pd))


def test_contrasts_are_named():
    assert spin_echo("FLAIR") is CONTRASTS["FLAIR"]
    with pytest.raises(ValueError, match="unknown contrast 'T3w'; there are: PDw, T1w, T2w, FLAIR"):
        spin_echo("T3w")
