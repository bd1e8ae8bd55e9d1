"""A denoiser inside a scanner's pipeline: an MRD streaming server, and its client."""

from kspace_denoise.server.client import Answer, send
from kspace_denoise.server.reconstruct import Work
from kspace_denoise.server.server import Server
from kspace_denoise.server.session import Limits

__all__ = ["Answer", "Limits", "Server", "Work", "send"]
