"""What blind-spot networks share: no pixel of the output sees the input around its own place."""

import dataclasses
from collections.abc import Callable

import torch
from torch import Tensor, nn

from kspace_denoise.networks.plain import PlainConfig, PlainNetwork


@dataclasses.dataclass(frozen=True)
class BlindConfig(PlainConfig):
    """Settings of all: `hole`, the side in pixels of the square that a pixel does not see.

    1 for noise that is independent from pixel to pixel, more where it is correlated over some.
    What would bring the pixel itself back, a skip around the network or the smooth phase of the
    image, is refused.
    """

    direct: bool = True
    phase_width: float = 0.0
    hole: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.hole % 2 == 0:
            raise ValueError(f"hole is {self.hole}, expected an odd number of pixels")
        if not self.direct or self.residual or self.phase_width:
            raise ValueError(
                "a blind-spot network needs direct = true, residual = false and phase_width = 0: "
                "all else brings the hidden pixel back"
            )

    @property
    def reach(self) -> int:
        """Half the hole: how far from itself a pixel does not see."""
        return self.hole // 2


class BlindNetwork(PlainNetwork):
    """A network whose borders are zeros: a reflected border would show pixels of the hole."""

    padding = "zeros"

    config: BlindConfig


class Ring(nn.Conv2d):
    """A convolution whose kernel is a square frame: `inner` and less from the centre it is 0.

    Layers behind it that see only multiples of `step` pixels never look into the hole: what is
    beyond `inner` along an axis, and within `outer`, stays beyond it when it is moved by a multiple
    of `outer + inner + 1`. The kernel has every `every`-th pixel.
    """

    frame: Tensor

    def __init__(self, width: int, out: int, inner: int, outer: int, every: int = 1) -> None:
        super().__init__(width, out, 2 * (outer // every) + 1, padding=outer, dilation=every)
        self.step = outer + inner + 1
        away = torch.arange(-outer, outer + 1, every).abs()
        frame = torch.maximum(away[:, None], away[None]) > inner
        self.register_buffer("frame", frame.float(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (batch, width, y, x) with the frame."""
        y: Tensor = self._conv_forward(x, self.weight * self.frame, self.bias)
        return y


def leak(
    network: Callable[[Tensor], Tensor], image: Tensor, hole: int, count: int = 20, seed: int = 0
) -> float:
    """Return how much an output pixel follows the input in its hole, over the largest of all.

    `network` maps real images `(1, channels, y, x)` to the same shape; of `count` pixels drawn at
    random the Jacobian is looked at. 0 for a network that is blind.

    Raises:
        ValueError: if the output follows no pixel at all.
    """
    generator = torch.Generator().manual_seed(seed)
    x = image.detach().requires_grad_()
    y = network(x)
    inside, largest = 0.0, 0.0
    for _ in range(count):
        row, column = (int(torch.randint(n, (), generator=generator)) for n in x.shape[-2:])
        for value in y[0, :, row, column]:
            (slope,) = torch.autograd.grad(value, x, retain_graph=True)
            largest = max(largest, float(slope.abs().max()))
            near = slope[..., _around(row, hole), _around(column, hole)]
            inside = max(inside, float(near.abs().max()))
    if largest == 0:
        raise ValueError("the network's output does not depend on the image")
    return inside / largest


def _around(place: int, hole: int) -> slice:
    return slice(max(0, place - hole // 2), place + hole // 2 + 1)
