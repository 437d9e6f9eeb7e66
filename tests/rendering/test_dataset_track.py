from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from nerfstudio.cameras.cameras import Cameras

from nerface_ns.data.frame_json import FrameFile, FrameRecord, read_frame_file, write_frame_file
from nerface_ns.rendering.dataset_track import dataset_track, outputs_track, run_track


def write_face(root: Path) -> Path:
    """NerFace's format: frames 0..8, of which 3 and 6 are validation and 7 and 8 test; pictures are empty files."""
    for split, numbers in {"train": [0, 1, 2, 4, 5], "val": [3, 6], "test": [7, 8]}.items():
        (root / split).mkdir(parents=True)
        frames = []
        for number in numbers:
            pose = np.eye(4)
            pose[:3, 3] = 0.01 * number, 0.0, 0.5
            frames.append(
                FrameRecord(
                    file_path=f"./{split}/f_{number:04d}",
                    camera_to_world=pose,
                    expression=np.array([number / 7, -0.5], dtype=np.float32),
                    gaze=np.array([0.1, 0.01 * number]),
                )
            )
            write_picture(root / split / f"f_{number:04d}.png")
        names = ("jawOpen", "smile")
        write_frame_file(root / f"transforms_{split}.json", FrameFile(60.0, 60.0, 0.5, 0.5, names, frames))
    return root


def write_picture(path: Path) -> None:
    from PIL import Image

    Image.new("RGB", (16, 12)).save(path)


@pytest.fixture
def face(tmp_path):
    return write_face(tmp_path / "subject")


def test_whole_recording_in_its_order(face):
    track = dataset_track(face, "nerface-data", "all", 30.0)
    assert track.frames_per_s == 30.0 and track.names == ("jawOpen", "smile")
    np.testing.assert_array_equal(track.expression[:, 0], (np.arange(9) / 7).astype(np.float32))
    np.testing.assert_allclose(track.camera_to_world[:, 0, 3], 0.01 * np.arange(9), atol=1e-7)
    np.testing.assert_allclose(track.gaze, [[0.1, 0.01 * number] for number in range(9)], atol=1e-7)
    assert [path.name for path in track.frame_files] == [f"f_{number:04d}.png" for number in range(9)]
    assert track.source == "subject, all"


def test_one_split(face):
    track = dataset_track(face, "nerface-data", "test")
    np.testing.assert_array_equal(track.expression[:, 0], (np.array([7, 8]) / 7).astype(np.float32))
    assert track.frames_per_s == 25.0


def test_names_that_say_nothing_are_left_out(face):
    for path in face.glob("transforms_*.json"):
        content = read_frame_file(path)
        content.expression_names = None
        write_frame_file(path, content)
    assert dataset_track(face, "nerface-data", "test").names == ()


def test_frames_in_two_splits_are_taken_once(face):
    """Without a validation file its split is the training frames again."""
    outputs = [make_outputs([0, 1]), make_outputs([0, 1]), make_outputs([2])]
    track = outputs_track(outputs, 25.0, "test")
    np.testing.assert_array_equal(track.expression[:, 0], [0, 1, 2])


def test_outputs_without_times_stay_in_order():
    track = outputs_track([make_outputs([4, 2], times=None), make_outputs([3], times=None)], 25.0, "test")
    np.testing.assert_array_equal(track.expression[:, 0], [4, 2, 3])


def make_outputs(numbers: list[int], times: str | None = "own", expression: bool = True) -> SimpleNamespace:
    rows = torch.tensor(numbers)[:, None].float()
    cameras = Cameras(
        camera_to_worlds=torch.eye(4)[None, :3].repeat(len(numbers), 1, 1),
        fx=10.0,
        fy=10.0,
        cx=4.0,
        cy=4.0,
        times=None if times is None else rows / 10,
        metadata={"expression": rows} if expression else None,
    )
    files = [Path(f"f_{number:04d}.png") for number in numbers]
    return SimpleNamespace(cameras=cameras, image_filenames=files, metadata={})


def test_dataparsers_without_expressions():
    with pytest.raises(ValueError, match="blender, test: expected a dataparser that gives an expression"):
        outputs_track([make_outputs([1], expression=False)], 25.0, "blender, test")


def test_unknown_names_are_told(face):
    with pytest.raises(ValueError, match="--dataparser 'other' is not registered; expected one of"):
        dataset_track(face, "other")
    with pytest.raises(ValueError, match=r"expected split among .*, got 'nvs'"):
        dataset_track(face, "nerface-data", "nvs")
    with pytest.raises(FileNotFoundError, match="nowhere: expected a dataset here, found none"):
        dataset_track(face / "nowhere", "nerface-data")


def test_run_knows_its_dataset(face, tmp_path):
    """From the config alone: there is no checkpoint."""
    import yaml

    from nerface_ns.data.dataparsers.nerface_dataparser import NeRFaceDataParserConfig

    parser_config = NeRFaceDataParserConfig(data=Path("moved"))
    datamanager = SimpleNamespace(dataparser=parser_config, data=face)
    config = SimpleNamespace(pipeline=SimpleNamespace(datamanager=datamanager))
    (tmp_path / "config.yml").write_text(yaml.dump(config))
    assert len(run_track(tmp_path / "config.yml", "train")) == 5


@pytest.mark.parametrize("text", ["a: 1", "- 1", "{", "!!python/object:no.such.Class {}"])
def test_other_files_are_no_runs(tmp_path, text):
    (tmp_path / "config.yml").write_text(text)
    with pytest.raises(ValueError, match=r"config.yml: expected the config.yml of a training run"):
        run_track(tmp_path / "config.yml")


def test_missing_run_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"config.yml: no such file; expected the config.yml of a training run"):
        run_track(tmp_path / "config.yml")


def test_head_a_through_the_file_is_head_a(shared_data, tmp_path):
    """What a renderer gets of the test split is what the dataparser gives, bit by bit in float32."""
    from nerface_ns.data.dataparsers.nerface_dataparser import NeRFaceDataParserConfig
    from nerface_ns.tracks.track_file import read_track, write_track

    write_track(tmp_path / "track.json", dataset_track(shared_data / "head_a", "nerface-data", "test"))
    track = read_track(tmp_path / "track.json")
    parser = NeRFaceDataParserConfig(data=shared_data / "head_a").setup()
    cameras = parser.get_dataparser_outputs("test").cameras
    np.testing.assert_array_equal(track.expression.astype(np.float32), cameras.metadata["expression"].numpy())
    np.testing.assert_array_equal(track.camera_to_world.astype(np.float32), cameras.camera_to_worlds.numpy())
    np.testing.assert_array_equal(track.gaze.astype(np.float32), cameras.metadata["gaze"].numpy())
    assert track.names == parser.sequence.expression_names
    assert all(path.is_file() for path in track.frame_files)
