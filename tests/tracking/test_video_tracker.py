"""The whole way from a video to a dataset, on a head whose truth is known; the landmark network is stood in for."""

import json
import subprocess
from copy import copy
from pathlib import Path
from typing import Any

import av
import imageio_ffmpeg
import numpy as np
import pytest
from synthetic_head import (
    NAMES,
    TruthFinder,
    canonical_points,
    draw_frame,
    gaze_directions,
    head_motion,
    seen_landmarks,
    write_bundle,
    write_head_video,
)

from nerface_ns.data.dataparsers.nerface_dataparser import NeRFaceDataParserConfig
from nerface_ns.data.frame_json import read_frame_file
from nerface_ns.tracking import found_landmarks
from nerface_ns.tracking.bundle_adjustment import BundleAdjustmentConfig
from nerface_ns.tracking.head_motion import camera_to_head
from nerface_ns.tracking.preview_video import write_video
from nerface_ns.tracking.tracking_config import TrackingConfig
from nerface_ns.tracking.video_decoder import VideoClip
from nerface_ns.tracking.video_tracker import track_video
from nerface_ns.tracks.track_file import read_track

SIZE, COUNT, FOCAL_PX = 160, 24, 340.0


def silent(stage: str, done: int, total: int | None) -> None:
    pass


class Scene:
    """A video, its truth and a model file."""

    def __init__(self, root: Path, count: int = COUNT, missing: tuple[int, ...] = ()) -> None:
        self.rotation, self.translation = head_motion(count)
        self.gaze = gaze_directions(count)
        center = np.array([SIZE / 2, SIZE / 2])
        seen = seen_landmarks(canonical_points(), self.gaze, self.rotation, self.translation, FOCAL_PX, center)
        self.faces: list[Any] = [seen[number : number + 1] for number in range(count)]
        for number in missing:
            self.faces[number] = seen[:0]
        shown = [None if number in missing else seen[number] for number in range(count)]
        self.clip = VideoClip(write_head_video(root / "head.mp4", shown, SIZE))
        self.model = write_bundle(root / "face.task", canonical_points())

    @classmethod
    def of(cls, other: "Scene", clip: VideoClip) -> "Scene":
        """The same head in another video."""
        scene = copy(other)
        scene.clip = clip
        return scene

    def track(
        self, output_dir: Path, fail_at: int | None = None, finder: Any = None, **settings: Any
    ) -> dict[str, Any]:
        finder = finder or TruthFinder(self.faces, fail_at)
        # Fitting the focal length has tests of its own.
        settings = {"bundle_adjustment": BundleAdjustmentConfig(focal_px=FOCAL_PX), "num_val": 2, **settings}
        config = TrackingConfig(landmarker=self.model, **settings)
        return track_video(self.clip, output_dir, config, silent, lambda model: finder)


@pytest.fixture(scope="module")
def scene(tmp_path_factory) -> Scene:
    return Scene(tmp_path_factory.mktemp("scene"))


@pytest.fixture(scope="module")
def dataset(scene, tmp_path_factory) -> tuple[Path, dict[str, Any]]:
    root = tmp_path_factory.mktemp("tracked")
    return root, scene.track(root)


def test_figures(dataset):
    _, facts = dataset
    assert facts["frames_total"] == facts["frames_tracked"] == COUNT
    assert facts["median_reprojection_px"] < 0.5
    assert facts["focal_px"] == pytest.approx(FOCAL_PX, rel=1e-6)
    assert facts["frames_per_s"] > 0
    assert any("only 24 frames" in note for note in facts["warnings"])


def test_dataparser_reads_the_true_cameras_back(dataset, scene):
    """Through NerFace's mirrored file to nerfstudio's cameras: poses, focal length, gaze and conditions."""
    root, _ = dataset
    parser = NeRFaceDataParserConfig(data=root).setup()
    scale = 0.5 / np.median(np.linalg.norm(scene.translation, axis=1))
    truth = camera_to_head(scene.rotation, scene.translation, scale)
    gone = 0
    for split in ("train", "val", "test"):
        outputs = parser.get_dataparser_outputs(split)
        rows = [int(Path(name).stem[2:]) for name in outputs.metadata["frame_names"]]
        poses = outputs.cameras.camera_to_worlds.numpy()
        np.testing.assert_allclose(poses, truth[rows, :3], atol=0.01)
        np.testing.assert_allclose(outputs.cameras.fx.numpy(), FOCAL_PX, rtol=1e-5)
        np.testing.assert_allclose(outputs.cameras.cx.numpy(), SIZE / 2, atol=1e-3)
        gaze = outputs.cameras.metadata["gaze"].numpy()
        assert np.abs(gaze - scene.gaze[rows]).max() < np.deg2rad(6)
        jaw = outputs.cameras.metadata["expression"].numpy()[:, NAMES.index("jawOpen")]
        np.testing.assert_allclose(jaw, np.array(rows) / 40, atol=1e-6)
        assert set(outputs.metadata["region_boxes"]) == {"mouth", "eyes"}
        assert len(outputs.metadata["alpha_filenames"]) == len(rows)
        gone += len(rows)
    assert gone == COUNT
    assert outputs.metadata["expression_names"] == NAMES


