"""Where a fit may start: training frames whose face, somewhere in the photograph at some size, resembles it most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from nerface_ns.fitting.photo import Photo
from nerface_ns.model_components.camera_refinement import HEAD_RADIUS
from nerface_ns.rendering.render_subject import RenderSubject
from nerface_ns.rendering.training_cameras import rotation_angle_deg

MAX_FRAMES = 200
"""Training frames that are looked at, evenly spread."""
THUMB_PX = 48
"""Shorter side of a training image when faces are compared."""
LEAST_TEMPLATE_PX = 8
"""Smaller faces are compared at this size."""
SCALES = (1.0, 0.87, 1.15, 0.75, 1.33, 0.57, 1.75, 0.43, 2.3)
"""Sizes of the face in the photograph, seen angles over those of the training frame."""
SCALE_PENALTY = 0.03
"""Correlation that a size has to be better by, per factor of e, than that of the recording."""
BOX_SHARE = 0.8
"""Share of a face box's height and width that is compared."""
FACE_SHARE = 0.6
"""Half side of the part that is compared where the data have no face boxes, in head radii."""
APART_DEG = 5.0
"""Starts are turned against each other by at least so much."""


@dataclass(frozen=True)
class Start:
    """A training frame, moved to where its face resembles the photograph's."""

    frame: int
    """The training frame."""
    pose: Float[Tensor, "3 4"]
    """Camera to world."""
    correlation: float
    """Correlation of the two pictures of the face, at most 1."""


def find_starts(subject: RenderSubject, photo: Photo, camera: Any, count: int) -> list[Start]:
    """Return the most promising starts, the best first.

    Args:
        subject: The person; their training images are read.
        photo: The photograph.
        camera: Its camera (a `Cameras` of one), of its size.
        count: How many to return at most.
    """
    import cv2

    dataset = subject.pipeline.datamanager.train_dataset
    own = subject.own_camera
    thumb_scale = THUMB_PX / min(int(own.height[0]), int(own.width[0]))
    focal_px = float(own.fy[0]) * thumb_scale
    pictures = _scaled_photos(photo, float(camera.fy[0]), focal_px)
    frames = np.unique(np.linspace(0, len(subject.train_expression) - 1, MAX_FRAMES).round().astype(int))
    found = []
    for frame in frames.tolist():
        image = dataset.get_data(int(subject.frames[frame]))["image"][..., :3].numpy()
        height, width = image.shape[:2]
        thumb = cv2.resize(
            image, (round(width * thumb_scale), round(height * thumb_scale)), interpolation=cv2.INTER_AREA
        )
        box = _face_box(subject, dataset, frame)
        y0, y1, x0, x1 = _whole_pixels(box, thumb.shape[:2])
        template = np.ascontiguousarray(thumb[y0:y1, x0:x1], dtype=np.float32)
        best = max((_match(picture, template, scale) for scale, picture in pictures.items()), default=None)
        if best is None or not np.isfinite(best[0]):
            continue
        score, scale, row, column = best
        middle = ((y0 + y1) / 2 / thumb.shape[0], (x0 + x1) / 2 / thumb.shape[1])
        place = row / pictures[scale].rows, column / pictures[scale].columns
        found.append(Start(frame, _moved(subject, camera, frame, middle, place, scale), score))
    found.sort(key=lambda start: -start.correlation)
    return _apart(found, count)


@dataclass(frozen=True)
class _ScaledPhoto:
    padded: np.ndarray
    pad: int
    rows: int
    columns: int


def _scaled_photos(photo: Photo, photo_focal_px: float, focal_px: float) -> dict[float, _ScaledPhoto]:
    """The photograph so small that a face of each size is as large as in a thumbnail, with edges all round."""
    import cv2

    image = photo.image.numpy()
    if photo.alpha is not None:
        alpha = photo.alpha.numpy()[..., None]
        image = alpha * image + (1 - alpha) * 0.5
    height, width = photo.size
    pictures = {}
    for scale in SCALES:
        factor = focal_px / (scale * photo_focal_px)
        rows, columns = round(height * factor), round(width * factor)
        if min(rows, columns) < LEAST_TEMPLATE_PX or max(rows, columns) > 8 * THUMB_PX:
            continue
        small = cv2.resize(image, (columns, rows), interpolation=cv2.INTER_AREA)
        pad = THUMB_PX // 4
        padded = cv2.copyMakeBorder(small, pad, pad, pad, pad, cv2.BORDER_REPLICATE)
        pictures[scale] = _ScaledPhoto(padded.astype(np.float32), pad, rows, columns)
    return pictures


