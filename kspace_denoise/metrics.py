"""Image scores, with every choice that changes their value in sight.

Numpy arrays `(..., y, x)` only. Images are compared as they are: nothing is cropped, clipped,
rescaled or turned into magnitudes here. For complex images the squared error of a pixel is |d|²,
the sum over both components; the error per component is half of it.
"""

from typing import Any, NamedTuple, TypeAlias

import numpy as np
from scipy.ndimage import binary_fill_holes
from skimage.filters import gaussian, threshold_otsu
from skimage.metrics import structural_similarity

from kspace_denoise.random import Seed, numpy_generator

Numpy: TypeAlias = np.ndarray[Any, Any]

SSIM_WINDOW = 7
_SMOOTHING = 2.0  # pixels, before an object mask is drawn
_DARKEST = 0.05  # of the bright tissue; anything darker counts as background


def psnr(image: Numpy, reference: Numpy, *, data_range: float, mask: Numpy | None = None) -> float:
    """Return the peak signal-to-noise ratio 10 log10(data_range² / mean |image - reference|²), dB.

    The mean is over all pixels, of all slices at once, or over those inside `mask`. Complex
    images: |d|² holds both components, so circular noise of standard deviation sigma per
    component scores 3 dB less than real noise of that sigma. Infinite for equal images.

    Raises:
        TypeError: if one image is complex and the other is not, or they are no numpy arrays.
        ValueError: if shapes, mask or range do not fit, or an image holds NaN.
    """
    error = _mean_square(_difference(image, reference), mask)
    _check_range(data_range)
    return float("inf") if error == 0 else float(10 * np.log10(data_range**2 / error))


def nmse(image: Numpy, reference: Numpy, *, mask: Numpy | None = None) -> float:
    """Return the normalised mean squared error Σ|image - reference|² / Σ|reference|².

    Raises:
        TypeError, ValueError: as `psnr`; also if the reference is zero.
    """
    error = _mean_square(_difference(image, reference), mask)
    power = _mean_square(reference, mask)
    if power == 0:
        raise ValueError("the reference is zero everywhere, so no error can be normalised by it")
    return error / power


def ssim(image: Numpy, reference: Numpy, *, data_range: float) -> float:
    """Return the structural similarity of magnitude images, averaged over slices.

    7 × 7 uniform window, K1 = 0.01, K2 = 0.03 (Wang et al., IEEE Trans. Image Process. 13:600,
    2004, with scikit-image's unbiased variances), over the full image.

    Raises:
        TypeError: if an image is complex: take the magnitude of both first.
        ValueError: as `psnr`; also if a side is shorter than the window.
    """
    if np.iscomplexobj(image) or np.iscomplexobj(reference):
        raise TypeError("ssim is defined for magnitude images: take np.abs of both images first")
    _difference(image, reference)
    _check_range(data_range)
    if image.ndim < 2 or min(image.shape[-2:]) < SSIM_WINDOW:
        raise ValueError(
            f"images of shape {image.shape} are smaller than the {SSIM_WINDOW} × {SSIM_WINDOW} "
            "window of ssim"
        )
    pairs = zip(_flat_slices(image), _flat_slices(reference), strict=True)
    scores = [
        structural_similarity(  # type: ignore[no-untyped-call]
            a, b, win_size=SSIM_WINDOW, data_range=float(data_range)
        )
        for a, b in pairs
    ]
    return float(np.mean(scores))


class UnbiasedError(NamedTuple):
    """Error of a denoiser against the unknown truth, in units of the noise variance σ²."""

    value: float
    """Mean squared error per component / σ²: 1 for the noisy image itself, 0 for the truth."""
    standard_error: float
    """From a block bootstrap."""
    sigma: float
    """Noise standard deviation per component inside the mask, from the two repetitions, or the
    root mean square of the one that was given."""


