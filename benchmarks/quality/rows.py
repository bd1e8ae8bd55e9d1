"""The rows of the tables: for each name a method, its settings, and what is done to its data."""

from typing import Any

from benchmarks.quality.registry import ROWS, TABLES, Row, Table, find_row, table

__all__ = ["ROWS", "TABLES", "Row", "Table", "find_row"]

_UNIFORM: dict[str, Any] = {"levels": "uniform", "unit": "peak"}  # up to the paper's T
_POWER: dict[str, Any] = {"weights": "power"}
_EXACT: dict[str, Any] = {"level_jitter": 0.0}  # the paper tells the network true levels

table(
    "methods",
    "Methods",
    [
        Row("noisy", "noisy", "noisy image"),
        Row("nlm", "nlm", "non-local means, best strength"),
        Row("wavelet", "wavelet", "wavelet shrinkage, best strength"),
        Row("bm3d", "bm3d", "BM3D, best strength"),
        Row("noise2void", "noise2void", "Noise2Void"),
        Row("c2s-paper", "c2s", "Corruption2Self, paper's mode", paper=True),
        Row(
            "c2s-paper-levels",
            "c2s",
            "the paper's levels and weights, our network",
            objective=_UNIFORM | _POWER | _EXACT,
            symmetries=1,
        ),
        Row("c2s-one-pass", "c2s", "our default, one pass", denoiser_of="c2s", symmetries=1),
        Row("c2s", "c2s", "Corruption2Self, our default"),
        Row("noise2noise", "noise2noise", "Noise2Noise (two repetitions)"),
        Row("supervised", "supervised", "supervised (noise-free targets)"),
    ],
)
table(
    "every-method",
    "Every method",
    [
        "noisy",
        "nlm",
        "wavelet",
        "bm3d",
        Row("dip", "dip", "deep image prior, stopped at the noise level"),
        "noise2void",
        Row("noise2self", "noise2self", "Noise2Self"),
        Row("noise2same", "noise2same", "Noise2Same"),
        Row("neighbor2neighbor", "neighbor2neighbor", "Neighbor2Neighbor"),
        Row("coil2coil", "coil2coil", "Coil2Coil"),
        Row("noise2score", "noise2score", "Noise2Score"),
        Row("sure", "sure", "SURE"),
        Row("noisier2noise", "noisier2noise", "Noisier2Noise"),
        Row("r2r", "r2r", "Recorrupted2Recorrupted"),
        "c2s",
        "noise2noise",
        "supervised",
    ],
)
table(
    "architectures",
    "Networks, each trained as Corruption2Self",
    [
        "c2s",
        *(
            Row(f"c2s-{name}", "c2s", title, network={"architecture": name})
            for name, title in (
                ("plain-unet", "plain U-Net"),
                ("nafnet", "NAFNet"),
                ("swinir", "SwinIR"),
                ("restormer", "Restormer"),
            )
        ),
    ],
)
table(
    "correlated",
    "Noise that neighbouring pixels share",
    [
        "noisy",
        "bm3d",
        "noise2self",
        "neighbor2neighbor",
        *(
            Row(
                f"blind-{name}",
                "blind-spot",
                f"blind-spot network, {title}, hole of {hole}",
                network={"architecture": name, "hole": hole, **more},
            )
            for name, title, hole, more in (
                ("puca", "PUCA", 1, {}),
                ("lg-bpn", "LG-BPN", 5, {}),
                ("half-plane", "half-plane", 3, {"width": 16}),
            )
        ),
        Row("diffdenoise", "diffdenoise", "DiffDenoise", network={"architecture": "nafnet"}),
        Row(
            "diffdenoise-paper",
            "diffdenoise",
            "DiffDenoise, paper's mode",
            paper=True,
            network={"architecture": "nafnet"},
        ),
        "c2s",
        Row(
            "c2s-stationary",
            "c2s",
            "Corruption2Self, noise correlated as measured",
            config={"domain": "stationary"},
        ),
        "noise2noise",
        "supervised",
    ],
)
table(
    "levels-weights",
    "How noise levels are drawn, and what they weigh",
    [
        "c2s",
        Row("c2s-exact", "c2s", "our default, told true levels in training", objective=_EXACT),
        Row("c2s-power", "c2s", "log-normal levels, weight 1", objective=_POWER | _EXACT),
        Row(
            "c2s-uniform",
            "c2s",
            "uniform up to T, equalised weights",
            objective=_UNIFORM | _EXACT,
        ),
        Row(
            "c2s-uniform-power",
            "c2s",
            "uniform up to T, weight 1",
            objective=_UNIFORM | _POWER | _EXACT,
            denoiser_of="c2s-paper-levels",
        ),
        Row(
            "c2s-5sigma-power",
            "c2s",
            "uniform up to 5 σ, weight 1",
            objective=_UNIFORM | _POWER | _EXACT | {"maximum": 5.0, "unit": "sigma"},
        ),
        "c2s-one-pass",
        "c2s-paper",
        Row(
            "c2s-paper-8",
            "c2s",
            "paper's mode, mean over 8 symmetries",
            paper=True,
            denoiser_of="c2s-paper",
            symmetries=8,
        ),
    ],
    "c2s-exact",
)
table(
    "spread",
    "Spread of the log-normal levels: a choice made on validation subjects",
    [
        "c2s",
        *(
            Row(f"c2s-spread{spread}", "c2s", f"spread {spread}", objective={"spread": spread})
            for spread in (0.25, 0.5, 1.0)
        ),
    ],
)
table(
    "form",
    "Form of the equation",
    [
        "c2s",
        Row("c2s-vp", "c2s", "variance-preserving", objective={"form": "vp"}),
        "c2s-paper",
        Row("c2s-paper-vp", "c2s", "paper's, variance-preserving", True, {"form": "vp"}),
        Row(
            "c2s-paper-plain",
            "c2s",
            "paper's, without reparameterisation",
            True,
            {"reparameterise": False},
        ),
    ],
)
table(
    "refinement",
    "Detail refinement",
    [
        "c2s",
        Row(
            "c2s-refined-paper",
            "c2s",
            "target level hidden",
            objective={"refinement": "paper"},
            start="c2s",
        ),
        Row(
            "c2s-refined",
            "c2s",
            "target level told from the beginning, 0 at inference",
            objective={"refinement": "conditioned"},
            network={"target_level": True},
        ),
        Row(
            "c2s-refined-fixed",
            "c2s",
            "target level fixed, 0.3 σ",
            objective={"refinement": "fixed", "target": 0.3},
            start="c2s",
        ),
        "c2s-paper",
        Row(
            "c2s-paper-refined",
            "c2s",
            "paper's mode, refined",
            True,
            {"refinement": "paper"},
            start="c2s-paper",
        ),
    ],
)
table(
    "largest-level",
    "Largest noise level of the paper's rule, in the unit of images scaled to 1",
    [
        "c2s-paper",  # T = 10, or 5 where the paper has it
        *(
            Row(
                f"c2s-paper-T{maximum}",
                "c2s",
                f"T = {maximum}",
                True,
                {"maximum": float(maximum), "unit": "peak"},
            )
            for maximum in (1, 2, 5, 10)
        ),
        Row(
            "c2s-paper-T-distance",
            "c2s",
            "T = largest distance between images",
            True,
            {"maximum": 1.0, "unit": "distance"},
        ),
    ],
    "c2s-paper",
)
table(
    "network",
    "Backbone",
    [
        "c2s",
        Row(
            "c2s-plain-attention",
            "c2s",
            "attention without the noise level",
            network={"level_attention": False},
        ),
        Row(
            "c2s-untimed",
            "c2s",
            "not told the noise level, image as output",
            network={"level_conditioning": False, "level_attention": False, "direct": True},
        ),
        Row("c2s-direct", "c2s", "image as output", network={"direct": True}),
        Row("c2s-with-phase", "c2s", "phase left on", network={"phase_width": 0.0}),
    ],
)


