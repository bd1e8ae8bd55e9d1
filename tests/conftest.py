"""Fixtures that every test file shares: array kinds, devices and the folder of real data."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import array_api_strict
import numpy as np
import pytest
import torch

KINDS: dict[str, Callable[[np.ndarray], Any]] = {
    "numpy": np.asarray,
    "torch": lambda x: torch.from_numpy(np.array(x)),
    "strict": lambda x: array_api_strict.asarray(np.array(x)),
}


@pytest.fixture(params=list(KINDS))
def kind(request: pytest.FixtureRequest) -> Callable[[np.ndarray], Any]:
    """Return a function that turns a numpy array into one of each supported kind."""
    return KINDS[request.param]


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20261121)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Return the folder of real raw data, or skip."""
    folder = os.environ.get("KSPACE_DENOISE_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("no data folder: set KSPACE_DENOISE_DATA")
    return Path(folder)


def pytest_configure(config: pytest.Config) -> None:
    """Give one thread to each process of tests: more beside each other wait for each other."""
    if hasattr(config, "workerinput") and "OMP_NUM_THREADS" not in os.environ:
        os.environ["OMP_NUM_THREADS"] = "1"  # of processes that tests start
        torch.set_num_threads(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "cuda" in item.keywords and not torch.cuda.is_available():
            item.add_marker(pytest.mark.skip(reason="no GPU"))
        if "real_data" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.real_data)
