import numpy as np
import pytest
from PIL import Image, ImageSequence

from nerface_ns.rendering.output_file import OutputFile


def frames(count=3, channels=3):
    pictures = np.zeros((count, 10, 12, channels), dtype=np.uint8)
    pictures[..., 0] = (40 * np.arange(count))[:, None, None]
    pictures[..., 3:] = 77
    return pictures


def test_folder_of_pictures(tmp_path):
    """Every frame comes back exactly, numbered from 0."""
    OutputFile(tmp_path / "clip").write(frames(), 25.0)
    files = sorted((tmp_path / "clip").iterdir())
    assert [file.name for file in files] == ["00000.png", "00001.png", "00002.png"]
    np.testing.assert_array_equal(np.stack([np.asarray(Image.open(file)) for file in files]), frames())
    assert [file.name for file in tmp_path.iterdir()] == ["clip"]


def test_pictures_with_alpha(tmp_path):
    """Transparent frames are RGBA files."""
    OutputFile(tmp_path / "clip", is_transparent=True).write(frames(channels=4), 25.0)
    assert np.asarray(Image.open(tmp_path / "clip" / "00001.png"))[0, 0].tolist() == [40, 0, 0, 77]


def test_a_second_render_takes_the_firsts_place(tmp_path):
    """A longer folder of before leaves no frames behind."""
    output = OutputFile(tmp_path / "clip")
    output.write(frames(5), 25.0)
    OutputFile(tmp_path / "clip").write(frames(2), 25.0)
    assert len(list((tmp_path / "clip").iterdir())) == 2


def test_folder_with_other_files_is_left_alone(tmp_path):
    """It might be anything that the user needs."""
    (tmp_path / "clip").mkdir()
    (tmp_path / "clip" / "thesis.txt").touch()
    with pytest.raises(ValueError, match=r"--output .*clip: holds other files \(thesis.txt\)"):
        OutputFile(tmp_path / "clip")


def test_failure_half_way_leaves_nothing_under_the_name(tmp_path):
    """Neither a short folder nor a short animation."""

    def broken():
        yield frames()[0]
        raise RuntimeError

    for name in ("clip", "clip.gif", "clip.mp4"):
        with pytest.raises(RuntimeError):
            OutputFile(tmp_path / name).write(broken(), 25.0)
        assert not (tmp_path / name).exists()


def test_animation_keeps_frames_and_duration(tmp_path):
    """30 frames a second do not divide into hundredths of a second; ten frames still last a third of one."""
    OutputFile(tmp_path / "clip.gif").write(frames(6), 30.0)
    animation = Image.open(tmp_path / "clip.gif")
    shown = [frame.convert("RGB").getpixel((5, 5))[0] for frame in ImageSequence.Iterator(animation)]
    lengths = [frame.info["duration"] for frame in ImageSequence.Iterator(animation)]
    np.testing.assert_allclose(shown, [0, 40, 80, 120, 160, 200], atol=2)
    assert sum(lengths) == 200 and set(lengths) == {30, 40}


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("clip.avi", {}, r"expected a name that ends in .mp4, .webm or .gif, or a folder .*, got .avi"),
        ("clip.mp4", {"is_transparent": True}, r".mp4 has no alpha; expected .webm or a folder"),
        ("clip.gif", {"is_transparent": True}, r".gif has no alpha"),
        ("clip.gif", {"constant_rate_factor": 3}, r"--crf 3: is about videos"),
        ("clip.mp4", {"constant_rate_factor": 52}, r"--crf 52: expected 0 \(best\) to 51"),
        ("clip.webm", {"constant_rate_factor": -1}, r"--crf -1: expected 0 \(best\) to 63"),
        ("file/clip.mp4", {}, r"--output .*file: cannot write there"),
        ("file", {}, r"--output .*file: expected a folder there or nothing"),
        ("folder.mp4", {}, r"--output .*folder.mp4: expected a file there or nothing"),
    ],
)
def test_what_cannot_be_written_is_refused(tmp_path, name, options, message):
    """Each before anything is rendered."""
    (tmp_path / "file").touch()
    (tmp_path / "folder.mp4").mkdir()
    with pytest.raises(ValueError, match=message):
        OutputFile(tmp_path / name, **options)
