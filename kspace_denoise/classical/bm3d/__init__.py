"""BM3D, written from its papers: `transforms` and `matching`, `hard`, `wiener`, and `BM3D`."""

from kspace_denoise.classical.bm3d.denoiser import BM3D
from kspace_denoise.classical.bm3d.profile import Profile

__all__ = ["BM3D", "Profile"]
