import sys
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "data"))
sys.path.insert(0, str(Path(__file__).parents[1] / "data" / "dataparsers"))

from released_code import ReleasedTraining
from tiny_face import write_tiny_face

from nerface_ns.original.import_settings import ImportSettings
from nerface_ns.original.imported_run import import_checkpoint

TRAINED_AT = [3, 11, 0, 7, 10]
"""Recorded frames that the shuffled training frames of the tiny dataset are said to be."""


@pytest.fixture(autouse=True)
def private_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test has a cache directory of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """The tiny dataset with the map that the release has beside it."""
    folder = write_tiny_face(tmp_path / "subject")
    write_index_map(folder)
    return folder


def write_index_map(folder: Path) -> None:
    index_map = np.stack([np.arange(13.0), np.full(13, -1.0)], axis=1)
    index_map[TRAINED_AT, 1] = np.arange(len(TRAINED_AT))
    np.save(folder / "index_map.npy", index_map)


@pytest.fixture
def training() -> ReleasedTraining:
    """A training of NerFace's after some steps."""
    torch.manual_seed(0)
    training = ReleasedTraining()
    for _ in range(3):
        training.step_at_random()
    return training


@pytest.fixture
def checkpoint(training: ReleasedTraining, tmp_path: Path) -> Path:
    """The file that it saves."""
    path = tmp_path / "checkpoint01234.ckpt"
    torch.save(training.checkpoint(), path)
    return path


@pytest.fixture
def run(checkpoint: Path, dataset: Path, tmp_path: Path) -> Path:
    """The config.yml of the imported run."""
    settings = ImportSettings(data=dataset, output_dir=tmp_path / "outputs", position_octaves=4, timestamp="first")
    return import_checkpoint(checkpoint, settings).config_path