class ErrorBlocks(NamedTuple):
    """What the unbiased error is made of, summed over blocks of pixels inside the mask.

    The error is Σ`crossed` / Σ`noise` - 1, see `unbiased_error`. Sums of several denoisers of the
    same repetitions can be compared block by block, and averaged.
    """

    crossed: Numpy
    """Σ|f(a) - b|² + Σ|f(b) - a|² of each block."""
    noise: Numpy
    """Σ|a - b|² of each block."""
    pixels: int
    """Inside the mask, all blocks together."""


class UnbiasedDifference(NamedTuple):
    """How much larger the error of one denoiser is than that of another, in units of σ²."""

    value: float
    standard_error: float
    """From a block bootstrap that resamples both with the same blocks."""


def unbiased_error(
    denoised: tuple[Numpy, Numpy],
    repetitions: tuple[Numpy, Numpy],
    *,
    mask: Numpy,
    block: int = 16,
    resamples: int = 1000,
    seed: Seed = 0,
) -> UnbiasedError:
    """Score a denoiser on two noisy repetitions a, b of the same object, without the truth.

    With independent noise of variance σ² per component, E|f(a) - b|²/2 is the error of f(a) plus
    σ², and E|a - b|²/4 is σ². Inside the mask the error is therefore

        (Σ|f(a) - b|² + Σ|f(b) - a|²) / Σ|a - b|² - 1        in units of σ²,

    both directions averaged. It holds only where the two repetitions differ by independent noise
    alone, and f(a) has not seen b. Anything else that differs (motion, drift, interference)
    counts as noise.

    Args:
        denoised: f(a), f(b), complex `(..., y, x)`.
        repetitions: a, b, of the same shape and unit.
        mask: the object, broadcastable to the images.
        block: side in pixels of the blocks that are resampled; longer than the noise correlates.
        resamples: number of bootstrap samples.
        seed: of the bootstrap, integer or generator.

    Raises:
        TypeError: if the images are not complex (magnitudes have a noise floor, which biases).
        ValueError: if shapes do not fit, the repetitions are equal, or there are fewer than two
            blocks in the mask.
    """
    blocks = error_blocks(denoised, repetitions, mask=mask, block=block)
    return error_of_blocks(blocks, resamples=resamples, seed=seed)


def error_blocks(
    denoised: tuple[Numpy, Numpy],
    repetitions: tuple[Numpy, Numpy],
    *,
    mask: Numpy,
    block: int = 16,
) -> ErrorBlocks:
    """Return the sums that `unbiased_error` takes, of every block that the mask touches.

    Raises:
        TypeError, ValueError: as `unbiased_error`.
    """
    a, b = repetitions
    if not all(np.iscomplexobj(x) for x in (*denoised, *repetitions)):
        raise TypeError("the unbiased error needs complex images: magnitudes have a noise floor")
    inside = _mask_like(mask, a)
    crossed = _squared(_difference(denoised[0], b)) + _squared(_difference(denoised[1], a))
    noise = _squared(_difference(a, b))
    sums = np.stack([_block_sums(np.where(inside, x, 0), block) for x in (crossed, noise)])
    sums = sums[:, _block_sums(inside.astype(np.float64), block) > 0]
    if not sums[1].sum() > 0:
        raise ValueError("the two repetitions are equal: an image cannot be its own repetition")
    _check_blocks(sums.shape[1], block)
    return ErrorBlocks(sums[0], sums[1], int(inside.sum()))


def error_of_blocks(blocks: ErrorBlocks, *, resamples: int = 1000, seed: Seed = 0) -> UnbiasedError:
    """Return the unbiased error of a denoiser from its blocks, with its standard error."""
    crossed, noise = _resampled((blocks.crossed, blocks.noise), resamples, seed)
    value = blocks.crossed.sum() / blocks.noise.sum() - 1
    sigma = np.sqrt(blocks.noise.sum() / blocks.pixels / 4)
    return UnbiasedError(float(value), float(np.std(crossed / noise, ddof=1)), float(sigma))


