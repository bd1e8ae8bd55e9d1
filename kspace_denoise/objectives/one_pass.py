"""Inference in one pass: what most objectives do."""

from torch import Tensor, nn


class OnePass:
    """Ask the network once, of the noisy image as it is."""

    def denoise(
        self, network: nn.Module, x: Tensor, sigma: Tensor, condition: Tensor | None = None
    ) -> Tensor:
        """Return f(y, σ)."""
        clean: Tensor = network(x, sigma, condition)
        return clean
