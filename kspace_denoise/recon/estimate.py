"""The denoiser that a sampler is given, and what is expected of its estimates."""

from collections.abc import Callable
from typing import Any, TypeAlias

from kspace_denoise.arrays import Array, is_complex, namespace

Denoise: TypeAlias = Callable[[Array, float], Array]
"""`denoise(x, sigma)` returns the clean images of x `(samples, y, x)`, whose noise is sigma."""


def check_denoiser(denoise: Any) -> None:
    """Refuse what cannot be called.

    Raises:
        TypeError: saying what is expected.
    """
    if not callable(denoise):
        raise TypeError(
            f"denoise is {type(denoise).__name__}, expected a function denoise(x, sigma) that "
            "returns the clean images of x; of a trained model that is its .prior(rms)"
        )


def check_estimate(clean: Any, given: Array) -> Array:
    """Return what the denoiser made of images, if it is of their kind, device and shape.

    Raises:
        TypeError: if it is of another kind, or not complex.
        ValueError: if it is of another shape, or elsewhere.
    """
    if type(clean) is not type(given) or not is_complex(clean):
        kind = f"{type(clean).__name__} {getattr(clean, 'dtype', '')}"
        raise TypeError(
            f"denoise returned {kind}, expected complex images of the kind it was given, "
            f"{type(given).__name__} {given.dtype}"
        )
    if clean.shape != given.shape or clean.device != given.device:
        raise ValueError(
            f"denoise returned shape {tuple(clean.shape)} on {clean.device} for images of shape "
            f"{tuple(given.shape)} on {given.device}, expected the same"
        )
    return clean


def check_finite(images: Array) -> Array:
    """Return images that a sampler has drawn.

    Raises:
        ValueError: if they are not finite.
    """
    if not bool(namespace(images).isfinite(images).all()):
        raise ValueError(
            "the images that were drawn hold NaN or infinity, as denoise returned some: a model "
            "that diverged in training does so, or one that is asked far outside its unit"
        )
    return images