def error_against_noisy(
    denoised: Numpy,
    reference: Numpy,
    sigma: Numpy | float,
    *,
    mask: Numpy,
    block: int = 16,
    resamples: int = 1000,
    seed: Seed = 0,
) -> UnbiasedError:
    """Score a denoised image against one noisy reference whose noise level is known.

    Where the reference b holds independent noise of standard deviation σ per component, the error
    of f is Σ|f - b|²/(2σ²) / pixels - 1 inside the mask, in units of σ². It needs one repetition
    to be scored against, not both denoised as `unbiased_error`, and takes σ for granted: an error
    of 1 % in σ is one of 0.02 (1 + value) in the value.

    Args:
        denoised: complex `(..., y, x)`; what it was made of must not have seen the reference.
        reference: of the same shape and unit.
        sigma: of the reference, per real component; a number or a map, positive in the mask.
        mask: the object, broadcastable to the images.
        block: side in pixels of the blocks that are resampled; longer than the noise correlates.
        resamples: number of bootstrap samples.
        seed: of the bootstrap, integer or generator.

    Raises:
        TypeError: if the images are not complex.
        ValueError: if shapes do not fit, sigma is not positive and finite in the mask, or there
            are fewer than two blocks in it.
    """
    if not (np.iscomplexobj(denoised) and np.iscomplexobj(reference)):
        raise TypeError("the unbiased error needs complex images: magnitudes have a noise floor")
    error = _squared(_difference(denoised, reference))
    inside = _mask_like(mask, reference)
    level = np.broadcast_to(np.asarray(sigma, np.float64), reference.shape)
    if not (np.isfinite(level[inside]).all() and (level[inside] > 0).all()):
        raise ValueError("sigma of the reference must be positive and finite inside the mask")
    share = np.divide(error, level**2, out=np.zeros(error.shape), where=inside)
    # As if both directions had scored alike: 2 |f - b|² for the two, 4σ² for |a - b|².
    sums = [_block_sums(x, block) for x in (2 * share, 4.0 * inside)]
    touched = sums[1] > 0
    blocks = ErrorBlocks(sums[0][touched], sums[1][touched], int(inside.sum()))
    _check_blocks(len(blocks.noise), block)
    found = error_of_blocks(blocks, resamples=resamples, seed=seed)
    return found._replace(sigma=float(np.sqrt(np.mean(level[inside] ** 2))))


def unbiased_difference(
    first: ErrorBlocks, second: ErrorBlocks, *, resamples: int = 1000, seed: Seed = 0
) -> UnbiasedDifference:
    """Return the unbiased error of the first denoiser minus that of the second.

    What the two have in common, the noise of the repetitions that score them, cancels: the
    standard error is that of the difference, and far below those of the errors.

    Raises:
        ValueError: if they were not scored on the same repetitions in the same blocks.
    """
    if first.noise.shape != second.noise.shape or not np.allclose(first.noise, second.noise):
        raise ValueError(
            "the two denoisers were scored on different repetitions, masks or blocks: a paired "
            "difference needs the same for both"
        )
    crossed = first.crossed - second.crossed
    drawn, noise = _resampled((crossed, first.noise), resamples, seed)
    value = crossed.sum() / first.noise.sum()
    return UnbiasedDifference(float(value), float(np.std(drawn / noise, ddof=1)))


