"""Relaxation times and proton densities of the tissues of a head.

T1 follows the field as a power law; T2 is taken as constant, as it changes far less. White matter,
cortex and CSF are the fits of Rooney et al., Magn Reson Med 57:308 (2007), with T2 of Wansapura et
al., J Magn Reson Imaging 9:531 (1999); muscle lies between 1.5 and 3 T of Stanisz et al., Magn
Reson Med 54:507 (2005), fat and marrow of de Bazelaire et al., Radiology 230:652 (2004), with the
longer T2 that fat shows in trains of echoes (Henkelman et al., J Magn Reson Imaging 2:533 (1992)).
Proton densities are relative to CSF, of visible protons (Tofts, Quantitative MRI of the Brain,
2003). The remaining tissues are typical values.
"""

from typing import NamedTuple


class Tissue(NamedTuple):
    """What the signal equation needs to know of one tissue; times in seconds."""

    t1: float
    """At 3 T."""
    dispersion: float
    """Exponent of the field in T1."""
    t2: float
    proton_density: float
    texture: float
    """Relative standard deviation of T1 and T2 within the tissue."""

    def t1_at(self, field: float) -> float:
        """Return T1 at a field in tesla."""
        return float(self.t1 * (field / 3.0) ** self.dispersion)


TISSUES = {
    "white": Tissue(0.887, 0.382, 0.080, 0.70, 0.03),
    "cortex": Tissue(1.295, 0.376, 0.110, 0.82, 0.04),
    "deep_grey": Tissue(1.12, 0.376, 0.085, 0.79, 0.05),
    "pallidum": Tissue(0.96, 0.38, 0.062, 0.74, 0.05),
    "csf": Tissue(4.3, 0.0, 2.0, 1.00, 0.03),
    "bone": Tissue(0.25, 0.3, 0.0005, 0.15, 0.1),
    "marrow": Tissue(0.586, 0.094, 0.049, 0.45, 0.15),
    "fat": Tissue(0.382, 0.155, 0.110, 0.60, 0.20),
    "muscle": Tissue(1.412, 0.486, 0.045, 0.79, 0.06),
    "skin": Tissue(1.0, 0.4, 0.035, 0.70, 0.06),
    "dura": Tissue(0.9, 0.4, 0.012, 0.50, 0.05),
    "vessel": Tissue(1.65, 0.34, 0.10, 0.06, 0.1),  # flowing blood leaves the slice unseen
    "lesion": Tissue(1.6, 0.3, 0.170, 0.88, 0.08),
}