def test_all_files_are_there(dataset):
    root, _ = dataset
    for name in ("preview.mp4", "report.md", "report/pose.png", "bg/00050.png", "background_seen.png", "track.json"):
        assert (root / name).is_file(), name
    assert not list(root.rglob("*.part*"))
    track = read_track(root / "track.json")
    assert len(track) == COUNT and track.frames_per_s == 25 and track.names == NAMES
    assert all(path.is_file() for path in track.frame_files or ())
    table = np.genfromtxt(root / "report" / "frames.csv", delimiter=",", names=True, dtype=None, encoding="utf-8")
    np.testing.assert_array_equal(table["frame"], range(COUNT))
    assert table["reprojection_px"].max() < 2 and (table["split"] == "val").sum() == 2
    report = (root / "report.md").read_text()
    assert "only 24 frames" in report and "![Turn of the head](report/pose.png)" in report


def snapshot(root: Path) -> dict[str, bytes]:
    """Content of what makes the dataset."""
    files = [*root.glob("transforms_*.json"), *root.rglob("*.png")]
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


def test_interrupted_run_goes_on_and_ends_alike(dataset, scene, tmp_path, monkeypatch):
    """Pieces of landmarks that were stored are not found again, and the result is the same to the byte."""
    monkeypatch.setattr(found_landmarks, "PIECE_FRAMES", 10)
    with pytest.raises(KeyboardInterrupt):
        scene.track(tmp_path, fail_at=13)
    finder = TruthFinder(scene.faces)
    scene.track(tmp_path, finder=finder)
    assert finder.calls == COUNT - 10
    assert snapshot(tmp_path) == snapshot(dataset[0])


def test_second_run_finds_nothing_anew(dataset, scene):
    root, _ = dataset
    before = snapshot(root)
    times = {path: path.stat().st_mtime_ns for path in (root / "train").iterdir()}
    finder = TruthFinder(scene.faces)
    scene.track(root, finder=finder)
    assert finder.calls == 0
    assert snapshot(root) == before
    assert {path: path.stat().st_mtime_ns for path in (root / "train").iterdir()} == times


def test_other_splits_move_the_pictures(scene, tmp_path):
    scene.track(tmp_path, matte=False, preview=False)
    scene.track(tmp_path, matte=False, preview=False, test_share=0.5)
    test = read_frame_file(tmp_path / "transforms_test.json").frames
    assert len(test) == 12
    assert sorted(path.stem for path in (tmp_path / "test").iterdir()) == [Path(frame.file_path).name for frame in test]
    assert len(list((tmp_path / "train").iterdir())) == len(read_frame_file(tmp_path / "transforms_train.json").frames)


def test_frames_without_a_face_are_dropped_and_reported(tmp_path):
    scene = Scene(tmp_path, missing=(3, 4, 9))
    facts = scene.track(tmp_path / "out", matte=False, preview=False)
    assert facts["frames_tracked"] == COUNT - 3
    assert facts["frames_dropped"] == {"no face": 3}
    assert "no face: frames 3-4, 9" in (tmp_path / "out" / "report.md").read_text()
    # The track keeps the time: the gaps are filled.
    assert len(read_track(tmp_path / "out" / "track.json")) == COUNT


def test_jump_is_dropped(tmp_path):
    scene = Scene(tmp_path)
    scene.faces[8] = scene.faces[8] + np.array([70.0, 0, 0])
    facts = scene.track(tmp_path / "out", matte=False, preview=False)
    assert facts["frames_dropped"] == {"jump": 1}


def test_nobody_is_an_error(tmp_path):
    scene = Scene(tmp_path, count=5, missing=tuple(range(5)))
    with pytest.raises(ValueError, match=r"head\.mp4: no face was found in any of 5 frames"):
        scene.track(tmp_path / "out")


