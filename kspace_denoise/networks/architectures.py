"""The networks by name, as `[network] architecture` of a config has it."""

from collections.abc import Mapping
from typing import Any, TypeAlias, get_type_hints

from kspace_denoise.networks.half_plane import HalfPlane, HalfPlaneConfig
from kspace_denoise.networks.lg_bpn import LGBPN, LGBPNConfig
from kspace_denoise.networks.nafnet import NAFNet, NAFNetConfig
from kspace_denoise.networks.plain_unet import PlainUNet, PlainUNetConfig
from kspace_denoise.networks.puca import PUCA, PUCAConfig
from kspace_denoise.networks.restormer import Restormer, RestormerConfig
from kspace_denoise.networks.swinir import SwinIR, SwinIRConfig
from kspace_denoise.networks.unet import UNet, UNetConfig
from kspace_denoise.settings import check_choice, check_kinds, check_names

NetworkConfig: TypeAlias = (
    UNetConfig
    | PlainUNetConfig
    | NAFNetConfig
    | SwinIRConfig
    | RestormerConfig
    | HalfPlaneConfig
    | PUCAConfig
    | LGBPNConfig
)
Network: TypeAlias = UNet | PlainUNet | NAFNet | SwinIR | Restormer | HalfPlane | PUCA | LGBPN

ARCHITECTURES: dict[str, tuple[type[NetworkConfig], type[Network]]] = {
    config.architecture: (config, network)
    for config, network in (
        (UNetConfig, UNet),
        (PlainUNetConfig, PlainUNet),
        (NAFNetConfig, NAFNet),
        (SwinIRConfig, SwinIR),
        (RestormerConfig, Restormer),
        (HalfPlaneConfig, HalfPlane),
        (PUCAConfig, PUCA),
        (LGBPNConfig, LGBPN),
    )
}
"""Settings and network of each architecture."""


def build(config: NetworkConfig) -> Network:
    """Return an untrained network."""
    network: Any = ARCHITECTURES[config.architecture][1]
    built: Network = network(config)
    return built


def network_config(settings: Mapping[str, Any]) -> NetworkConfig:
    """Return the settings of a network, of the architecture that is named; "unet" if none is.

    Raises:
        ValueError: if there is no such architecture, or it has no such setting.
        TypeError: if a setting is of the wrong kind.
    """
    given = dict(settings)
    name = given.pop("architecture", UNetConfig.architecture)
    check_choice("architecture", name, tuple(ARCHITECTURES))
    config = ARCHITECTURES[name][0]
    check_names(config, given)
    check_kinds(config, given)
    hints = get_type_hints(config)
    for setting, value in given.items():
        if hints[setting] == tuple[int, ...]:
            given[setting] = tuple(value)
    return config(**given)
