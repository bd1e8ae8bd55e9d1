"""The kinds of masks by name."""

from kspace_denoise.sim.sampling import caipi, fixed_size, lines, poisson_disc, published
from kspace_denoise.sim.sampling.plan import Family, no_calibration, usual_calibration

FAMILIES = {
    "random": Family(
        "lines drawn uniformly, an exact number of them",
        1,
        usual_calibration,
        lines.draw_random,
        lines.random_probability,
    ),
    "equispaced": Family(
        "every R-th line; the calibration comes on top, so the real acceleration is lower",
        1,
        usual_calibration,
        lines.draw_equispaced,
        lines.equispaced_probability,
    ),
    "equispaced-fraction": Family(
        "lines spread evenly outside the calibration so that R is met in all",
        1,
        usual_calibration,
        lines.draw_equispaced_fraction,
        lines.random_probability,
    ),
    "gaussian": Family(
        "lines drawn from a Gaussian density, an exact number of them",
        1,
        usual_calibration,
        fixed_size.draw_gaussian,
        fixed_size.gaussian_probability,
    ),
    "gaussian-2d": Family(
        "points drawn from a Gaussian density, an exact number of them",
        2,
        usual_calibration,
        fixed_size.draw_gaussian,
        fixed_size.gaussian_probability,
    ),
    "poisson": Family(
        "points at a distance from each other that grows from the centre, an exact number of them",
        2,
        usual_calibration,
        poisson_disc.draw_poisson,
        None,
    ),
    "partial-fourier": Family(
        "neighbouring lines from one edge to beyond the centre, R below 2",
        1,
        no_calibration,
        lines.draw_partial_fourier,
        lines.partial_fourier_probability,
    ),
    "caipi": Family(
        "every R-th point on a sheared lattice; the calibration comes on top",
        2,
        usual_calibration,
        caipi.draw_caipi,
        caipi.caipi_probability,
    ),
    "gsure": Family(
        "GSURE-Diffusion: floor(N / R) lines, 30 of them in the centre",
        1,
        published.gsure_calibration,
        published.draw_floor,
        published.floor_probability,
    ),
    "jalal": Family(
        "Jalal et al.: floor(N / R) lines, 8 % (R above 6: 4 %) of N in the centre",
        1,
        published.jalal_calibration,
        published.draw_jalal,
        published.jalal_probability,
    ),
    "fastmri": Family(
        "fastMRI: each line by the toss of a coin; R on average only, and a mask may be empty",
        1,
        usual_calibration,
        published.draw_fastmri,
        published.fastmri_probability,
    ),
}

MASKS = {name: family.help for name, family in FAMILIES.items()}
"""The kinds that `mask` knows, with a line of help for each."""
