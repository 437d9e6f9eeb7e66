"""The written folder: layout, content, splits and determinism."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from nerface_ns.data.frame_json import read_frame_file
from nerface_ns.synthetic.demo_motion import camera_track, expression_track
from nerface_ns.synthetic.demo_sequence import DemoSequenceConfig, write_demo_sequence
from nerface_ns.synthetic.expressions import EXPRESSION_NAMES, eye_gaze

_TINY = DemoSequenceConfig(resolution=32, num_train=6, num_val=2, num_test=3, num_nvs=2, samples=2, mesh_density=0.4)
_COUNTS = {"train": 6, "val": 2, "test": 3, "nvs": 2}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A tiny sequence."""
    directory = tmp_path_factory.mktemp("demo")
    write_demo_sequence(directory, _TINY)
    return directory


def _yaw_deg(frame) -> float:
    """Angle between the camera's axis and straight ahead, about the vertical."""
    axis = frame.camera_to_world[:3, 2]
    return float(np.degrees(np.arctan2(axis[0], axis[2])))


@pytest.mark.parametrize("split", list(_COUNTS))
def test_every_frame_has_image_mask_and_record(folder, split):
    """Each record of a split names an image of the right size with a mask beside it."""
    content = read_frame_file(folder / f"transforms_{split}.json")
    assert len(content.frames) == _COUNTS[split] and content.expression_names == EXPRESSION_NAMES
    for frame in content.frames:
        name = Path(frame.file_path).name
        assert cv2.imread(str(folder / f"{frame.file_path}.png")).shape == (32, 32, 3)
        assert cv2.imread(str(folder / "masks" / split / f"{name}.png"), cv2.IMREAD_UNCHANGED).shape == (32, 32)


def test_records_hold_what_was_rendered(folder):
    """Poses are proper and about 0.5 away, expressions lie in [0, 1], gaze is what the eyeLook* say."""
    content = read_frame_file(folder / "transforms_train.json")
    assert (content.fx_px, content.fy_px, content.cx_fraction, content.cy_fraction) == (67.2, 67.2, 0.5, 0.5)
    for frame in content.frames:
        rotation = frame.camera_to_world[:3, :3]
        np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-9)
        assert np.linalg.det(rotation) > 0 and 0.4 < np.linalg.norm(frame.camera_to_world[:3, 3]) < 0.6
        assert frame.expression.min() >= 0 and frame.expression.max() <= 1
        np.testing.assert_allclose(frame.gaze, eye_gaze(frame.expression).mean(axis=0), atol=1e-6)
        assert set(frame.region_boxes) == {"mouth", "eyes"}


def test_images_are_the_head_over_the_background(folder):
    """Where the mask is 0 the image is the background photograph; the box holds every pixel of the mask."""
    backdrop = cv2.imread(str(folder / "bg" / "00050.png"))
    for frame in read_frame_file(folder / "transforms_test.json").frames:
        image = cv2.imread(str(folder / f"{frame.file_path}.png"))
        mask = cv2.imread(str(folder / "masks" / "test" / f"{Path(frame.file_path).name}.png"), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(image[mask == 0], backdrop[mask == 0])
        y0, y1, x0, x1 = np.round(frame.face_box * 32).astype(int)
        assert (mask[y0:y1, x0:x1] >= 128).sum() == (mask >= 128).sum() > 200
        assert ((mask > 0) & (mask < 255)).any()


def test_splits_follow_the_recorded_track(folder):
    """Frame numbers: train and val share the start of the track, test is its end; test expressions are not trained."""
    frames = {split: read_frame_file(folder / f"transforms_{split}.json").frames for split in _COUNTS}
    numbers = {split: [int(frame.file_path[-4:]) for frame in content] for split, content in frames.items()}
    assert sorted(numbers["train"] + numbers["val"]) == list(range(8)) and numbers["test"] == [8, 9, 10]
    trained = np.stack([frame.expression for frame in frames["train"]])
    for frame in frames["test"]:
        assert np.abs(trained - frame.expression).max(axis=1).min() > 1e-3


def test_novel_views_show_trained_expressions_from_further_aside(folder):
    """Each novel view has a training frame's expression and a larger yaw than any training camera."""
    train, nvs = (read_frame_file(folder / f"transforms_{split}.json").frames for split in ("train", "nvs"))
    for frame in nvs:
        assert min(np.abs(other.expression - frame.expression).max() for other in train) == 0.0
        assert abs(_yaw_deg(frame)) > max(abs(_yaw_deg(other)) for other in train) + 2.0


def test_same_seed_same_bytes(folder, tmp_path):
    """A second maker writes the same files, byte for byte."""
    write_demo_sequence(tmp_path, _TINY)
    written = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    assert len(written) == 2 * sum(_COUNTS.values()) + 5
    for path in written:
        assert (folder / path).read_bytes() == (tmp_path / path).read_bytes(), path


def test_tracks_differ_by_seed_and_use_every_dimension():
    """The default track moves every coefficient past 0.3 and the head to both sides; another seed moves otherwise."""
    track = expression_track(192, seed=0)
    assert (track[:168].max(axis=0) > 0.3).all() and track.min() >= 0 and track.max() <= 1
    assert np.abs(track - expression_track(192, seed=1)).max() > 0.3
    axis = camera_track(192, seed=0)[:, :3, 2]
    yaw_deg = np.degrees(np.arctan2(axis[:, 0], axis[:, 2]))
    assert yaw_deg.min() < -15 and yaw_deg.max() > 15 and np.abs(yaw_deg).max() < 32


@pytest.mark.parametrize("wrong", [{"resolution": 8}, {"num_train": 0}, {"samples": 0}, {"mesh_density": 9.0}])
def test_impossible_sizes_are_refused(wrong):
    """The config names the field and the value it got."""
    ((name, value),) = wrong.items()
    with pytest.raises(ValueError, match=f"{name} needs .* got {value}"):
        DemoSequenceConfig(**wrong)
