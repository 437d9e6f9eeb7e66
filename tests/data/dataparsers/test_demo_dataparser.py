from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

from nerface_ns.data.dataparsers.demo_dataparser import DemoDataParserConfig
from nerface_ns.synthetic.demo_sequence import DemoSequenceConfig


@pytest.fixture
def stand_in(tiny_face, monkeypatch):
    """The embedded head's maker, replaced by one that hands out the tiny dataset."""
    module = ModuleType("nerface_ns.synthetic.demo_cache")
    module.demo_data_dir = lambda: tiny_face
    monkeypatch.setitem(sys.modules, "nerface_ns.synthetic.demo_cache", module)
    return tiny_face


def test_without_data_the_embedded_head_is_read(stand_in):
    outputs = DemoDataParserConfig().setup().get_dataparser_outputs("test")
    assert [path.parent.parent for path in outputs.image_filenames] == [stand_in, stand_in]


def test_with_data_that_folder_is_read(tiny_face):
    outputs = DemoDataParserConfig(data=tiny_face).setup().get_dataparser_outputs("test")
    assert len(outputs.image_filenames) == 2


def test_with_a_wrong_folder_the_embedded_head_is_no_stand_in(stand_in, tmp_path):
    with pytest.raises(FileNotFoundError, match="expected a dataset folder here"):
        DemoDataParserConfig(data=tmp_path / "typo").setup().get_dataparser_outputs("test")


@pytest.mark.parametrize(
    ("name", "settings"), [("demo-2", {"identity": 2}), ("demo-torso", {"standing_torso": True}), ("demo", None)]
)
def test_embedded_heads_are_known_by_name(stand_in, monkeypatch, name, settings):
    """Each name asks for its own sequence, "demo" for the default one."""
    asked = []
    module = sys.modules["nerface_ns.synthetic.demo_cache"]
    monkeypatch.setattr(module, "demo_data_dir", lambda *config: asked.append(config) or stand_in)
    DemoDataParserConfig(data=Path(name)).setup().get_dataparser_outputs("test")
    expected = () if settings is None else (DemoSequenceConfig(**settings),)
    assert set(asked) == {expected}


def test_a_folder_precedes_an_embedded_head_of_the_same_name(tiny_face, monkeypatch):
    monkeypatch.chdir(tiny_face.parent)
    (tiny_face.parent / "demo-torso").symlink_to(tiny_face)
    outputs = DemoDataParserConfig(data=Path("demo-torso")).setup().get_dataparser_outputs("test")
    assert len(outputs.image_filenames) == 2
