"""All scores of a result against the truth."""

import dataclasses

import numpy as np

import kspace_denoise as kd
from benchmarks.diffusion_mri.case import Case
from kspace_denoise.dmri.scores import corpus_callosum, fa_error, over_background
from kspace_denoise.dmri.tensor import TensorMaps, fit_tensor, spread_directions
from kspace_denoise.scan import Images


def scores(found: Images, given: Case) -> dict[str, float]:
    """Return all scores of a result; all have the noisy volumes of b = 0 in common."""
    assert given.noisy.bval is not None
    data = np.where((given.noisy.bval < 50)[:, None, None, None], given.noisy.data, found.data)
    found = dataclasses.replace(found, data=data)
    weighted = given.noisy.bval >= 50
    clean, truth = np.abs(found.data[weighted]), np.abs(given.truth.data[weighted])
    top = float(truth[:, given.mask].max())
    everywhere = np.broadcast_to(given.mask, truth.shape)
    row = {
        "psnr_db": kd.metrics.psnr(clean, truth, data_range=top, mask=everywhere),
        "ssim": kd.metrics.ssim(clean * given.mask, truth * given.mask, data_range=top),
    }
    true = fit_tensor(given.truth, given.mask)
    callosum = corpus_callosum(true, given.mask)
    row |= over_background(clean, callosum, given.mask)._asdict()
    row |= _tensor_errors(fit_tensor(found, given.mask), true, given)
    six = spread_directions(given.noisy)
    few, true_few = (fit_tensor(x, given.mask, six) for x in (found, given.truth))
    for key, value in fa_error(few.fa, true_few.fa, given.white)._asdict().items():
        row[f"fa_6_{key}"] = value
    return row


def _tensor_errors(found: TensorMaps, true: TensorMaps, given: Case) -> dict[str, float]:
    """Return errors of FA, and those of diffusivities as a share of their true mean."""
    row = {f"fa_{k}": v for k, v in fa_error(found.fa, true.fa, given.white)._asdict().items()}
    for name in ("md", "ad", "rd"):
        here, wanted = (getattr(maps, name)[given.white] for maps in (found, true))
        row[f"{name}_rms"] = float(np.sqrt(np.mean((here - wanted) ** 2)) / wanted.mean())
    return row