def test_two_faces(tmp_path):
    """The larger one by default, an error on request."""
    scene = Scene(tmp_path)
    small = [0.4 * face + np.array([110.0, 10, 0]) for face in scene.faces]
    both = [np.concatenate([other, face]) for other, face in zip(small, scene.faces)]
    facts = scene.track(tmp_path / "a", finder=TruthFinder(both), matte=False, preview=False)
    assert facts["frames_with_several_faces"] == COUNT and facts["median_reprojection_px"] < 0.5
    with pytest.raises(ValueError, match="expected one face, got 2"):
        scene.track(tmp_path / "b", finder=TruthFinder(both), faces="error")


def test_three_frames_make_a_dataset(tmp_path):
    scene = Scene(tmp_path, count=3)
    scene.track(tmp_path / "out")
    counts = [
        len(read_frame_file(tmp_path / "out" / f"transforms_{split}.json").frames) for split in ("train", "val", "test")
    ]
    assert counts == [1, 1, 1]
    with pytest.raises(ValueError, match="expected at least 3 frames with a face, got 2 of 2"):
        Scene(tmp_path, count=2).track(tmp_path / "short")


def test_recording_held_upright(scene, tmp_path):
    """A phone stores it lying, with a note how to turn it: the same dataset comes out."""
    frames = [np.rot90(draw_frame(number, face[0], SIZE)) for number, face in enumerate(scene.faces)]
    write_video(tmp_path / "lying.mp4", frames, 25.0)
    turned = tmp_path / "turned.mp4"
    ffmpeg = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-display_rotation", "-90"]
    subprocess.run([*ffmpeg, "-i", str(tmp_path / "lying.mp4"), "-c", "copy", str(turned)], check=True)
    other = Scene.of(scene, VideoClip(turned))
    upright = scene.track(tmp_path / "upright", matte=False, preview=False)
    lying = other.track(tmp_path / "lying", matte=False, preview=False)
    assert lying["median_reprojection_px"] == upright["median_reprojection_px"]
    poses = [read_frame_file(tmp_path / name / "transforms_train.json").frames[3] for name in ("upright", "lying")]
    np.testing.assert_array_equal(poses[0].camera_to_world, poses[1].camera_to_world)


def test_frames_of_odd_size(scene, tmp_path):
    """One row and three columns more than the even frames: the crop is inside, and the head's middle stays its own."""
    with av.open(str(tmp_path / "odd.mkv"), mode="w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = SIZE + 3, SIZE + 1, "bgr0"
        for number, face in enumerate(scene.faces[:8]):
            image = np.pad(draw_frame(number, face[0], SIZE), ((0, 1), (0, 3), (0, 0)), mode="edge")
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    facts = Scene.of(scene, VideoClip(tmp_path / "odd.mkv")).track(tmp_path / "out", preview=False)
    assert facts["frames_tracked"] == 8 and facts["image_size_px"] % 2 == 0
    parser = NeRFaceDataParserConfig(data=tmp_path / "out").setup()
    cameras = parser.get_dataparser_outputs("train").cameras
    assert int(cameras.width[0]) == int(cameras.height[0]) == facts["image_size_px"]


def test_full_disk_is_one_clear_error_and_can_go_on(scene, tmp_path, monkeypatch):
    write = Path.write_bytes

    def full(self: Path, content: Any) -> int:
        if "f_00005" in self.name:
            write(self, content[:10])
            raise OSError(28, "No space left on device")
        return write(self, content)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(ValueError, match=r"f_00005.png: cannot be written \(No space left on device\)"):
        scene.track(tmp_path, matte=False, preview=False)
    assert not list(tmp_path.rglob("*.part"))
    monkeypatch.setattr(Path, "write_bytes", write)
    scene.track(tmp_path, matte=False, preview=False)
    assert json.loads((tmp_path / "transforms_train.json").read_text())["frames"]


def test_damaged_store_is_made_anew(scene, tmp_path):
    scene.track(tmp_path, matte=False, preview=False)
    (tmp_path / ".tracking" / "landmarks.npz").write_bytes(b"damaged")
    finder = TruthFinder(scene.faces)
    scene.track(tmp_path, finder=finder, matte=False, preview=False)
    assert finder.calls == COUNT


def test_settings_are_checked():
    for settings in ({"size": 8}, {"test_share": 0.0}, {"num_val": 0}):
        with pytest.raises(ValueError, match="expected"):
            TrackingConfig(**settings)
