"""Priors from clean and from degraded scans, and reconstruction with them, under one protocol."""
