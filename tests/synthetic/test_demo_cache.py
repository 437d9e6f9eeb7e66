"""The demo's cache folder: made once, whole or not at all."""

import threading
from pathlib import Path

import pytest

from nerface_ns.synthetic import demo_cache
from nerface_ns.synthetic.demo_cache import MARKER, demo_data_dir
from nerface_ns.synthetic.demo_sequence import DemoSequenceConfig


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    """An empty user cache folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "nerface-ns" / "demo"


@pytest.fixture
def makers(monkeypatch) -> list[Path]:
    """Replaces rendering by a stub; lists the folders that it was asked to fill."""
    calls = []

    def make(directory: Path, config: DemoSequenceConfig) -> None:
        calls.append(directory)
        (directory / "transforms_train.json").write_text(f"{config.seed}")

    monkeypatch.setattr(demo_cache, "write_demo_sequence", make)
    return calls


def test_made_once_and_reused(cache, makers):
    """The second call renders nothing and returns the same complete folder."""
    first, second = demo_data_dir(), demo_data_dir()
    assert first == second and first.parent == cache and len(makers) == 1
    assert (first / MARKER).is_file() and (first / "transforms_train.json").read_text() == "0"
    assert [path.name for path in cache.iterdir()] == [first.name]


def test_every_config_has_its_own_folder(cache, makers):
    """Another seed does not reuse the first one's frames."""
    assert demo_data_dir(DemoSequenceConfig(seed=1)) != demo_data_dir(DemoSequenceConfig(seed=2))
    assert len(makers) == 2


def test_interrupted_maker_leaves_nothing(cache, monkeypatch):
    """A maker that fails half-way leaves neither a final folder nor a temporary one."""

    def fail(directory: Path, config: DemoSequenceConfig) -> None:
        (directory / "transforms_train.json").write_text("half")
        raise KeyboardInterrupt

    monkeypatch.setattr(demo_cache, "write_demo_sequence", fail)
    with pytest.raises(KeyboardInterrupt):
        demo_data_dir()
    assert list(cache.iterdir()) == []


def test_damaged_folder_is_replaced(cache, makers):
    """A folder without its marker is made again."""
    folder = demo_data_dir()
    (folder / MARKER).unlink()
    (folder / "stray").write_text("x")
    assert demo_data_dir() == folder
    assert len(makers) == 2 and (folder / MARKER).is_file() and not (folder / "stray").exists()


def test_concurrent_makers_agree(cache, monkeypatch):
    """Makers that finish at the same time all return one complete folder and leave no other."""
    barrier, results = threading.Barrier(4), []

    def make(directory: Path, config: DemoSequenceConfig) -> None:
        (directory / "transforms_train.json").write_text("whole")
        barrier.wait(timeout=10)

    monkeypatch.setattr(demo_cache, "write_demo_sequence", make)
    threads = [threading.Thread(target=lambda: results.append(demo_data_dir())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4 and len(set(results)) == 1
    assert (results[0] / "transforms_train.json").read_text() == "whole"
    assert [path.name for path in cache.iterdir()] == [results[0].name]


def test_unwritable_cache_is_named(tmp_path, monkeypatch, makers):
    """Where no folder can be made, the error says which one and what to set."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(ValueError, match=r"file/nerface-ns/demo: .*set XDG_CACHE_HOME"):
        demo_data_dir()
    assert makers == []
