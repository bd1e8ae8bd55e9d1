"""The singular value decomposition of multi-coil SENSE, where the mask is constant on one axis."""

from dataclasses import dataclass

import numpy as np

from kspace_denoise.arrays import Array, like, namespace, real_dtype, to_numpy
from kspace_denoise.recon.point_spread import alias_distance, blocks_of_rows, point_spread
from kspace_denoise.recon.sense_operator import SenseOperator, varying_axes

_ZERO = 1e-12  # eigenvalues of the Gram matrix below this share of the largest are rounding


@dataclass(frozen=True)
class SenseSampling:
    """A = mask · Fourier transform · coil maps, of one slice.

    After the inverse Fourier transform along the axis where the mask is constant every position on
    it is a small problem of its own: the Gram matrix of its pixels is (Sᴴ S) ∘ PSF with the point
    spread of the mask, its eigenvectors are V and its eigenvalues Σ². Pixels that the mask never
    folds onto each other are separate again.

    `operator` has maps `(coils, y, x)` and a mask that varies along at most one axis; `vectors` is
    `(rows, apart, aliases, aliases)`, `singular_values` `(y, x)`, with the component where the
    pixel was. Made by `decompose`.
    """

    operator: SenseOperator
    vectors: Array
    singular_values: Array

    def spectrum(self, image: Array) -> Array:
        """Return Vᴴ x of images `(..., y, x)`, as (xᴴ V)ᴴ: V is read as it lies in memory."""
        xp = namespace(image)
        rows = xp.matrix_transpose(xp.conj(self._systems(image))) @ self.vectors
        return self._images(xp.conj(xp.matrix_transpose(rows)), image)

    def image(self, spectrum: Array) -> Array:
        """Return V z of spectra `(..., y, x)`."""
        return self._images(self.vectors @ self._systems(spectrum), spectrum)

    def seen(self, data: Array) -> Array:
        """Return Σ⁻² Vᴴ Aᴴ y = Σ⁺ Uᴴ y of k-space `(..., coils, ky, kx)`."""
        xp = namespace(data)
        power = self.singular_values**2
        inverse = xp.where(power > 0, 1 / xp.where(power > 0, power, 1.0), 0.0)
        return self.spectrum(self.operator.adjoint(data)) * xp.astype(inverse, data.dtype)

    def variance(self, of_components: Array) -> Array:
        """Return the variance of V z `(..., y, x)` in pixels, for components apart of this one."""
        power = namespace(of_components).abs(self.vectors) ** 2
        return self._images(power @ self._systems(of_components), of_components)

    def to(self, device: str) -> "SenseSampling":
        """Return the decomposition of torch tensors on a device."""
        return SenseSampling(
            self.operator.to(device), self.vectors.to(device), self.singular_values.to(device)
        )

    def _systems(self, images: Array) -> Array:
        """Return the pixels of each small problem, `(rows, apart, aliases, images)`."""
        xp = namespace(images)
        rows, apart, aliases, _ = self.vectors.shape
        columns = xp.reshape(self._turned(images), (-1, rows, aliases, apart))
        return xp.permute_dims(columns, (1, 3, 2, 0))

    def _images(self, systems: Array, like: Array) -> Array:
        """Undo `_systems`, for images of the shape of `like`."""
        xp = namespace(systems)
        shape = self._turned(like).shape
        return self._turned(xp.reshape(xp.permute_dims(systems, (3, 0, 2, 1)), shape))

    def _turned(self, x: Array) -> Array:
        """Bring the axis along which pixels are folded to the end, or back."""
        return namespace(x).matrix_transpose(x) if _folds_rows(self.operator) else x


def decompose(operator: SenseOperator) -> SenseSampling:
    """Decompose SENSE of one slice: torch maps `(coils, y, x)`, a mask that varies on one axis.

    The Gram matrices are formed and decomposed in complex128: in single precision their small
    eigenvalues are rounding errors.
    """
    maps = operator.maps
    xp = namespace(maps)
    maps = xp.matrix_transpose(maps) if _folds_rows(operator) else maps
    _, rows, size = maps.shape
    line = np.ones(size) if operator.mask is None else to_numpy(operator.mask).reshape(-1)
    spread = point_spread(np.broadcast_to(line, (size,)))
    apart = alias_distance(spread)
    aliases = size // apart
    lags = (np.arange(aliases)[:, None] - np.arange(aliases)) * apart % size
    folded = like(spread[lags], maps)
    vectors = xp.empty((rows, apart, aliases, aliases), dtype=maps.dtype, device=maps.device)
    values = xp.empty((rows, aliases, apart), dtype=xp.float64, device=maps.device)
    for block in blocks_of_rows(rows, apart * aliases**2):
        part = xp.reshape(maps[:, block, :], (-1, block.stop - block.start, aliases, apart))
        columns = xp.astype(xp.permute_dims(part, (1, 3, 2, 0)), xp.complex128)
        gram = (xp.conj(columns) @ xp.matrix_transpose(columns)) * folded
        found, basis = xp.linalg.eigh(gram)
        vectors[block] = xp.astype(basis, maps.dtype)
        values[block] = xp.matrix_transpose(found)
    values = xp.where(values > _ZERO * xp.max(values), values, 0.0) ** 0.5
    values = xp.astype(xp.reshape(values, (rows, size)), real_dtype(maps))
    return SenseSampling(
        operator, vectors, xp.matrix_transpose(values) if _folds_rows(operator) else values
    )


def _folds_rows(operator: SenseOperator) -> bool:
    """Return whether pixels are folded along axis -2."""
    return operator.mask is not None and varying_axes(operator.mask) == (-2,)
