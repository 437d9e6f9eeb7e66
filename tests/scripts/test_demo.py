import imageio.v3
import numpy as np
import pytest
from PIL import Image

from nerface_ns.scripts import demo
from nerface_ns.scripts.demo import DemoCommand, ShownFrames


def refuse_training(*args, **kwargs):
    raise AssertionError("training began")


@pytest.fixture
def shown():
    frames = ShownFrames()
    for level in range(8):
        picture = np.full((32, 32, 3), 20 * level, dtype=np.uint8)
        frames.truths.append(picture)
        frames.renders.append(picture + 5)
        frames.driven.append(picture + 10)
        frames.weights.append(np.array([level / 7, 1 - level / 7], dtype=np.float32))
    return frames


@pytest.mark.parametrize("changes", [{"output_dir": "file"}, {"json": "file/metrics.json"}])
def test_unwritable_output_ends_it_before_training(tmp_path, monkeypatch, changes):
    """The error comes first, naming the option and the path."""
    (tmp_path / "file").touch()
    monkeypatch.setattr(demo, "_train", refuse_training)
    paths = {"output_dir": tmp_path / "out", **{name: tmp_path / path for name, path in changes.items()}}
    option = f"--{next(iter(changes)).replace('_', '-')}"
    with pytest.raises(ValueError, match=rf"{option} {tmp_path / 'file'}: cannot write there"):
        demo.main(DemoCommand(**paths))


def test_minutes_must_be_positive(tmp_path, monkeypatch):
    """A training of no time is refused."""
    monkeypatch.setattr(demo, "_train", refuse_training)
    with pytest.raises(ValueError, match="--minutes needs to be positive"):
        demo.main(DemoCommand(output_dir=tmp_path, minutes=-1.0))


def test_video_shows_the_test_frames_then_the_driven_head(tmp_path, shown):
    """Eight frames of each, all of one size."""
    demo._write_video(tmp_path / "demo.mp4", shown, ["jawOpen", "eyeBlink"])
    assert len(imageio.v3.imread(tmp_path / "demo.mp4", plugin="FFMPEG")) == 16


def test_sheet_holds_truth_above_avatar_above_expressions(tmp_path, shown):
    """Two columns: first and last test frame, their renders, and each expression at its height."""
    demo._write_sheet(tmp_path / "sheet.png", shown, ["jawOpen", "eyeBlink"])
    sheet = np.array(Image.open(tmp_path / "sheet.png"))
    assert sheet.shape == (3 * (192 + 28), 2 * 192 + 4, 3)
    levels = sheet[[100, 320, 540]][:, [100, 300], 0]
    np.testing.assert_array_equal(levels, [[0, 140], [5, 145], [150, 10]])
