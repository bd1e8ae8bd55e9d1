"""DDM2 and what it is compared with on the diffusion phantom."""
