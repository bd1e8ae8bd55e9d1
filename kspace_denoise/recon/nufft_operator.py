"""The encoding of parallel imaging on any trajectory: E = non-uniform transform · coil maps."""

from dataclasses import dataclass
from functools import cached_property

from array_api_compat import is_torch_array

from kspace_denoise.arrays import Array, namespace, to_numpy
from kspace_denoise.fourier import fft2c, ifft2c
from kspace_denoise.nufft import Nufft
from kspace_denoise.recon.checks import check_kspace
from kspace_denoise.recon.toeplitz import ToeplitzPart, toeplitz_parts

_BLOCK = 2**18  # pixels transformed at once by `normal`: as many as stay in a processor's cache


@dataclass(frozen=True)
class NufftOperator:
    """E takes an image `(..., y, x)` to samples `(..., coils, readouts, samples)`.

    `maps` is `(..., coils, y, x)`; leading axes broadcast. `trajectory` is `(readouts, samples, 2)`
    in cycles per field of view, (ky, kx) last. The scale is that of `SenseOperator`, which this
    equals on a Cartesian trajectory: white noise keeps its sigma, and the adjoint has no density
    compensation. `backend` is that of the transform: `auto` takes finufft on the CPU and
    torchkbnufft on a GPU. `accuracy` is the relative error of the transforms of complex64 by
    finufft, 1e-6 or more.

    Torch tensors carry gradients to image, samples and maps, not to the trajectory. Of the maps as
    they are now: after a step that changes them, make another operator.

    Raises:
        TypeError: if maps are not complex or the trajectory is not real.
        ValueError: if maps or trajectory are malformed, do not fit each other, or hold NaN, there
            is no such backend, or the accuracy is out of its range.
        ModuleNotFoundError: if the library of the transform is not installed.
    """

    maps: Array
    trajectory: Array
    backend: str = "auto"
    accuracy: float = 1e-4

    def __post_init__(self) -> None:
        check_kspace(self.maps, "maps")
        _ = self._nufft  # refuses a trajectory that does not fit

    def forward(self, image: Array) -> Array:
        """Return E x."""
        self._check_image(image)
        return self._nufft.forward(self.maps * image[..., None, :, :])

    def adjoint(self, kspace: Array) -> Array:
        """Return Eᴴ y: the sum of the coil images, weighted with the conjugate maps."""
        coils = self.maps.shape[-3]
        if kspace.ndim < 3 or kspace.shape[-3] != coils:
            raise ValueError(
                f"k-space has shape {tuple(kspace.shape)}, expected (..., {coils}, readouts, "
                f"samples) for the {coils} coils of the maps"
            )
        coil_images = self._nufft.adjoint(kspace)
        return namespace(coil_images).sum(self._conjugate * coil_images, axis=-3)

    def normal(self, image: Array) -> Array:
        """Return Eᴴ E x by the Toeplitz structure of Fᴴ F, without a non-uniform transform."""
        self._check_image(image)
        total: Array = None
        for part in self.parts:
            turned = image * part.ramp
            term = part.conjugate * self._convolved(turned[..., None, :, :], part.kernel)
            total = term if total is None else total + term
        return total

    def _check_image(self, image: Array) -> None:
        if image.ndim < 2 or tuple(image.shape[-2:]) != tuple(self.maps.shape[-2:]):
            raise ValueError(
                f"image has shape {tuple(image.shape)}, expected (..., y, x) ending in "
                f"{tuple(self.maps.shape[-2:])}, as the maps do"
            )

    def _convolved(self, image: Array, kernel: Array) -> Array:
        """Return Σ Sᴴ · FFTᴴ · kernel · FFT · S x over the coils S, a few of them at a time."""
        total: Array = None
        for maps, conjugate in self._blocks:
            spectrum = fft2c(maps * image, centred=False, scaled=False)
            spectrum *= kernel
            filtered = ifft2c(spectrum, centred=False, scaled=False)
            term = namespace(filtered).sum(conjugate * filtered, axis=-3)
            total = term if total is None else total + term
        return total

    @cached_property
    def _nufft(self) -> Nufft:
        return Nufft(self.trajectory, self.maps.shape[-2:], self.backend, self.accuracy)

    @cached_property
    def parts(self) -> list[ToeplitzPart]:
        """The four kernels of `normal`, built when first used."""
        return toeplitz_parts(to_numpy(self.trajectory), self.maps.shape[-2:], self.maps)

    @cached_property
    def _conjugate(self) -> Array:
        """The conjugate maps, in memory: torch would conjugate every time."""
        conjugate = namespace(self.maps).conj(self.maps)
        return conjugate.resolve_conj() if is_torch_array(conjugate) else conjugate

    @cached_property
    def _blocks(self) -> list[tuple[Array, Array]]:
        """The maps of a few coils at a time, whose images stay in the cache, and conjugates."""
        coils, rows, columns = self.maps.shape[-3:]
        step = max(1, _BLOCK // (rows * columns))
        blocks = [slice(i, min(i + step, coils)) for i in range(0, coils, step)]
        return [(self.maps[..., b, :, :], self._conjugate[..., b, :, :]) for b in blocks]
