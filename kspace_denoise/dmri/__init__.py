"""Denoising of diffusion MRI across its volumes."""
