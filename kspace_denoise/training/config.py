"""Everything that shapes a training run, as one frozen record that travels with the result."""

import dataclasses
import tomllib
from pathlib import Path
from typing import Any, Literal, get_args

from kspace_denoise.networks import NetworkConfig, UNetConfig, network_config
from kspace_denoise.settings import check_choice, check_kinds, check_names
from kspace_denoise.symmetry import SYMMETRIES

Domain = Literal["image", "stationary", "svd"]
DOMAINS: tuple[str, ...] = get_args(Domain)
LEFT_ALONE = UNetConfig()
"""The network of a config that names none: by identity, as another U-Net may be like it."""


@dataclasses.dataclass(frozen=True)
class TrainConfig:
    """A training run.

    Either `steps` is given, or as many are taken as fit into `minutes`.
    `patch` is the side of the random crops in pixels, by default 64, or that of the smallest image
    where that is less; `learning_rate` warms up over `warmup` steps
    and falls to zero along a cosine; `ema` is the decay of the weights' running mean, `clip` the
    largest gradient norm. At inference the mean over `symmetries` turns, flips and phases is taken:
    1 to 8, by default 8, and 1 as in the paper with `paper = true`. `objective` overrides
    hyper-parameters of the method, for example `{"levels": "uniform"}`; `paper = true` takes
    the paper's values, a network that estimates the image itself, phase and all, and one pass;
    its size and the optimiser stay what they are here. `vst` stabilises the variance of magnitude
    images before the network sees them, and undoes that without bias behind it. `domain = "svd"`
    corrupts what the coils see of an image with noise of its own covariance, component by component
    of the scan's singular value decomposition, where "image" takes SENSE images for white;
    "stationary" corrupts images with noise that is correlated as theirs is where they are flat.
    On a CPU a batch is computed in `parts`, side by side where there are cores; the result does not
    depend on the cores. `compile` has torch compile the network, which takes minutes (and on a
    CPU a C++ compiler) before the first step and pays in runs of hours.
    """

    network: NetworkConfig = LEFT_ALONE
    objective: dict[str, Any] = dataclasses.field(default_factory=dict)
    paper: bool = False
    steps: int | None = None
    minutes: float = 10.0
    batch: int = 4
    patch: int | None = None
    learning_rate: float = 3e-3
    weight_decay: float = 1e-4
    warmup: int = 50
    ema: float = 0.999
    clip: float = 1.0
    checkpoint_seconds: float = 30.0
    symmetries: int | None = None
    vst: bool = False
    domain: Domain = "image"
    parts: int = 2
    compile: bool = False

    def __post_init__(self) -> None:
        check_kinds(TrainConfig, vars(self))
        check_choice("domain", self.domain, DOMAINS)
        names = ("minutes", "batch", "learning_rate", "warmup", "clip", "parts", "steps", "patch")
        values = {name: getattr(self, name) for name in names}
        positive = {name: value for name, value in values.items() if value is not None}
        if not 0 <= self.ema < 1:
            raise ValueError(f"ema is {self.ema}, expected a decay from 0 to below 1")
        if not 1 <= self.passes <= SYMMETRIES:
            raise ValueError(f"symmetries is {self.symmetries}, expected 1 to {SYMMETRIES}")
        for name, value in positive.items():
            if not value > 0:
                raise ValueError(f"{name} is {value}, expected a positive number")

    @property
    def passes(self) -> int:
        """Number of symmetries that inference averages over."""
        if self.symmetries is None:
            return 1 if self.paper else SYMMETRIES
        return self.symmetries

    def replace(self, **changes: Any) -> "TrainConfig":
        """Return a copy with some fields changed."""
        return dataclasses.replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """Return the record as plain JSON-able values."""
        record = dataclasses.asdict(self)
        record["network"]["architecture"] = self.network.architecture
        return record

    @classmethod
    def from_dict(cls, values: dict[str, Any], architecture: str = "unet") -> "TrainConfig":
        """Build a record from plain values; unknown names are refused.

        `architecture` is that of a table `network` which names none.

        Raises:
            ValueError: if a name is unknown; the message lists the known ones.
            TypeError: if a value is of the wrong kind.
        """
        values = dict(values)
        network = values.pop("network", {})
        if not isinstance(network, dict):
            raise TypeError(f"network is {network!r}, expected a table of settings")
        chosen = (
            network_config({"architecture": architecture, **network}) if network else LEFT_ALONE
        )
        of_network = {"architecture"} | {f.name for f in dataclasses.fields(UNetConfig)}
        if misplaced := sorted(of_network & set(values)):
            raise ValueError(f"{', '.join(misplaced)} belongs under [network], not above it")
        check_names(cls, values)
        return cls(network=chosen, **values)

    @classmethod
    def from_toml(cls, path: str | Path, architecture: str = "unet") -> "TrainConfig":
        """Read a record from a TOML file, e.g. `steps = 500` and a table `[network]`.

        Raises:
            ValueError, TypeError: if the file is not TOML, or as `from_dict`.
        """
        try:
            values = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ValueError(f"{path} is not a TOML file: {error}") from None
        return cls.from_dict(values, architecture)