def _contrast_tables(names: tuple[str, ...]) -> None:
    for target in names:
        others = [name for name in names if name != target]
        groups: list[tuple[str, ...]] = [(), *((name,) for name in others), tuple(others)]
        rows: list[Row | str] = [
            Row(
                "-".join(["c2s", "+".join([target, *group])]),
                "c2s",
                " + ".join([target, *group]),
                target=target,
                contrasts=group,
            )
            for group in groups
        ]
        table(f"contrasts-{target}", "Contrasts together", rows, f"c2s-{target}")


_contrast_tables(("T1w", "T2w", "FLAIR"))

FACTORS = (0.5, 0.75, 0.9, 1.1, 1.25, 1.5)
"""What a wrong noise level is multiplied by."""

table(
    "sigma-in-training",
    "Noise level wrong in training and at inference",
    [
        *(
            Row(f"c2s-sigma{factor}", "c2s", f"σ x {factor}", sigma=factor)
            for factor in FACTORS
            if factor < 1
        ),
        "c2s",
        *(
            Row(f"c2s-sigma{factor}", "c2s", f"σ x {factor}", sigma=factor)
            for factor in FACTORS
            if factor > 1
        ),
    ],
)
for _mode, _title in (
    ("c2s", "our default"),
    ("c2s-exact", "told true levels in training"),
    ("c2s-paper", "paper's mode"),
):
    _swept: list[Row | str] = [
        Row(
            f"{_mode}-told{factor}",
            "c2s",
            f"σ x {factor}",
            _mode == "c2s-paper",
            _EXACT if _mode == "c2s-exact" else {},
            denoiser_of=_mode,
            inference_sigma=factor,
        )
        for factor in FACTORS
    ]
    table(
        f"sigma-at-inference-{_mode}",
        f"Noise level wrong at inference only, {_title}",
        [*_swept[:3], _mode, *_swept[3:]],
        _mode,
    )

_VST = {"vst": True}

table(
    "stabilised",
    "Magnitude images with and without variance stabilisation",
    [
        "noisy",
        "nlm",
        Row("nlm-vst", "nlm", "non-local means with VST, best strength", config=_VST),
        "bm3d",
        Row("bm3d-vst", "bm3d", "BM3D with VST, best strength", config=_VST),
        "c2s",
        Row("c2s-vst", "c2s", "with VST", config=_VST),
    ],
)
