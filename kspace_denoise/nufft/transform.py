"""The non-uniform Fourier transform of images of one shape, along one trajectory."""

import math

import array_api_compat as compat
import numpy as np

from kspace_denoise.arrays import Array, is_complex, like, to_numpy, to_torch
from kspace_denoise.nufft.plans import Plans
from kspace_denoise.nufft.trajectory import check_trajectory

BACKENDS = ("auto", "finufft", "torchkbnufft")
_FINEST = 1e-6  # accuracy that single precision can have


class Nufft:
    """y(k) = 1/sqrt(ny nx) Σ x(r) exp(-2πi (ky (ry - ny//2) / ny + kx (rx - nx//2) / nx)).

    `finufft` computes on the CPU (Barnett, Magland and af Klinteberg, SIAM J. Sci. Comput. 41:C479,
    2019), `torchkbnufft` on a GPU or where it is asked for (Muckley et al., ISMRM Workshop on Data
    Sampling and Image Reconstruction, 2020); `auto` takes the one that suits the device of the
    data. Torch tensors carry gradients through either, of any order.

    complex64 is transformed with a relative error near `accuracy`, complex128 near 1e-12 by finufft
    (torchkbnufft: 4e-5 in both). Plans are kept for the few numbers of images transformed at once
    most recently.

    Raises:
        TypeError: if the positions are not real floating-point numbers.
        ValueError: if the trajectory does not suit the shape, there is no such backend, or the
            accuracy is not within 1e-6 to 1.
    """

    def __init__(
        self,
        trajectory: Array,
        shape: tuple[int, ...],
        backend: str = "auto",
        accuracy: float = 1e-4,
    ) -> None:
        check_trajectory(trajectory, shape)
        if backend not in BACKENDS:
            raise ValueError(f"unknown backend {backend!r}; there are: {', '.join(BACKENDS)}")
        if not _FINEST <= accuracy < 1:
            raise ValueError(
                f"accuracy is {accuracy}, expected {_FINEST:g} to below 1, the relative error of "
                "complex64; complex128 data are transformed with 1e-12 whatever it is"
            )
        positions = to_numpy(trajectory).astype(np.float64)
        self.shape = (int(shape[0]), int(shape[1]))
        self.sampled = positions.shape[:2]
        self._backend = backend
        self._scale = 1 / math.sqrt(math.prod(shape))
        self._radians = 2 * np.pi * positions.reshape(-1, 2).T / np.array(shape)[:, None]
        self._plans = Plans(self._radians, self.shape, accuracy)
        self._interpolators: dict[str, Array] = {}

    def forward(self, image: Array) -> Array:
        """Transform images `(..., y, x)` to their samples `(..., readouts, samples)`."""
        return self._transform(image, self.shape, self.sampled, adjoint=False)

    def adjoint(self, samples: Array) -> Array:
        """Take samples `(..., readouts, samples)` to images `(..., y, x)`, without weights."""
        return self._transform(samples, self.sampled, self.shape, adjoint=True)

    def _transform(
        self, x: Array, given: tuple[int, ...], wanted: tuple[int, ...], *, adjoint: bool
    ) -> Array:
        """Check `x`, and transform it as a stack; finufft takes the samples of all readouts."""
        if not is_complex(x):
            raise TypeError(f"the transform was given {x.dtype}, expected complex numbers")
        if x.ndim < 2 or tuple(x.shape[-2:]) != given:
            expected = "(..., readouts, samples)" if adjoint else "(..., y, x)"
            raise ValueError(
                f"the transform was given shape {tuple(x.shape)}, expected {expected} ending in "
                f"{given}"
            )
        flat = (-1, math.prod(given)) if adjoint else (-1, *given)
        if self._backend_for(x) == "torchkbnufft":
            result = self._interpolated(to_torch(x).reshape(flat), adjoint)
        elif compat.is_torch_array(x):
            from kspace_denoise.nufft.gradients import differentiable

            result = differentiable(self._planned, x.reshape(flat), adjoint)
        else:
            result = self._planned(np.ascontiguousarray(to_numpy(x)).reshape(flat), adjoint)
        return like(result.reshape(*x.shape[:-2], *wanted), x)

    def _backend_for(self, x: Array) -> str:
        on_gpu = compat.is_cupy_array(x) or (compat.is_torch_array(x) and x.is_cuda)
        if self._backend == "finufft" and on_gpu:
            raise ValueError("finufft computes on the CPU; give backend='auto' or 'torchkbnufft'")
        if self._backend == "auto":
            return "torchkbnufft" if on_gpu else "finufft"
        return self._backend

    def _planned(self, stack: Array, adjoint: bool) -> Array:
        """Transform a stack of numpy images `(count, y, x)`, or samples `(count, points)`."""
        result = self._plans.execute(stack, adjoint)
        result *= self._scale
        return result

    def _interpolated(self, stack: Array, adjoint: bool) -> Array:
        """Transform a stack of torch images, or of their samples, by torchkbnufft."""
        from kspace_denoise.nufft.kaiser_bessel import Interpolator

        key = f"{stack.device} {stack.dtype}"
        if key not in self._interpolators:
            self._interpolators[key] = Interpolator(self._radians, self.shape, stack)
        return self._interpolators[key](stack, adjoint) * self._scale
