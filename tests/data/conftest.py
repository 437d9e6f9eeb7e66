from pathlib import Path

import pytest
from tiny_face import write_tiny_face


@pytest.fixture(autouse=True)
def private_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test has a cache directory of its own."""
    cache = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    return cache


@pytest.fixture
def tiny_face(tmp_path: Path) -> Path:
    """A tiny dataset in NerFace's format."""
    return write_tiny_face(tmp_path / "subject")
