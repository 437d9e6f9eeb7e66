"""The written dataset: which frame goes to which split, frame files and the track."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nerface_ns.data.frame_json import FrameFile, FrameRecord, write_frame_file
from nerface_ns.tracking.head_track import HeadTrack
from nerface_ns.tracking.region_boxes import face_box, region_boxes
from nerface_ns.tracks.even_timing import evenly_timed
from nerface_ns.tracks.expression_track import ExpressionTrack
from nerface_ns.tracks.track_file import write_track

SPLITS = ("train", "val", "test")
BACKGROUND_FILE = "bg/00050.png"
"""NerFace's name of the background photograph."""
SEEN_FILE = "background_seen.png"
"""White where the background was seen, black where it is made up."""


def split_of_frames(count: int, test_share: float, num_val: int) -> list[str]:
    """Split of every frame: the last ones for the test, some of the rest for validation; none is left empty."""
    num_test = min(max(1, round(test_share * count)), count - 2)
    rest = count - num_test
    num_val = min(num_val, max(1, rest // 4))
    spread = {int(place) for place in (np.arange(num_val) + 0.5) * rest / num_val}
    return ["test" if row >= rest else "val" if row in spread else "train" for row in range(count)]


def frame_name(tick: int) -> str:
    """File name of a frame, without suffix: its place on the clip's time scale."""
    return f"f_{tick:05d}"


def write_frame_files(root: Path, track: HeadTrack, splits: list[str]) -> None:
    """Write `transforms_<split>.json`, aside and renamed.

    Raises:
        ValueError: A file cannot be written.
    """
    size = track.crop.size_px
    boxes, regions = face_box(track.landmarks_px, size), region_boxes(track.landmarks_px, size)
    # The format's pixel (i, j) is the ray of nerfstudio's (i + 0.5, j + 0.5).
    center = (track.center_px - 0.5) / size
    for split in SPLITS:
        records = [
            FrameRecord(
                file_path=f"./{split}/{frame_name(int(track.ticks[row]))}",
                camera_to_world=track.camera_to_world[row],
                expression=track.expression[row].astype(np.float32),
                face_box=boxes[row],
                region_boxes={name: region[row] for name, region in regions.items()},
                gaze=track.gaze[row],
            )
            for row in range(len(track.ticks))
            if splits[row] == split
        ]
        frame_file = FrameFile(
            fx_px=track.fit.focal_px,
            fy_px=track.fit.focal_px,
            cx_fraction=float(center[0]),
            cy_fraction=float(center[1]),
            expression_names=track.names,
            frames=records,
            camera_angle_x=float(2 * np.arctan(size / (2 * track.fit.focal_px))),
        )
        path = root / f"transforms_{split}.json"
        partial = path.with_name(path.name + ".part")
        try:
            write_frame_file(partial, frame_file)
            partial.replace(path)
        except OSError as error:
            raise ValueError(f"{path}: cannot be written ({error.strerror}); choose another folder") from error


def write_expression_track(
    path: Path, track: HeadTrack, splits: list[str], video: Path, rate: float, start_s: float
) -> None:
    """Write the performance as a track of constant rate; frames that were dropped are filled in between.

    Raises:
        ValueError: The file cannot be written.
    """
    files = tuple(path.parent / split / f"{frame_name(int(tick))}.png" for split, tick in zip(splits, track.ticks))
    times_s = track.ticks / rate
    tracked = ExpressionTrack(
        frames_per_s=rate,
        names=track.names,
        expression=track.expression,
        camera_to_world=track.camera_to_world[:, :3],
        gaze=track.gaze,
        frame_files=files,
        video=video,
        video_start_s=start_s + float(times_s[0]),
        source=f"nerface-track {video.name}",
    )
    write_track(path, evenly_timed(tracked, times_s - times_s[0], video.name))
