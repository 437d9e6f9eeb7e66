from __future__ import annotations

import sys
from types import ModuleType

import pytest

from nerface_ns.data.dataparsers.demo_dataparser import DemoDataParserConfig


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
