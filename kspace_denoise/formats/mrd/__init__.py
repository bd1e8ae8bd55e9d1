"""ISMRMRD: which acquisition is what, files in and out."""

from kspace_denoise.formats.mrd.reader import is_mrd, is_noise_alone, read_mrd, read_mrd_noise
from kspace_denoise.formats.mrd.writer import write_mrd

__all__ = ["is_mrd", "is_noise_alone", "read_mrd", "read_mrd_noise", "write_mrd"]
