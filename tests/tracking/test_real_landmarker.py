"""From a video to a checked dataset with MediaPipe itself; the other tests stand in for it."""

import cv2
import numpy as np
import pytest

from nerface_ns.checking.dataset_check import check_dataset, is_usable
from nerface_ns.data.dataparsers.nerface_dataparser import NeRFaceDataParserConfig
from nerface_ns.data.frame_json import read_frame_file
from nerface_ns.tracking.head_motion import CAMERA_FLIP, nearest_rotation, yaw_pitch_roll
from nerface_ns.tracking.preview_video import write_video
from nerface_ns.tracking.tracking_config import TrackingConfig
from nerface_ns.tracking.video_decoder import VideoClip
from nerface_ns.tracking.video_tracker import track_video

STEP = 7
"""Every so many of head_a's frames: 50 that turn to all sides."""


def head_turns(frames) -> np.ndarray:
    """(n, 3, 3) from head to camera."""
    poses = np.stack([frame.camera_to_world for frame in frames])
    return (poses[:, :3, :3] * CAMERA_FLIP).transpose(0, 2, 1)


def test_reference_head(shared_data, tmp_path):
    pytest.importorskip("mediapipe", reason="MediaPipe is not installed: nerface-ns[track]")
    data = shared_data / "head_a"
    truth = read_frame_file(data / "transforms_train.json").frames[::STEP]
    images = (cv2.imread(str(data / f"{frame.file_path}.png"))[..., ::-1] for frame in truth)
    write_video(tmp_path / "head.mp4", (np.ascontiguousarray(image) for image in images), 5.0)
    config = TrackingConfig(landmarker=shared_data / "models" / "face_landmarker.task", preview=False)
    facts = track_video(VideoClip(tmp_path / "head.mp4"), tmp_path / "out", config, lambda *_: None)
    assert facts["frames_tracked"] == len(truth) and facts["median_reprojection_px"] < 2.5

    found = [
        frame
        for split in ("train", "val", "test")
        for frame in read_frame_file(tmp_path / "out" / f"transforms_{split}.json").frames
    ]
    found.sort(key=lambda frame: frame.file_path[-5:])
    turns, true_turns = head_turns(found), head_turns(truth)
    alignment = nearest_rotation((turns.transpose(0, 2, 1) @ true_turns).mean(axis=0))
    error = yaw_pitch_roll(turns @ alignment) - yaw_pitch_roll(true_turns)
    assert np.rad2deg(np.sqrt((error**2).mean(axis=0))).max() < 3

    findings = check_dataset(NeRFaceDataParserConfig(data=tmp_path / "out").setup())
    assert is_usable(findings), [finding for finding in findings if finding.status == "fail"]
