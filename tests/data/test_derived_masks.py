from __future__ import annotations

import os

import numpy as np
import pytest
from PIL import Image

from nerface_ns.data.derived_masks import derive_masks, mask_of
from nerface_ns.data.frame_store import decode_alpha


def test_rules(tmp_path):
    alpha = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20
    Image.fromarray(np.dstack([np.zeros((3, 4, 3), np.uint8), alpha])).save(tmp_path / "rgba.png")
    np.testing.assert_array_equal(mask_of(tmp_path / "rgba.png", "alpha"), alpha)
    labels = np.array([[0, 1, 100], [0, 0, 202]], dtype=np.uint8)
    Image.fromarray(labels).save(tmp_path / "labels.png")
    np.testing.assert_array_equal(mask_of(tmp_path / "labels.png", "labels"), (labels > 0) * 255)
    colours = np.array([[[0, 0, 255], [255, 255, 255], [255, 0, 0], [0, 0, 0], [0, 255, 255]]], dtype=np.uint8)
    Image.fromarray(colours).save(tmp_path / "parsing.png")
    np.testing.assert_array_equal(mask_of(tmp_path / "parsing.png", "parsing_head"), [[255, 0, 0, 0, 0]])
    np.testing.assert_array_equal(mask_of(tmp_path / "parsing.png", "parsing_person"), [[255, 0, 255, 255, 255]])


def test_mattes_are_made_once_and_anew_when_the_source_changes(tmp_path, private_cache):
    source = tmp_path / "labels.png"
    Image.fromarray(np.ones((2, 2), dtype=np.uint8)).save(source)
    (first,) = derive_masks([source], "labels")
    stamp = first.stat().st_mtime_ns
    assert first.is_relative_to(private_cache) and decode_alpha(first).tolist() == [[255, 255], [255, 255]]
    assert derive_masks([source], "labels") == [first] and first.stat().st_mtime_ns == stamp
    Image.fromarray(np.zeros((2, 2), dtype=np.uint8)).save(source)
    os.utime(source, ns=(stamp + 1, stamp + 1))
    (second,) = derive_masks([source], "labels")
    assert second != first and decode_alpha(second).tolist() == [[0, 0], [0, 0]]
    assert list(second.parent.glob("*.partial")) == []


def test_picture_without_alpha(tmp_path):
    Image.fromarray(np.zeros((2, 2, 3), dtype=np.uint8)).save(tmp_path / "rgb.png")
    with pytest.raises(ValueError, match=r"rgb\.png: expected an image with an alpha channel"):
        derive_masks([tmp_path / "rgb.png"], "alpha")


def test_damaged_and_missing_sources(tmp_path):
    (tmp_path / "cut.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(ValueError, match=r"cut\.png: expected a whole image"):
        derive_masks([tmp_path / "cut.png"], "labels")
    with pytest.raises(FileNotFoundError, match=r"none\.png: expected an image here"):
        derive_masks([tmp_path / "none.png"], "labels")


def test_cache_that_cannot_be_written(tmp_path, monkeypatch):
    Image.fromarray(np.ones((2, 2), dtype=np.uint8)).save(tmp_path / "labels.png")
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(ValueError, match=r"cannot hold mattes .* set XDG_CACHE_HOME"):
        derive_masks([tmp_path / "labels.png"], "labels")
