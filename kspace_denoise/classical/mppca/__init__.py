"""Denoising of repeated volumes by what their patches have in common (MPPCA)."""

from kspace_denoise.classical.mppca.denoiser import MPPCAResult, mppca

__all__ = ["MPPCAResult", "mppca"]
