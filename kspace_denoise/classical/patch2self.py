"""Patch2Self: every volume as a regression on the others, which share its signal but not its noise.

Fadnavis, Batson, Garyfallidis, Patch2Self: denoising diffusion MRI with self-supervised learning,
NeurIPS 2020, with patches of one voxel, as the authors recommend.
"""

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from kspace_denoise.classical.mppca.checks import check_volumes
from kspace_denoise.optional import optional
from kspace_denoise.scan import Numpy
from kspace_denoise.settings import check_choice


def _ols() -> Any:
    return _sklearn("linear_model").LinearRegression()


def _ridge() -> Any:
    return _sklearn("linear_model").Ridge(alpha=1.0)


def _mlp() -> Any:
    perceptron = _sklearn("neural_network").MLPRegressor(
        hidden_layer_sizes=(20, 20),
        early_stopping=True,
        max_iter=100,
        batch_size=1000,
        random_state=0,
    )
    return _sklearn("pipeline").make_pipeline(
        _sklearn("preprocessing").StandardScaler(), perceptron
    )


REGRESSIONS: Mapping[str, Callable[[], Any]] = {"ols": _ols, "ridge": _ridge, "mlp": _mlp}
"""scikit-learn's least squares, with a penalty of 1, and a perceptron of two layers of 20."""


def patch2self(volumes: Numpy, regression: str = "ols", others: Numpy | None = None) -> Numpy:
    """Return real volumes `(volumes, slices, y, x)`, each as the others foretell it.

    Volumes of one kind belong together: those of b = 0 apart from the rest. Voxels that are 0 in
    all volumes are left out, and stay 0. Needs scikit-learn (extra `dmri`).

    Args:
        volumes: at least two.
        regression: of `REGRESSIONS`.
        others: the numbers of the volumes that each is told from, `(volumes, n)`; None: all.

    Raises:
        TypeError, ValueError: as `mppca`, or if volumes are complex, or there is no such
            regression, or `others` does not fit.
    """
    check_choice("regression", regression, tuple(REGRESSIONS))
    check_volumes(volumes)
    if np.iscomplexobj(volumes):
        raise TypeError("volumes are complex, expected real: a regression is on real numbers")
    count = len(volumes)
    if others is None:
        others = np.array([[k for k in range(count) if k != own] for own in range(count)])
    if others.ndim != 2 or len(others) != count or (others == np.arange(count)[:, None]).any():
        raise ValueError(
            f"others have shape {others.shape}, expected ({count}, n), for each volume the numbers "
            "of n others, without its own"
        )
    used = (volumes != 0).any(axis=0)
    voxels = volumes[:, used].T
    clean = np.zeros_like(volumes)
    with warnings.catch_warnings():  # the number of passes is a budget, not a failure
        warnings.simplefilter("ignore", _sklearn("exceptions").ConvergenceWarning)
        for own, told_from in enumerate(others):
            fit = REGRESSIONS[regression]().fit(voxels[:, told_from], voxels[:, own])
            clean[own, used] = fit.predict(voxels[:, told_from])
    return clean


def _sklearn(part: str) -> Any:
    return optional(f"sklearn.{part}", "Patch2Self needs scikit-learn, which is", "dmri")
