"""Measured relaxation times: {tesla: seconds}, with their sources.

Between the fields of a table `Tissue` interpolates. A published power law stands here by its end
points, which is the same thing. Sources by short name:

- Rooney: T1 = 0.583 B^0.382 (white), 0.857 B^0.376 (grey matter), CSF 4.3 s, B in tesla, 0.2-7 T
  (Rooney et al., Magn Reson Med 57:308, 2007).
- O'Reilly: brain at 0.05 T (O'Reilly, Webb, Magn Reson Med 87:884, 2022).
- Bottomley: T1 = A·(γB/Hz)^B of muscle, fat, liver, kidney, spleen, heart over 1-100 MHz, and T2
  that does not depend on the field there; compiled of excised and living tissue (Bottomley et al.,
  Med Phys 11:425, 1984).
- Campbell-Washburn: 0.55 T (Campbell-Washburn et al., Radiology 293:384, 2019).
- de Bazelaire: 1.5 and 3 T (de Bazelaire et al., Radiology 230:652, 2004).
- Granitz: myocardium at 1.5 and 3 T (Granitz et al., Wien Klin Wochenschr, 2019,
  doi:10.1007/s00508-018-1411-3).
- Stanisz: 1.5 and 3 T at 37 °C, all in vitro: muscle of mice, cartilage of cattle, human blood
  (Stanisz et al., Magn Reson Med 54:507, 2005).
- Wansapura: T2 at 3 T (Wansapura et al., J Magn Reson Imaging 9:531, 1999).
- Bartha: T2 at 7 T (Bartha et al., Magn Reson Med 47:742, 2002).
- Peters: T2* at 1.5, 3 and 7 T (Peters et al., Magn Reson Imaging 25:748, 2007).
- Typical: a value of the usual size that no measurement stands behind.

Proton densities are relative to CSF (Tofts, Quantitative MRI of the Brain, 2003).
"""

# Wansapura's T2 is quoted both ways round: 80 ms of white and 110 ms of grey matter stand here, as
# most who used the paper took them. Others find grey matter shorter, see docs/low_field.md.

from typing import Any

_LOW, _HIGH = 0.05, 7.0


def _power(coefficient: float, exponent: float, *fields: float) -> dict[float, float]:
    """Return points of T1 = coefficient · field^exponent."""
    return {field: coefficient * field**exponent for field in fields}


def _bottomley(coefficient: float, exponent: float) -> dict[float, float]:
    """Return the law T1 = A·(γB)^B at the ends of its use here, 0.05 and 0.55 T."""
    return _power(coefficient * 42.577e6**exponent, exponent, 0.05, 0.55)


def _linear_r2(t2: float) -> dict[float, float]:
    """Return T2 whose rate is 9/s plus what grows with the field, so that it is `t2` at 3 T.

    Fitted to many regions of the brain between 3 and 7 T, with a slope set by iron and lipids
    ("Dependence of brain-tissue R2 on MRI field strength"). Lower fields are an extrapolation: it
    ends at 110 ms, where O'Reilly found 101 ms in white and grey matter.
    """
    slope = (1 / t2 - 9.0) / 3.0
    return {field: 1 / (9.0 + slope * field) for field in (_LOW, 3.0, _HIGH)}


def _typical(t1: float, dispersion: float, t2: float, density: float) -> dict[str, Any]:
    """Return a tissue of typical T1 and T2 at 3 T; the power law of T1 is typical too."""
    law = _power(t1 / 3.0**dispersion, dispersion, _LOW, _HIGH)
    return {
        "t1": law,
        "t2": {_LOW: t2, _HIGH: t2},
        "proton_density": density,
        "source": "typical values",
    }


