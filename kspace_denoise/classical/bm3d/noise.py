"""The exact variance of every coefficient of a group, for white and for coloured noise.

Coloured noise is stationary: its spectrum, the power over k-space, says all of it. Two blocks of a
group then carry correlated noise, the more the nearer they are, and the transform along the group
gathers or cancels it (Mäkinen, Azzari, Foi, IEEE TIP 29:8339, 2020).
"""

import torch
from torch import Tensor

from kspace_denoise.classical.bm3d.transforms import BlockTransform
from kspace_denoise.fourier import fft2c, ifft2c

_LEAST = 1e-6  # of sigma²: where noise has no power at all, nothing may be divided by zero


class GroupNoise:
    """The noise of groups of blocks in one transform, in units of sigma².

    `spectrum` `(ky, kx)` has DC at index n // 2 and mean 1; None is white. Groups stand in images
    whose blocks are `columns` to a row, and reach `radius` from their reference.
    """

    def __init__(
        self, transform: BlockTransform, spectrum: Tensor | None, size: int, radius: int
    ) -> None:
        self.pixels, self.reach = transform.forward.shape[1], 2 * radius
        self.table, self.grid = None, (0, 0)
        if spectrum is not None:
            self.grid = (spectrum.shape[0] - size + 1, spectrum.shape[1] - size + 1)
            functions = transform.forward.T.reshape(-1, size, size)
            self.table = covariance_table(functions, spectrum, self.reach)

    def variance(self, along: Tensor, places: Tensor) -> Tensor:
        """Return the variance of every coefficient: `(groups, size, 1, pixels)`, or 1 for groups.

        `along` `(size, size)` is the transform along the group, `places` `(groups, size)` counts
        the blocks of all images row by row.
        """
        if self.table is None:
            return along.new_ones((1, len(along), 1, self.pixels))
        first, second = torch.triu_indices(*along.shape, device=along.device)
        apart = self._displacement(places, first, second)
        covariance = self.table.index_select(0, apart.flatten()).view(*apart.shape, self.pixels)
        pair = along[:, first] * along[:, second] * torch.where(first == second, 1.0, 2.0)
        return torch.matmul(pair.to(along), covariance).clamp(min=_LEAST).unsqueeze(-2)

    def _displacement(self, places: Tensor, first: Tensor, second: Tensor) -> Tensor:
        """Return the row of the table for every pair of blocks in a group."""
        rows, columns = self.grid
        y, x = places // columns % rows, places % columns
        dy = y[:, first] - y[:, second] + self.reach
        dx = x[:, first] - x[:, second] + self.reach
        return dy * (2 * self.reach + 1) + dx


def covariance_table(functions: Tensor, spectrum: Tensor, reach: int) -> Tensor:
    """Return the covariance of coefficients of blocks apart: `(displacements, functions)`.

    The coefficient of the function b at one place and at another, d further, covary by the inverse
    Fourier transform of spectrum times |B|². Displacements run row by row over `reach` up and down,
    left and right; noise repeats with the field of view.
    """
    height, width = spectrum.shape
    size = functions.shape[-1]
    padded = spectrum.new_zeros((len(functions), height, width))
    padded[:, :size, :size] = functions
    power = spectrum.roll((-(height // 2), -(width // 2)), (0, 1))
    power = power * fft2c(padded, centred=False).abs().square()
    covariance = ifft2c(power, centred=False).real * (height * width) ** 0.5
    steps = torch.arange(-reach, reach + 1, device=spectrum.device)
    table: Tensor = covariance[:, steps % height][:, :, steps % width].flatten(1).T.contiguous()
    return table
