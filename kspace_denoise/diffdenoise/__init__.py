"""DiffDenoise: a blind network, a diffusion model on top of it, and a student of both."""
