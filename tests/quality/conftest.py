from pathlib import Path

import pytest

from benchmarks.quality import phantom
from kspace_denoise.networks import UNetConfig
from kspace_denoise.training.config import TrainConfig

TINY = """
batch = 2
patch = 16
symmetries = 1
[network]
base = 8
multipliers = [1, 2]
attention = []
"""


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder laid out like M4Raw: a subject to train on, two to score (not those of tables)."""
    folder = tmp_path_factory.mktemp("study")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(phantom, "SLICES", 2)
        for split, subjects in (("train", 1), ("validation", 2)):
            phantom.write_study(folder, split, subjects, shape=(48, 48))
    return folder


@pytest.fixture
def tiny() -> TrainConfig:
    network = UNetConfig(base=8, multipliers=(1, 2), attention=())
    return TrainConfig(network=network, batch=2, patch=16, symmetries=1)


@pytest.fixture
def tiny_file(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.toml"
    path.write_text(TINY)
    return path
