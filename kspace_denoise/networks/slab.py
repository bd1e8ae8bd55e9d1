"""Networks for adjacent slices of real images, which stand in their channels."""

from torch import Tensor, nn

from kspace_denoise.networks.architectures import Network


class Mapping(nn.Module):
    """Estimate an image from `n` others, real `(batch, n, slab, y, x)`: each corrected, their mean.

    The mean of the others is what an untrained network returns, as its last convolution begins
    at 0; with `direct` it supplies the image itself.
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, others: Tensor) -> Tensor:
        """Return images `(batch, slab, y, x)`."""
        estimates: Tensor = self.network(others.flatten(1, 2), others.new_ones(len(others)))
        estimates = estimates.view_as(others)
        if not self.network.config.direct:
            estimates = others + estimates
        return estimates.mean(dim=1)


class Denoising(nn.Module):
    """Estimate clean images from noisy ones, real `(batch, slab, y, x)`, of a level `(batch,)`.

    Preconditioned as in `Doorway`: an untrained network shrinks by 1 / (1 + level²).
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor, noise_level: Tensor) -> Tensor:
        """Return images of the shape of `x`."""
        level = noise_level[:, None, None, None]
        scale = (1 + level**2).sqrt()
        clean: Tensor = self.network(x / scale, noise_level)
        return clean if self.network.config.direct else x / scale**2 + level / scale * clean
