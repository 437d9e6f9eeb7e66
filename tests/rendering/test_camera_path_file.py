import json
import math

import pytest
import torch

from nerface_ns.rendering.camera_path_file import read_camera_path

MATRIX = [1, 0, 0, 0.25, 0, 1, 0, 0, 0, 0, 1, 2, 0, 0, 0, 1]


def content(**changes):
    frames = [{"camera_to_world": MATRIX, "fov": 90, "aspect": 1.5, "render_time": time} for time in (0, 0.5, 1.0)]
    head = {"camera_type": "perspective", "render_height": 20, "render_width": 30, "seconds": 1.5, "fps": 2}
    return {**head, "camera_path": frames, **changes}


def with_frame(**changes):
    """A path whose second frame differs."""
    whole = content()
    whole["camera_path"][1].update(changes)
    return whole


def crop_of(**changes):
    """A crop of whole numbers."""
    box = {"crop_center": [0, 0, 1], "crop_scale": [2, 2, 2], "crop_bg_color": {"r": 255, "g": 0, "b": 51}}
    return {**box, **changes}


def write(tmp_path, what):
    path = tmp_path / "path.json"
    path.write_text(what if isinstance(what, str) else json.dumps(what))
    return path


def test_path_of_the_viewer(tmp_path):
    """Poses, times, a focal length of half the height at 90 degrees, and the rate that lasts as long as it says."""
    path = read_camera_path(write(tmp_path, content()))
    assert len(path.cameras) == 3 and path.frames_per_s == 2.0 and path.crop is None
    torch.testing.assert_close(path.cameras.times.flatten(), torch.tensor([0.0, 0.5, 1.0]))
    torch.testing.assert_close(path.cameras.camera_to_worlds[1], torch.tensor(MATRIX).float().view(4, 4)[:3])
    torch.testing.assert_close(path.cameras.fx, torch.full((3, 1), 10.0))
    assert path.cameras.height.unique().tolist() == [20] and path.cameras.width.unique().tolist() == [30]


def test_path_without_times(tmp_path):
    """The viewer leaves render_time out where the data have no time."""
    frames = [{"camera_to_world": MATRIX, "fov": 30.5}] * 2
    assert read_camera_path(write(tmp_path, content(camera_path=frames))).cameras.times is None


def test_crop_of_the_viewer(tmp_path):
    """The box and the colour around it."""
    path = read_camera_path(write(tmp_path, content(crop=crop_of())))
    torch.testing.assert_close(path.crop.T, torch.tensor([0.0, 0.0, 1.0]))
    assert path.backdrop.colour == pytest.approx((1.0, 0.0, 0.2))


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("{", "expected a camera path in JSON"),
        ("[]", "expected a camera path with a list under camera_path"),
        (content(camera_path={}), "expected a camera path with a list under camera_path"),
        (content(camera_path=[]), "camera_path: expected at least one frame, got none"),
        (content(camera_path=[3]), "camera_path frame 0: expected camera_to_world and fov, got 3"),
        (content(render_height="20"), "render_height: expected a number of pixels, got '20'"),
        (content(render_width=0), "render_width: expected a number of pixels, got 0"),
        (content(camera_type="VR180"), "camera_type VR180: expected one picture a frame; ns-render"),
        (content(camera_type=4), "camera_type: expected a name, got 4"),
        (content(seconds=0), "seconds: expected a positive duration, got 0"),
        (content(seconds=None, fps=0), "fps: expected a positive rate, or seconds, got 0"),
        (content(seconds=None, fps=None), "fps: expected a positive rate, or seconds, got None"),
        (content(expression_track=7), "expression_track: expected a file name, got 7"),
        (content(crop={"crop_center": [0, 0]}), "crop: expected crop_center, crop_scale, crop_rot"),
        (content(crop=3), "crop: expected crop_center, crop_scale, crop_rot .*, got 3"),
        (content(crop=crop_of(crop_scale=[1, 2])), r"crop: .* got \[1, 2\]"),
        (content(crop=crop_of(crop_rot=[0, 0, math.nan])), r"crop: .* got \[0, 0, nan\]"),
        (with_frame(camera_to_world=MATRIX[:12]), "frame 1: camera_to_world: expected 16 finite numbers"),
        (with_frame(camera_to_world=[math.nan, *MATRIX[1:]]), "frame 1: camera_to_world: expected 16 finite numbers"),
        (with_frame(camera_to_world=None), "frame 1: camera_to_world: expected 16 finite numbers, got None"),
        (with_frame(fov=180), "frame 1: fov: expected degrees between 0 and 180, got 180"),
        (with_frame(fov=None), "frame 1: fov: expected degrees between 0 and 180, got None"),
        (with_frame(render_time=math.inf), "frame 1: render_time: expected a finite number, got inf"),
    ],
)
def test_what_is_malformed_is_named(tmp_path, what, message):
    """The error names the file, the frame, what was expected and what came."""
    with pytest.raises(ValueError, match=rf"path.json: .*{message}"):
        read_camera_path(write(tmp_path, what))


def test_frame_without_its_time(tmp_path):
    """Times of some frames only would be dropped without a word."""
    whole = content()
    del whole["camera_path"][2]["render_time"]
    with pytest.raises(ValueError, match="camera_path frame 2: expected a render_time as other frames"):
        read_camera_path(write(tmp_path, whole))


def test_missing_file(tmp_path):
    """The error names it."""
    with pytest.raises(FileNotFoundError, match=r"path\.json: no such camera path"):
        read_camera_path(tmp_path / "path.json")


def test_track_that_the_panel_attached(tmp_path):
    """Relative to the camera path's folder, or as an absolute path."""
    path = read_camera_path(write(tmp_path, content(expression_track="talk.json")))
    assert path.track_file == tmp_path / "talk.json"
    assert read_camera_path(write(tmp_path, content(expression_track="/far/talk.json"))).track_file.is_absolute()
    assert read_camera_path(write(tmp_path, content())).track_file is None
