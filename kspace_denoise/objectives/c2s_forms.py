"""Corruption2Self: the two ways to write the corruption, variance-exploding and -preserving."""

from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from torch import Tensor

Form = Literal["ve", "vp"]


class Coefficients(NamedTuple):
    """What one form says for images of given levels, each (batch,).

    ```text
    X_d = data · image                       the noisy image in the scale of the form
    X_t = keep · X_d + noise · Z             the noisier one
    h   = network(X_t / scale, √(τ² + σ_d²)) in the unit of the image
    D   = out · h + skip · X_t               predicts X_d
    ```

    `level` is σ_t in the scale of the form.
    """

    data: Tensor
    keep: Tensor
    noise: Tensor
    scale: Tensor
    out: Tensor
    skip: Tensor
    level: Tensor


def variance_exploding(sigma: Tensor, tau: Tensor, target: Tensor) -> Coefficients:
    """Return the coefficients of X_t = X_d + τ Z (eq. 6 of the paper).

    `sigma` is σ_d, `tau` the noise that is added and `target` σ_tg, all in the unit of the image.
    """
    one = torch.ones_like(sigma)
    out = tau**2 / (tau**2 + (sigma**2 - target**2))  # exactly 1 where σ_tg = σ_d
    return Coefficients(one, one, tau, one, out, 1 - out, total_level(sigma, tau))


def variance_preserving(sigma: Tensor, tau: Tensor, target: Tensor) -> Coefficients:
    """Return the coefficients where an image of noise level v is divided by √(1 + v²).

    The arguments are those of `variance_exploding`. The paper's levels are σ = v / √(1 + v²), and
    in them the coefficients are, for a clean target,

    ```text
    keep  = √((1 - σ_t²) / (1 - σ_d²))       noise = √((σ_t² - σ_d²) / (1 - σ_d²))
    out   = (σ_t² - σ_d²) / (σ_t² √(1 - σ_d²))
    skip  = keep σ_d² / σ_t²
    ```

    which the expressions below are, without the differences of nearly equal numbers. h stays in the
    unit of the clean image.
    """
    exploding = variance_exploding(sigma, tau, target)
    data, scale = ((1 + v**2).rsqrt() for v in (sigma, exploding.level))
    keep = scale / data
    return Coefficients(
        data=data,
        keep=keep,
        noise=tau * scale,
        scale=scale,
        out=exploding.out * data,
        skip=exploding.skip / keep,
        level=exploding.level * scale,
    )


FORMS: dict[Form, Callable[[Tensor, Tensor, Tensor], Coefficients]] = {
    "ve": variance_exploding,
    "vp": variance_preserving,
}


def total_level(sigma: Tensor, tau: Tensor) -> Tensor:
    """Return the noise level √(τ² + σ_d²) of the noisier image, in the unit of the image."""
    return (tau**2 + sigma**2).sqrt()
