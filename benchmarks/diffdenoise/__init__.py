"""DiffDenoise, its controls and what it is compared with, on phantoms of known noise."""
