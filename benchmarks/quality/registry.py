"""What a row and a table are, and all of them by name."""

import dataclasses
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

NO_TRAINING = ("noisy", "nlm", "wavelet", "bm3d", "dip")


@dataclasses.dataclass(frozen=True)
class Row:
    """One row.

    `objective`, `network` and `config` change single settings of the method, of its `UNetConfig`
    and of its `TrainConfig`; `paper` takes the paper's mode. `target` is the one contrast that is
    trained on and scored, `contrasts` are given beside it. `sigma` is what the noise level that
    training and inference are told is multiplied by. `denoiser_of` names the row whose denoiser is
    used instead of training one, `start` the row whose denoiser training continues from;
    `inference_sigma` and `symmetries` are what is done otherwise at inference.
    """

    name: str
    method: str
    title: str = ""
    paper: bool = False
    objective: dict[str, Any] = dataclasses.field(default_factory=dict)
    network: dict[str, Any] = dataclasses.field(default_factory=dict)
    config: dict[str, Any] = dataclasses.field(default_factory=dict)
    target: str | None = None
    contrasts: tuple[str, ...] = ()
    sigma: float = 1.0
    denoiser_of: str | None = None
    start: str | None = None
    inference_sigma: float = 1.0
    symmetries: int | None = None

    @property
    def trained(self) -> bool:
        """Whether the row needs a trained denoiser."""
        return self.method not in NO_TRAINING

    @property
    def vst(self) -> bool:
        """Whether magnitudes are stabilised before, and that undone behind."""
        return bool(self.config.get("vst"))

    @property
    def trained_by(self) -> str:
        """Name of the row whose training this one uses."""
        return self.denoiser_of or self.name


@dataclasses.dataclass(frozen=True)
class Table:
    """Rows that are compared with each other, and the one that the others are compared with."""

    name: str
    title: str
    rows: tuple[str, ...]
    baseline: str = "c2s"


ROWS: dict[str, Row] = {}
TABLES: dict[str, Table] = {}


def table(name: str, title: str, rows: Sequence[Row | str], baseline: str = "c2s") -> None:
    """Register a table and those of its rows that are new."""
    for row in rows:
        if isinstance(row, Row):
            if row.name in ROWS:
                raise ValueError(f"row {row.name!r} is there already: name it in the table instead")
            ROWS[row.name] = row
    names = tuple(row if isinstance(row, str) else row.name for row in rows)
    TABLES[name] = Table(name, title, names, baseline)


def find_row(name: str) -> Row:
    """Return a row by its name.

    Raises:
        ValueError: naming those of a similar name.
    """
    if name not in ROWS:
        near = get_close_matches(name, [*TABLES, *ROWS], 4, 0.5)
        hint = f"did you mean {', '.join(near)}? " if near else ""
        raise ValueError(
            f"there is no row {name!r}; {hint}--help lists the tables, --list their rows"
        )
    return ROWS[name]