def _match(picture: _ScaledPhoto, template: np.ndarray, scale: float) -> tuple[float, float, float, float]:
    """Best correlation of a face with a photograph, the size, and row and column of the face's middle."""
    import cv2

    if template.shape[0] > picture.padded.shape[0] or template.shape[1] > picture.padded.shape[1]:
        return -1.0, scale, 0.0, 0.0
    scores = cv2.matchTemplate(picture.padded, template, cv2.TM_CCOEFF_NORMED)
    # Over a part of one colour there is no correlation; OpenCV then says 1 or infinity.
    scores = np.where(np.isfinite(scores) & (scores < 1 - 1e-6), scores, -1.0)
    row, column = np.unravel_index(int(scores.argmax()), scores.shape)
    middle = [float(row) + template.shape[0] / 2 - picture.pad, float(column) + template.shape[1] / 2 - picture.pad]
    return float(scores[row, column]) - SCALE_PENALTY * abs(float(np.log(scale))), scale, middle[0], middle[1]


def _face_box(subject: RenderSubject, dataset: Any, frame: int) -> tuple[float, float, float, float]:
    """Upper, lower, left and right edge of a training frame's face, as shares of the image."""
    boxes = dataset.metadata.get("face_boxes") if getattr(dataset, "metadata", None) else None
    if boxes is not None:
        box = torch.as_tensor(boxes[int(subject.frames[frame])]).double()
        if bool(torch.isfinite(box).all()):
            return _inner(box.tolist())
    camera: Any = subject.cameras[frame : frame + 1]
    head = head_before(camera.camera_to_worlds[0], subject.pivot)
    row = float(camera.cy[0] - camera.fy[0] * head[1] / -head[2]) / int(camera.height[0])
    column = float(camera.cx[0] + camera.fx[0] * head[0] / -head[2]) / int(camera.width[0])
    down = FACE_SHARE * HEAD_RADIUS * float(camera.fy[0]) / int(camera.height[0])
    across = FACE_SHARE * HEAD_RADIUS * float(camera.fx[0]) / int(camera.width[0])
    return row - down, row + down, column - across, column + across


def _inner(box: Sequence[float]) -> tuple[float, float, float, float]:
    """The part of a box in which there is hardly any background."""
    cut = [(1 - BOX_SHARE) / 2 * (box[high] - box[high - 1]) for high in (1, 3)]
    return box[0] + cut[0], box[1] - cut[0], box[2] + cut[1], box[3] - cut[1]


def _whole_pixels(box: tuple[float, float, float, float], size: Sequence[int]) -> tuple[int, int, int, int]:
    """A box in pixels, within the picture and of a size that can be compared."""
    edges = []
    for low, high, length in ((box[0], box[1], size[0]), (box[2], box[3], size[1])):
        wanted = min(max(round((high - low) * length), LEAST_TEMPLATE_PX), length)
        start = min(max(round((low + high) / 2 * length - wanted / 2), 0), length - wanted)
        edges += [start, start + wanted]
    return edges[0], edges[1], edges[2], edges[3]


def head_before(camera_to_world: Float[Tensor, "3 4"], pivot: Float[Tensor, " 3"]) -> Float[Tensor, " 3"]:
    """Return the head's middle in a camera's axes."""
    return camera_to_world[:, :3].T @ (pivot - camera_to_world[:, 3])


def _moved(
    subject: RenderSubject,
    camera: Any,
    frame: int,
    middle: tuple[float, float],
    place: tuple[float, float],
    scale: float,
) -> Float[Tensor, "3 4"]:
    """Pose of a training frame whose face, at `middle` there, stands at `place` in the photograph, `scale` as large."""
    trained: Any = subject.cameras[frame : frame + 1]
    pose = trained.camera_to_worlds[0].float().cpu()
    head = head_before(pose, subject.pivot)
    depth = -head[2]
    was, now = _line_of_sight(trained, *middle), _line_of_sight(camera, *place)
    target = head + depth / scale * now - depth * was
    return torch.cat([pose[:, :3], (subject.pivot - pose[:, :3] @ target)[:, None]], dim=1)


def _line_of_sight(camera: Any, row: float, column: float) -> Float[Tensor, " 3"]:
    """Direction, of depth 1, to a place given as shares of a picture's height and width."""
    x = (column * int(camera.width[0]) - float(camera.cx[0])) / float(camera.fx[0])
    y = -(row * int(camera.height[0]) - float(camera.cy[0])) / float(camera.fy[0])
    return torch.tensor([x, y, -1.0])


def _apart(starts: list[Start], count: int) -> list[Start]:
    """The first starts of a list that are not alike."""
    kept: list[Start] = []
    for start in starts:
        rotation = start.pose[None, :, :3]
        if len(kept) < count and all(
            float(rotation_angle_deg(rotation, other.pose[None, :, :3])) >= APART_DEG for other in kept
        ):
            kept.append(start)
    return kept
