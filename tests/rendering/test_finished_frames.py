import numpy as np
import pytest
import torch

from nerface_ns.rendering.finished_frames import FinishedFrames, fingerprint


@pytest.fixture
def finished(tmp_path):
    return FinishedFrames(tmp_path / "clip.mp4")


KEY = fingerprint("a frame")


@pytest.mark.parametrize("channels", [3, 4])
def test_frame_comes_back_exactly(finished, channels):
    """Colours and alpha survive."""
    picture = np.random.default_rng(0).integers(0, 256, (5, 7, channels), dtype=np.uint8)
    assert KEY not in finished
    finished.write(KEY, picture)
    assert KEY in finished
    np.testing.assert_array_equal(finished.read(KEY), picture)


def test_half_written_frames_do_not_count(finished, tmp_path):
    """A kill while a frame is written leaves a file of another name."""
    finished.folder.mkdir()
    (finished.folder / f"{KEY}.part").write_bytes(b"\x89PNG")
    assert KEY not in finished


def test_removal_takes_only_own_files(finished, tmp_path):
    """A stranger's file keeps its folder."""
    finished.write(KEY, np.zeros((2, 2, 3), dtype=np.uint8))
    (finished.folder / "notes.txt").touch()
    finished.remove()
    assert [file.name for file in finished.folder.iterdir()] == ["notes.txt"]
    (finished.folder / "notes.txt").unlink()
    finished.remove()
    assert list(tmp_path.iterdir()) == []


def test_damaged_frame_is_named(finished):
    """The error says which file to delete."""
    finished.folder.mkdir()
    (finished.folder / f"{KEY}.png").write_bytes(b"nothing")
    with pytest.raises(ValueError, match=rf"{KEY}.png: not readable"):
        finished.read(KEY)


def test_fingerprint_of_equal_content_is_equal():
    """Neither where a tensor lies in memory nor the order of a mapping counts."""
    values = torch.arange(6.0).reshape(2, 3)
    assert fingerprint("run", values, {"a": 1, "b": None}) == fingerprint(
        "run", values.T.contiguous().T, {"b": None, "a": 1}
    )


def test_fingerprint_tells_values_apart():
    """Shape, kind, every number, every name."""
    values, mapping = torch.arange(6.0).reshape(2, 3), {"a": 1, "b": None}
    different = [
        fingerprint("run", values, mapping),
        fingerprint("run", values.reshape(3, 2), mapping),
        fingerprint("run", values.long(), mapping),
        fingerprint("run", values + 1e-6, mapping),
        fingerprint("run", values, {"a": 1}),
        fingerprint("nur", values, mapping),
    ]
    assert len(set(different)) == len(different)
