"""The network of a training run: that of the config, as the method and the data need it."""

import dataclasses
import warnings
from typing import Any

from kspace_denoise.denoiser import Denoiser
from kspace_denoise.networks import (
    ARCHITECTURES,
    BlindConfig,
    NetworkConfig,
    network_config,
)
from kspace_denoise.objectives import Objective
from kspace_denoise.training.config import LEFT_ALONE, TrainConfig
from kspace_denoise.training.images import NoisyImages
from kspace_denoise.training.trainer import PATCH

FOLLOWS = ("contrasts", "direct", "target_level", "phase_width")
"""Settings of the network that follow from the method, the paper's mode and the data."""


def fitted(
    config: TrainConfig, objective: Objective[Any], start: Denoiser | None, contrasts: int
) -> TrainConfig:
    """Return the config with a network for this objective and so many contrasts.

    Raises:
        ValueError: if the config or `start` has a network for another number of contrasts, or
            `start` has one that the objective cannot use, or sees images in another unit.
    """
    needs = {
        "direct": config.paper or getattr(objective, "direct", False),
        "target_level": getattr(objective, "refinement", None) == "conditioned",
    }
    network = _chosen(config, objective) if start is None else start.config.network
    every_level = getattr(objective, "every_level", False)  # the phase at high ones is of noise
    if start is None:
        network = dataclasses.replace(
            network,
            contrasts=network.contrasts or contrasts,
            direct=network.direct or needs["direct"],
            target_level=network.target_level or needs["target_level"],
            phase_width=0.0 if config.paper or every_level else network.phase_width,
        )
    if getattr(objective, "direct", False) and getattr(network, "residual", False):
        raise ValueError(
            "residual = true adds the noisy image to what the network says, and this method hides "
            "pixels from it, which would bring their noise back: set residual to false"
        )
    whose = "the network of the config" if start is None else "the denoiser to start from"
    if network.contrasts != contrasts:
        raise ValueError(
            f"{whose} is for {network.contrasts} other contrasts, and {contrasts} were given: give "
            "as many, in the same order, or train one for these"
        )
    for name, needed in needs.items():
        if needed and not getattr(network, name):
            raise ValueError(
                f"this method needs a network with {name} = true, and {whose} has none: start anew"
            )
    if start is not None and start.config.vst != config.vst:
        raise ValueError(
            "the denoiser to start from was trained with vst and this run is without, or the other "
            "way round: set vst alike"
        )
    if start is not None and start.config.domain != config.domain:
        raise ValueError(
            f"the denoiser to start from was trained in the {start.config.domain} domain and this "
            f"run is in {config.domain}: set domain alike"
        )
    if start is not None and start.config.paper != config.paper:
        was, now = ("with" if c.paper else "without" for c in (start.config, config))
        warnings.warn(
            f"the denoiser to start from was trained {was} paper = true and this run is {now}: "
            "noise levels, weights and passes are other ones; set paper alike unless you mean that",
            stacklevel=3,
        )
    return config.replace(network=network)


def _chosen(config: TrainConfig, objective: Objective[Any]) -> NetworkConfig:
    """Return the network of the config, or where it was left alone that of the method.

    Raises:
        ValueError: if the method needs a network that is blind and this is none, or the other way.
    """
    own = getattr(objective, "architecture", None)
    network = config.network
    if own is not None and network is LEFT_ALONE:
        network = network_config({"architecture": own})
    needed = getattr(objective, "needs_blind_network", False)
    if needed and not isinstance(network, BlindConfig):
        blind = [name for name, (kind, _) in ARCHITECTURES.items() if issubclass(kind, BlindConfig)]
        raise ValueError(
            f"this method needs a network that does not see the pixel itself, and "
            f"{network.architecture} does: set architecture under [network] to {', '.join(blind)}"
        )
    if isinstance(network, BlindConfig) and not needed:
        raise ValueError(
            f"{network.architecture} does not see the pixel that it tells, which this method needs "
            "to see: it is for blind-spot; take another architecture"
        )
    return network


def check_patch(patch: int | None, hole: int | None, images: NoisyImages) -> None:
    """Refuse patches that do not fit into the images, and holes that do not fit into them.

    Raises:
        ValueError: telling how many pixels there are.
    """
    side = min(min(image.shape) for image in images.images)
    if patch is not None and patch > side:
        raise ValueError(
            f"patch is {patch}, expected no more than the {side} pixels of the smallest image; "
            f"left out it is {min(side, PATCH)}"
        )
    if hole is not None and hole >= min(side, patch or PATCH):
        raise ValueError(
            f"hole is {hole}, expected less than the {min(side, patch or PATCH)} pixels of a patch"
        )
