"""Deep image prior: a network that is fitted to one noisy image, and stopped before its noise."""

import dataclasses
import math
import warnings

import numpy as np
import torch
from torch import Tensor

from kspace_denoise.arrays import Array, like, to_torch
from kspace_denoise.classical.parts import denoise_apart
from kspace_denoise.networks.hourglass import Hourglass
from kspace_denoise.phase import smooth_phase
from kspace_denoise.sigma import noisy_images

_SMALLEST = 4
"""Pixels of the shorter side of an image: less cannot be halved."""
_INPUT = 0.1
"""Largest value of the fixed input, uniform from 0 on, as in the paper."""


@dataclasses.dataclass(frozen=True)
class DeepImagePrior:
    """Fit an hourglass with a fixed random input to the noisy image, and take its output.

    Ulyanov, Vedaldi, Lempitsky, *Deep image prior*, CVPR 2018. The network learns what images look
    like before it learns noise. The paper stops by hand; here that is left to the noise level, by
    the discrepancy principle: at the first step at which

    ```text
    mean |f - y|²  <=  strength² sigma²        per real component, where there is noise
    ```

    f being the average of the outputs with a memory of `memory` per step. Every step adds noise of
    standard deviation `jitter` to the input (0 to 0.1). A complex image is fitted without its
    smooth phase, as two channels.

    Attributes:
        strength: of the residual, over that of the noise; 0 goes on to the last step.
        steps: at most; where they do not reach the noise level there is a warning.
        width, levels: channels and resolutions of the network.
        inputs: channels of the fixed input.
        jitter, memory, learning_rate: as above, and of Adam.
        phase_width: pixels of the Gaussian that smooths the phase; 0 leaves it on.
        seed: of the input, the weights and the jitter; the same for every image.

    Raises:
        ValueError: if a number is out of range.
    """

    strength: float = 1.0
    steps: int = 2000
    width: int = 16
    levels: int = 4
    inputs: int = 16
    jitter: float = 0.01
    memory: float = 0.95
    learning_rate: float = 0.01
    phase_width: float = 4.0
    seed: int = 0

    method = "dip"
    stage = None

    def __post_init__(self) -> None:
        if not 0 <= self.strength < math.inf:
            raise ValueError(f"strength is {self.strength}, expected 0 or more, 1 as a rule")
        if min(self.steps, self.width, self.levels, self.inputs) < 1:
            raise ValueError("steps, width, levels and inputs are counts, expected 1 or more")
        if not 0 <= self.memory < 1 or min(self.jitter, self.phase_width) < 0:
            raise ValueError("memory is expected from 0 to 1, jitter and phase_width not below 0")

    @classmethod
    def paper(cls) -> "DeepImagePrior":
        """Return the paper's network and settings for denoising: 1800 steps, whatever the noise."""
        return cls(strength=0.0, steps=1800, width=128, levels=5, inputs=32, jitter=1 / 30,
                   memory=0.99, phase_width=0.0)  # fmt: skip

    def __call__(self, image: Array, sigma: Array | float) -> Array:
        """Denoise `(..., y, x)` with noise `sigma` per real component: a number or a map.

        Computed where the image lives. Where a noise map is 0 the result is 0. Pixels of exactly 0
        were blanked and hold no noise.

        Raises:
            TypeError, ValueError: as `noisy_images`, or if the image is smaller than 4 pixels.
        """
        noisy = noisy_images(image, sigma)
        if min(noisy.images.shape[-2:]) < _SMALLEST:
            raise ValueError(
                f"image has {noisy.images.shape[-2:]} pixels, expected {_SMALLEST} each way or more"
            )
        device = to_torch(image).device
        single = torch.complex64 if np.iscomplexobj(noisy.images) else torch.float32
        images = torch.from_numpy(noisy.images).to(device, single)
        inside = torch.from_numpy((noisy.sigma > 0).reshape(images.shape)).to(device)
        with torch.enable_grad():
            clean = self._denoise(images, inside & (images != 0)).cpu().numpy()
        return like(clean.reshape(noisy.sigma.shape) * noisy.sigma, image, image.dtype)

    def _denoise(self, images: Tensor, inside: Tensor) -> Tensor:
        """Denoise images `(images, y, x)` in SNR units, with noise `inside` alone."""

        def each(parts: Tensor) -> Tensor:
            return torch.stack([self._fit(*one) for one in zip(parts, inside, strict=True)])

        if not images.is_complex():
            return each(images.unsqueeze(1)).squeeze(1)
        width = self.phase_width
        phase = smooth_phase(images, width) if width else torch.ones_like(images)
        return denoise_apart(images, phase, each)

    def _fit(self, noisy: Tensor, inside: Tensor) -> Tensor:
        """Return what the network makes of one image `(channels, y, x)`."""
        unit = noisy.square().mean().sqrt()
        if unit == 0:
            return torch.zeros_like(noisy)
        network, fixed, generator = self._begin(noisy)
        optimiser = torch.optim.Adam(network.parameters(), lr=self.learning_rate, fused=True)
        average, left = torch.zeros_like(noisy), math.inf
        for step in range(self.steps):
            moved = torch.randn(fixed.shape, generator=generator).to(fixed)
            found = network(fixed + self.jitter * moved)[0]
            loss = (found - noisy / unit).square().mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            memory = min(self.memory, step / (9 + step))  # forgets the beginning faster
            average = torch.lerp(unit * found.detach(), average, memory)
            left = float((average - noisy)[:, inside].square().mean())
            if left <= self.strength**2:
                return average
        if self.strength:
            warnings.warn(
                f"deep image prior: after {self.steps} steps the residual is still {left**0.5:.3g} "
                f"sigma, expected {self.strength:g}, and the image blurred: is sigma too low? Else "
                "give more steps",
                stacklevel=2,
            )
        return average

    def _begin(self, noisy: Tensor) -> tuple[Hourglass, Tensor, torch.Generator]:
        """Return an untrained network, its input, and what jitter is drawn from."""
        channels, *size = noisy.shape
        levels = min(self.levels, int(math.log2(min(size))) - 1)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)  # noqa: TID251 - inside fork_rng: the state is put back
            network = Hourglass(self.inputs, channels, self.width, levels)
        generator = torch.Generator().manual_seed(self.seed)
        fixed = _INPUT * torch.rand((1, self.inputs, *size), generator=generator)
        network.to(device=noisy.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        fixed = fixed.to(device=noisy.device, memory_format=torch.channels_last)
        return network, fixed, generator
