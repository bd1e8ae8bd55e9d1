"""The contrasts of the phantom: spin echoes as a clinic times them at 3 T.

Repetition times count from the end of the train of echoes, where recovery starts (`SpinEcho`).
"""

from kspace_denoise.sim.sequences import SpinEcho

CONTRASTS = {
    "PDw": SpinEcho(repetition_time=3.5, echo_time=0.015),
    "T1w": SpinEcho(repetition_time=2.3, echo_time=0.008, inversion_time=1.1),
    "T2w": SpinEcho(repetition_time=5.0, echo_time=0.090),
    "FLAIR": SpinEcho(repetition_time=9.0, echo_time=0.110, inversion_time=2.5),
}


def spin_echo(contrast: str) -> SpinEcho:
    """Return the default timing of a contrast.

    Raises:
        ValueError: if there is no such contrast; the message lists them.
    """
    if contrast not in CONTRASTS:
        raise ValueError(f"unknown contrast {contrast!r}; there are: {', '.join(CONTRASTS)}")
    return CONTRASTS[contrast]