def object_mask(image: Numpy) -> Numpy:
    """Return where the object is, bool, of the shape of `image` `(..., y, x)`.

    The magnitude is smoothed (Gaussian, 2 pixels) and thresholded at Otsu's value of its
    logarithm (IEEE Trans. Syst. Man Cybern. 9:62, 1979), one value for all slices; holes in the
    object are filled. The logarithm keeps dark tissue inside where scalp is far brighter.

    Raises:
        ValueError: if the image is zero or constant, or holds NaN.
    """
    magnitude = np.abs(image).astype(np.float64)
    if image.ndim < 2 or not np.isfinite(magnitude).all() or np.ptp(magnitude) == 0:
        raise ValueError(
            f"no object can be found in an image of shape {image.shape} that is constant or "
            "holds NaN"
        )
    sigma = (0,) * (image.ndim - 2) + (_SMOOTHING, _SMOOTHING)
    smooth = gaussian(magnitude, sigma=sigma)  # type: ignore[no-untyped-call]
    logarithm = np.log(np.maximum(smooth, _DARKEST * np.percentile(smooth, 99.5)))
    found = logarithm > threshold_otsu(logarithm)  # type: ignore[no-untyped-call]
    filled = [binary_fill_holes(part) for part in _flat_slices(found)]
    return np.stack(filled).reshape(image.shape)


def _difference(image: Any, reference: Any) -> Numpy:
    """Return image - reference in double precision, or refuse what cannot be compared."""
    for name, x in (("image", image), ("reference", reference)):
        if not isinstance(x, np.ndarray) or x.dtype.kind not in "fc":
            kind = getattr(x, "dtype", type(x).__name__)
            raise TypeError(f"{name} is {kind}, expected a floating or complex numpy array")
        if not np.isfinite(x).all():
            raise ValueError(f"{name} holds NaN or infinite values")
    if image.shape != reference.shape:
        raise ValueError(f"image has shape {image.shape}, but the reference {reference.shape}")
    if np.iscomplexobj(image) != np.iscomplexobj(reference):
        raise TypeError(
            f"image is {image.dtype} and reference is {reference.dtype}: compare complex with "
            "complex, or take np.abs of the complex one"
        )
    wide = np.complex128 if np.iscomplexobj(image) else np.float64
    return np.asarray(image.astype(wide) - reference)


def _squared(x: Numpy) -> Numpy:
    wide = x.astype(np.complex128 if np.iscomplexobj(x) else np.float64)
    return np.asarray(wide.real**2 + wide.imag**2)


def _mean_square(x: Numpy, mask: Numpy | None) -> float:
    power = _squared(x)
    return float(np.mean(power if mask is None else power[_mask_like(mask, x)]))


def _mask_like(mask: Numpy, image: Numpy) -> Numpy:
    try:
        full = np.broadcast_to(np.asarray(mask, dtype=bool), image.shape)
    except ValueError:
        raise ValueError(
            f"mask has shape {np.shape(mask)}, which does not fit the image of {image.shape}"
        ) from None
    if not full.any():
        raise ValueError("mask is empty: no pixel is left to score")
    return full


def _check_range(data_range: float) -> None:
    if not 0 < data_range < float("inf"):
        raise ValueError(f"data_range is {data_range}, expected a positive number")


def _flat_slices(image: Numpy) -> Numpy:
    """Return `(..., y, x)` as `(n, y, x)`."""
    return image.reshape(-1, *image.shape[-2:])


def _check_blocks(count: int, block: int) -> None:
    if count < 2:
        raise ValueError(
            f"the mask covers {count} block of {block} × {block} pixels, and a standard error "
            "needs at least 2: choose a smaller block"
        )


def _block_sums(values: Numpy, block: int) -> Numpy:
    """Return the sum of each block × block tile of every slice, flattened."""
    flat = _flat_slices(values)
    _, ny, nx = flat.shape
    rows = np.add.reduceat(flat, np.arange(0, ny, block), axis=-2)
    return np.asarray(np.add.reduceat(rows, np.arange(0, nx, block), axis=-1)).ravel()


def _resampled(sums: tuple[Numpy, Numpy], resamples: int, seed: Seed) -> tuple[Numpy, Numpy]:
    """Return both sums over blocks that are drawn with replacement, the same blocks for both."""
    count = len(sums[0])
    draws = numpy_generator(seed).multinomial(count, np.full(count, 1 / count), resamples)
    return draws @ sums[0], draws @ sums[1]