MEASURED: dict[str, dict[str, Any]] = {
    "white": {
        "t1": {0.05: 0.275, **_power(0.887 / 3.0**0.382, 0.382, 0.55, 7.0)},
        "t2": {0.05: 0.101, 3.0: 0.080, 7.0: 0.046},
        "dephasing": 2.1,
        "proton_density": 0.70,
        "source": "T1 Rooney above 0.55 T, O'Reilly at 0.05 T; T2 O'Reilly, Wansapura, Bartha; "
        "T2* Peters",
    },
    "cortex": {
        "t1": {0.05: 0.327, **_power(1.295 / 3.0**0.376, 0.376, 0.55, 7.0)},
        "t2": {0.05: 0.101, 3.0: 0.110, 7.0: 0.055},
        "dephasing": 2.0,
        "proton_density": 0.82,
        "source": "T1 Rooney above 0.55 T, O'Reilly at 0.05 T; T2 O'Reilly, Wansapura, Bartha; "
        "T2* Peters",
    },
    "deep_grey": _typical(1.12, 0.376, 0.085, 0.79) | {"t2": _linear_r2(0.085)},
    "pallidum": _typical(0.96, 0.38, 0.062, 0.74) | {"t2": _linear_r2(0.062)},
    "csf": {
        "t1": {_LOW: 4.3, _HIGH: 4.3},
        "t2": {_LOW: 2.0, _HIGH: 2.0},
        "proton_density": 1.00,
        "source": "T1 Rooney; T2 typical",
    },
    "bone": _typical(0.25, 0.3, 0.0005, 0.15),
    "marrow": _typical(0.586, 0.094, 0.049, 0.45)
    | {"source": "de Bazelaire at 1.5 and 3 T, typical elsewhere"},
    "fat": {
        "t1": {**_bottomley(0.0113, 0.1743), 1.5: 0.343, 3.0: 0.382, 7.0: 0.42},
        "t2": {_LOW: 0.110, _HIGH: 0.110},
        "proton_density": 0.60,
        "source": "T1 Bottomley up to 0.55 T, de Bazelaire at 1.5 and 3 T, typical at 7 T; T2 "
        "typical of trains of echoes (Henkelman et al., J Magn Reson Imaging 2:533, 1992)",
    },
    "muscle": {
        "t1": {**_bottomley(0.000455, 0.4203), 1.5: 1.008, 3.0: 1.412, 7.0: 1.6},
        "t2": {_LOW: 0.045, _HIGH: 0.045},
        "proton_density": 0.79,
        "source": "T1 Bottomley up to 0.55 T, Stanisz (in vitro) at 1.5 and 3 T, typical at 7 T; "
        "T2 typical",
    },
    "skin": _typical(1.0, 0.4, 0.035, 0.70),
    "dura": _typical(0.9, 0.4, 0.012, 0.50),
    "vessel": _typical(1.65, 0.34, 0.10, 0.06),  # flowing blood leaves the slice unseen
    "lesion": _typical(1.6, 0.3, 0.170, 0.88),
    "blood": {
        "t1": {0.55: 1.122, 1.5: 1.441, 3.0: 1.932},
        "t2": {0.55: 0.263, 1.5: 0.290, 3.0: 0.275},
        "proton_density": 0.85,
        "source": "Campbell-Washburn (arterial) at 0.55 T, Stanisz (in vitro) at 1.5 and 3 T",
    },
    "myocardium": {
        "t1": {0.55: 0.701, 1.5: 0.996, 3.0: 1.184},
        "t2": {0.55: 0.058, 1.5: 0.056, 3.0: 0.052},
        "proton_density": 0.80,
        "source": "Campbell-Washburn at 0.55 T, Granitz at 1.5 and 3 T",
    },
    "liver": {
        "t1": {**_bottomley(0.000534, 0.3799), 1.5: 0.586, 3.0: 0.809},
        "t2": {0.05: 0.046, 1.5: 0.046, 3.0: 0.034},
        "proton_density": 0.75,
        "source": "T1 Bottomley up to 0.55 T, de Bazelaire; T2 de Bazelaire, constant below 1.5 T",
    },
    "kidney_cortex": {
        "t1": {**_bottomley(0.00745, 0.2488), 1.5: 0.966, 3.0: 1.142},
        "t2": {0.05: 0.087, 1.5: 0.087, 3.0: 0.076},
        "proton_density": 0.85,
        "source": "T1 Bottomley (whole kidney) up to 0.55 T, de Bazelaire; T2 de Bazelaire, "
        "constant below 1.5 T",
    },
    "kidney_medulla": {
        "t1": {1.5: 1.412, 3.0: 1.545},
        "t2": {1.5: 0.085, 3.0: 0.081},
        "proton_density": 0.88,
        "source": "de Bazelaire",
    },
    "spleen": {
        "t1": {**_bottomley(0.00200, 0.3321), 1.5: 1.057, 3.0: 1.328},
        "t2": {0.05: 0.079, 1.5: 0.079, 3.0: 0.061},
        "proton_density": 0.82,
        "source": "T1 Bottomley up to 0.55 T, de Bazelaire; T2 de Bazelaire, constant below 1.5 T",
    },
    "pancreas": {
        "t1": {1.5: 0.584, 3.0: 0.725},
        "t2": {1.5: 0.046, 3.0: 0.043},
        "proton_density": 0.80,
        "source": "de Bazelaire",
    },
    "cartilage": {
        "t1": {1.5: 1.024, 3.0: 1.168},
        "t2": {1.5: 0.030, 3.0: 0.027},
        "proton_density": 0.72,
        "source": "Stanisz (in vitro)",
    },
}
