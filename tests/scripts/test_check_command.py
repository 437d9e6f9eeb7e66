from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from blendshape_folder import write_blendshape
from flame_folders import WRITERS
from made_up_head import write_head

from nerface_ns.data.dataparsers.dataparser_choice import DATAPARSERS
from nerface_ns.scripts.check import CheckCommand, main


@pytest.fixture(autouse=True)
def private_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def run(root: Path, tmp_path: Path, **settings) -> tuple[bool, dict]:
    """Whether the dataset may be trained, and what the JSON file says."""
    usable = main(CheckCommand(root, output_dir=tmp_path / "out", json=tmp_path / "out" / "check.json", **settings))
    return usable, json.loads((tmp_path / "out" / "check.json").read_text())


def test_good_dataset(tmp_path):
    usable, record = run(write_head(tmp_path / "subject"), tmp_path)
    assert usable and record["usable"] and record["problems"] == record["warnings"] == []
    assert record["dataparser"] == "nerface-data"
    assert Path(record["contact_sheet"]).is_file()
    assert {"camera convention", "lens", "static background"} <= {finding["check"] for finding in record["findings"]}


def test_broken_dataset(tmp_path):
    root = write_head(tmp_path / "subject")
    for path in root.glob("transforms_*.json"):
        content = json.loads(path.read_text())
        for frame in content["frames"]:
            frame["transform_matrix"] = np.linalg.inv(np.array(frame["transform_matrix"])).tolist()
        path.write_text(json.dumps(content))
    usable, record = run(root, tmp_path)
    assert not usable and "world-to-camera" in record["problems"]


def test_unreadable_dataset(tmp_path):
    root = write_head(tmp_path / "subject")
    (root / "transforms_test.json").write_text("{")
    usable, record = run(root, tmp_path)
    assert not usable and record["problems"] == ["unreadable"] and record["contact_sheet"] is None


def test_corrupt_picture_leaves_no_contact_sheet(tmp_path):
    root = write_head(tmp_path / "subject")
    (root / "train" / "f_0000.png").write_bytes((root / "train" / "f_0000.png").read_bytes()[:500])
    usable, record = run(root, tmp_path)
    assert not usable and record["problems"] == ["corrupt"] and record["contact_sheet"] is None


@pytest.mark.parametrize("layout", ["insta", "imavatar", "neural-head-avatars", "vhap"])
def test_tracked_recordings_of_other_formats_are_right(tmp_path, layout):
    root = tmp_path / layout
    root.mkdir()
    WRITERS[layout](root)
    _, record = run(root, tmp_path)
    problems = {
        finding["problem"] for finding in record["findings"] if finding["check"] in ("camera convention", "lens")
    }
    assert record["dataparser"] == "flame-data" and problems == {None}
    points = record["findings"][1]["figures"]["points"]
    # Boxes that were made with the cameras would prove nothing.
    assert points == {"imavatar": "5 landmarks", "neural-head-avatars": "40 landmarks"}.get(layout, "heads in mattes")


def test_settings_of_a_format_are_its_defaults(tmp_path):
    """NeRFBlendShape's last 500 frames are the test; a shorter set says so here as in training."""
    usable, record = run(write_blendshape(tmp_path / "id1"), tmp_path)
    assert not usable and "num_test_frames" in record["findings"][0]["detail"]
    assert set(DATAPARSERS) >= {record["dataparser"]}


def test_exit_code_and_one_clear_error(tmp_path, monkeypatch, capsys):
    from nerface_ns.scripts import check

    monkeypatch.setattr(sys, "argv", ["nerface-check", str(tmp_path / "none")])
    with pytest.raises(SystemExit) as stop:
        check.entrypoint()
    assert stop.value.code == 1 and "expected a dataset folder here" in capsys.readouterr().err
    root = write_head(tmp_path / "subject")
    monkeypatch.setattr(sys, "argv", ["nerface-check", str(root), "--output-dir", str(tmp_path / "out")])
    with pytest.raises(SystemExit) as stop:
        check.entrypoint()
    assert stop.value.code == 0
