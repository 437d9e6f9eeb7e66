"""The preview: every image with all that was found drawn on it."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from nerface_ns.tracking.canonical_face import FACE_OVAL, LEFT_IRIS, RIGHT_IRIS
from nerface_ns.tracking.head_motion import project
from nerface_ns.tracking.head_track import HeadTrack
from nerface_ns.tracking.region_boxes import face_box, region_boxes

MAX_SIDE_PX = 512
AXIS_CM, GAZE_CM = 5.0, 6.0
"""Lengths of the drawn axes and gaze."""
RED, GREEN, BLUE, YELLOW, CYAN = (255, 60, 60), (60, 220, 60), (80, 120, 255), (255, 220, 0), (0, 230, 230)
OUTSIDE_DIM = 0.45
"""Brightness of what the matte leaves out."""


def draw_overlay(
    image: UInt8[np.ndarray, "height width 3"],
    track: HeadTrack,
    row: int,
    alpha: UInt8[np.ndarray, "height width"] | None,
) -> UInt8[np.ndarray, "height width 3"]:
    """Draw landmarks, fitted landmarks, head axes, gaze and boxes on an image; the background is dimmed."""
    picture = image.astype(np.float32)
    if alpha is not None:
        picture *= OUTSIDE_DIM + (1 - OUTSIDE_DIM) * alpha[..., None].astype(np.float32) / 255
    picture = np.ascontiguousarray(picture.astype(np.uint8))
    height = image.shape[0]

    def at(points: np.ndarray) -> np.ndarray:
        """(n, 1, 2) whole pixels."""
        return np.round(points[:, None, :2] - 0.5).clip(-4 * height, 5 * height).astype(np.int32)

    for region, color in (("face", YELLOW), ("mouth", CYAN), ("eyes", CYAN)):
        faces = track.landmarks_px[row : row + 1]
        box = face_box(faces, height) if region == "face" else region_boxes(faces, height)[region]
        y0, y1, x0, x1 = (box[0] * height).round().astype(int).tolist()
        cv2.rectangle(picture, (x0, y0), (x1, y1), color, 1)
    face = track.landmarks_px[row]
    cv2.polylines(picture, [at(face[list(FACE_OVAL)])], True, GREEN, 1, cv2.LINE_AA)
    fit = track.fit
    rotation, translation = fit.rotation[row : row + 1], fit.translation[row : row + 1]
    fitted = project(fit.shape, rotation, translation, fit.focal_px, track.center_px)[0]
    for x, y in at(fitted)[:, 0].tolist():
        cv2.circle(picture, (x, y), 1, RED, -1)
    origin = fit.shape.mean(axis=0)
    ends = np.concatenate([origin[None], origin + AXIS_CM * np.eye(3)])
    axes = at(project(ends, rotation, translation, fit.focal_px, track.center_px)[0])[:, 0].tolist()
    for end, color in zip(axes[1:], (RED, GREEN, BLUE)):
        cv2.line(picture, axes[0], end, color, 2, cv2.LINE_AA)
    pitch, yaw = track.gaze[row]
    gaze = GAZE_CM * np.array([np.cos(pitch) * np.sin(yaw), np.sin(pitch), np.cos(pitch) * np.cos(yaw)])
    way = project(np.stack([origin, origin + gaze]), rotation, translation, fit.focal_px, track.center_px)[0]
    for iris in (RIGHT_IRIS, LEFT_IRIS):
        start, end = at(np.stack([face[iris, :2], face[iris, :2] + way[1] - way[0]]))[:, 0].tolist()
        cv2.line(picture, start, end, CYAN, 1, cv2.LINE_AA)
    error = 512 / height * track.error_px[row]
    cv2.putText(picture, f"{int(track.ticks[row])}  {error:.1f} px", (4, 14), cv2.FONT_HERSHEY_PLAIN, 0.9, YELLOW, 1)
    return picture


def write_video(path: Path, frames: Iterable[UInt8[np.ndarray, "height width 3"]], frames_per_s: float) -> None:
    """Write an H.264 mp4 of even size, aside and renamed.

    Raises:
        ValueError: It cannot be written.
    """
    import av
    from av.error import FFmpegError

    partial = path.with_name(f"{path.stem}.part{path.suffix}")
    try:
        with av.open(str(partial), mode="w", format="mp4") as container:
            rate = Fraction(frames_per_s).limit_denominator(1001)
            stream = container.add_stream("libx264", rate=rate, options={"preset": "veryfast", "crf": "20"})
            stream.pix_fmt = "yuv420p"
            for index, image in enumerate(frames):
                if index == 0:
                    stream.height, stream.width = (side // 2 * 2 for side in image.shape[:2])
                even = np.ascontiguousarray(image[: stream.height, : stream.width])
                for packet in stream.encode(av.VideoFrame.from_ndarray(even, format="rgb24")):
                    container.mux(packet)
            for packet in stream.encode():
                container.mux(packet)
        partial.replace(path)
    except (OSError, FFmpegError) as error:
        partial.unlink(missing_ok=True)
        raise ValueError(f"{path}: cannot be written ({error})") from error
