"""How much of the centre of k-space is fully sampled, for coil maps to come from."""

from kspace_denoise.arrays import Array, namespace, to_numpy
from kspace_denoise.crop import centre_crop

CALIBRATION, KERNEL = 24, 5
"""Most samples on a side that are worth taking, and fewest that coil maps need."""


def calibration_size(kspace: Array, mask: Array | None = None) -> tuple[int, int]:
    """Return the size of the fully sampled centre of a slice, at most 24 x 24.

    Lines that are zero in all coils, as well as those where the mask is 0, count as not sampled.

    Raises:
        ValueError: if it is smaller than the kernel of the coil maps.
    """
    sampled = to_numpy(namespace(kspace).any(kspace != 0, axis=-3))
    if mask is not None:
        sampled = sampled & (to_numpy(mask) != 0)
    most = [min(CALIBRATION, n) for n in sampled.shape]

    def is_full(ky: int, kx: int) -> bool:
        return bool(centre_crop(sampled, (ky, kx)).all())

    side = 0
    while side < min(most) and is_full(side + 1, side + 1):
        side += 1
    if side < KERNEL <= min(most) and kspace.shape[-3] > 1:
        raise ValueError(
            f"the fully sampled centre of k-space has {side} x {side} samples, too few for coil "
            f"maps, which need {KERNEL} x {KERNEL}: acquire more central lines"
        )
    ky = kx = side
    while ky < most[0] and is_full(ky + 1, kx):
        ky += 1
    while kx < most[1] and is_full(ky, kx + 1):
        kx += 1
    return ky, kx
