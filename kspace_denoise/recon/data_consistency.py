"""The image that data and a guess agree on, for any linear measurement, by conjugate gradients."""

from dataclasses import dataclass
from typing import Protocol

from kspace_denoise.arrays import Array
from kspace_denoise.recon.conjugate_gradient import conjugate_gradient
from kspace_denoise.recon.nufft_operator import NufftOperator
from kspace_denoise.recon.sense_operator import SenseOperator
from kspace_denoise.recon.signal_rms import component_rms
from kspace_denoise.recon.whitened import Whitened

_TOLERANCE = 1e-4
_FIRST_LOOK = 0.1  # share of the data's weight in the image whose strength is taken


class Measurement(Protocol):
    """A linear measurement of images `(..., y, x)`."""

    def adjoint(self, kspace: Array) -> Array:
        """Return Aᴴ y."""
        ...

    def normal(self, image: Array) -> Array:
        """Return Aᴴ A x."""
        ...


@dataclass(frozen=True)
class Data:
    """Data of noise sigma = 1, of one slice, in torch: the operator A and Aᴴ y."""

    operator: Measurement
    combined: Array

    def correction(self, guess: Array, variance: float, iterations: int) -> Array:
        """Return E[x | y] - guess for x ~ N(guess, variance) per real component.

        It solves (Aᴴ A + 1 / variance) δ = Aᴴ (y - A guess), as far as so many iterations go.
        """

        def normal(x: Array) -> Array:
            return self.operator.normal(x) + x / variance

        missed = self.combined - self.operator.normal(guess)
        return conjugate_gradient(normal, missed, _TOLERANCE, iterations, strict=False)

    def rms(self, piece: Whitened) -> float:
        """Return the root mean square of the image per real component, near enough."""
        if isinstance(self.operator, SenseOperator):
            return component_rms(*piece)
        strength = float(abs(piece.maps).square().sum(0).mean())
        x = conjugate_gradient(
            lambda x: self.operator.normal(x) + _FIRST_LOOK * strength * x,
            self.combined,
            _TOLERANCE,
            20,
            strict=False,
        )
        return float(abs(x).square().mean().sqrt()) / 2**0.5


def data_of(piece: Whitened, trajectory: Array | None) -> Data:
    """Return the data of one whitened slice, by its mask or along a trajectory."""
    operator: Measurement
    if trajectory is None:
        operator = SenseOperator(piece.maps, piece.mask)
    else:
        operator = NufftOperator(piece.maps, trajectory)
    return Data(operator, operator.adjoint(piece.kspace))
