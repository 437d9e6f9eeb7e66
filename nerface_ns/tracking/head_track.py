"""Second stage: from all faces to one head's motion, expression and gaze in the written images."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from nerface_ns.tracking.bundle_adjustment import BundleAdjustmentConfig, RigidFit, fit_rigid_head
from nerface_ns.tracking.canonical_face import (
    LEFT_EYE_CORNERS,
    LEFT_IRIS,
    RIGHT_EYE_CORNERS,
    RIGHT_IRIS,
    RIGID_LANDMARKS,
)
from nerface_ns.tracking.face_choice import choose_faces, face_boxes, find_cuts, find_jumps
from nerface_ns.tracking.face_crop import FaceCrop, fit_crop
from nerface_ns.tracking.found_landmarks import FoundLandmarks
from nerface_ns.tracking.gaze import clip_gaze, eye_centers
from nerface_ns.tracking.head_motion import camera_to_head

CAMERA_DISTANCE = 0.5
"""Distance of the median camera from the head in a written dataset, as in NerFace's."""
MIN_FRAMES = 3
"""Fewest frames that make a dataset: one for each split."""
WILD_ERROR = 5.0
"""Frames whose reprojection error is this many times the median, and `WILD_ERROR_PX`, are dropped."""
WILD_ERROR_PX = 6.0
"""Least error of a dropped frame, pixels at 512."""


@dataclass
class HeadTrack:
    """One head in some frames of a clip."""

    frames: np.ndarray
    """(n,) rows among the decoded frames."""
    ticks: np.ndarray
    """(n,) places on the clip's time scale."""
    landmarks_px: np.ndarray
    """(n, 478, 3) in the written images."""
    expression: np.ndarray
    """(n, k) blendshapes."""
    names: tuple[str, ...]
    """Their names."""
    crop: FaceCrop
    """Which part of the video is written."""
    center_px: np.ndarray
    """Principal point in the written images."""
    fit: RigidFit
    """The head's motion, cm."""
    camera_to_world: np.ndarray
    """(n, 4, 4) OpenGL cameras, the head at the origin, about 0.5 away."""
    gaze: np.ndarray
    """(n, 2) pitch and yaw, head frame."""
    dropped: dict[str, list[int]] = field(default_factory=dict)
    """Ticks of dropped frames by reason."""
    cuts: list[int] = field(default_factory=list)
    """Ticks at which the face moved to another place for good."""
    num_several: int = 0
    """Frames with several faces."""

    @property
    def error_px(self) -> np.ndarray:
        """(n,) median reprojection error of the rigid landmarks in each frame."""
        return np.median(self.fit.error_px, axis=1)


def track_head(
    found: FoundLandmarks,
    canonical: np.ndarray,
    rate: float,
    size_px: int,
    rule: Literal["largest", "error"],
    config: BundleAdjustmentConfig,
    source: str,
) -> HeadTrack:
    """Choose the face, drop frames that cannot be used, fit the head's motion.

    Args:
        found: All faces.
        canonical: The average face.
        rate: Frames a second.
        size_px: Size of written images.
        rule: What to do with several faces.
        config: Settings of the fit.
        source: The video, for errors.

    Raises:
        ValueError: Too few frames show a face, or several faces where there should be one.
    """
    chosen, dropped, num_several = _usable_faces(found, rule, source)
    crop = fit_crop(chosen.boxes, *found.frame_size, size_px)
    center_px = crop.center_px(*found.frame_size)
    chosen, fit, wild_ticks = _fit_frames(found, chosen, canonical, rate, crop, center_px, config, source)
    dropped["not fitted"] = wild_ticks
    landmarks = crop.landmarks(found.landmarks_px[chosen.faces])
    expression = found.blendshapes[chosen.faces].astype(np.float64)
    scale = CAMERA_DISTANCE / float(np.median(np.linalg.norm(fit.translation, axis=1)))
    return HeadTrack(
        frames=chosen.frames,
        ticks=found.ticks[chosen.frames],
        landmarks_px=landmarks,
        expression=expression,
        names=found.names,
        crop=crop,
        center_px=center_px,
        fit=fit,
        camera_to_world=camera_to_head(fit.rotation, fit.translation, scale),
        gaze=_gaze(landmarks, fit, center_px, expression, found.names),
        dropped={reason: ticks for reason, ticks in dropped.items() if ticks},
        cuts=[int(found.ticks[chosen.frames[row]]) for row in find_cuts(chosen.boxes)],
        num_several=num_several,
    )


@dataclass
class _Faces:
    """One face in each of some frames."""

    frames: np.ndarray
    """(n,) rows among the decoded frames."""
    faces: np.ndarray
    """(n,) rows among all faces."""
    boxes: np.ndarray
    """(n, 4) where they are in the video."""

    def at(self, rows: np.ndarray) -> _Faces:
        """Return some of them."""
        return _Faces(self.frames[rows], self.faces[rows], self.boxes[rows])


def _usable_faces(
    found: FoundLandmarks, rule: Literal["largest", "error"], source: str
) -> tuple[_Faces, dict[str, list[int]], int]:
    """The head's face in each frame that has it in its place, the ticks of the others, frames with several faces."""
    if not len(found.frame_of_face):
        raise ValueError(f"{source}: no face was found in any of {len(found.ticks)} frames")
    try:
        chosen = choose_faces(found.frame_of_face, face_boxes(found.landmarks_px), rule)
    except ValueError as error:
        raise ValueError(f"{source}: {error}") from error
    boxes = face_boxes(found.landmarks_px[chosen.faces])
    jumps = find_jumps(boxes)
    without = np.setdiff1d(np.arange(len(found.ticks)), chosen.frames)
    dropped = {"no face": found.ticks[without].tolist(), "jump": found.ticks[chosen.frames[jumps]].tolist()}
    usable = _Faces(chosen.frames, chosen.faces, boxes).at(~jumps)
    _require_frames(source, len(usable.frames), len(found.ticks))
    return usable, dropped, chosen.num_several


def _fit_frames(
    found: FoundLandmarks,
    chosen: _Faces,
    canonical: np.ndarray,
    rate: float,
    crop: FaceCrop,
    center_px: np.ndarray,
    config: BundleAdjustmentConfig,
    source: str,
) -> tuple[_Faces, RigidFit, list[int]]:
    """Fit the head's motion, once more without the frames that did not fit; return the others, the fit, their ticks."""

    def fit(some: _Faces) -> RigidFit:
        """Fit some frames."""
        landmarks = crop.landmarks(found.landmarks_px[some.faces])
        return _fit(landmarks, canonical, center_px, crop, found.ticks[some.frames] / rate, config)

    first = fit(chosen)
    wild = _wild_frames(first, crop)
    if not wild.any():
        return chosen, first, []
    kept = chosen.at(~wild)
    _require_frames(source, len(kept.frames), len(found.ticks))
    return kept, fit(kept), found.ticks[chosen.frames[wild]].tolist()


def _require_frames(source: str, count: int, total: int) -> None:
    """Refuse a clip with too few frames to make a dataset of."""
    if count < MIN_FRAMES:
        raise ValueError(f"{source}: expected at least {MIN_FRAMES} frames with a face, got {count} of {total}")


def _fit(
    landmarks: np.ndarray,
    canonical: np.ndarray,
    center_px: np.ndarray,
    crop: FaceCrop,
    times_s: np.ndarray,
    config: BundleAdjustmentConfig,
) -> RigidFit:
    """Fit the head's motion to the rigid ones of all landmarks."""
    rows = list(RIGID_LANDMARKS)
    return fit_rigid_head(landmarks[:, rows], canonical[rows], center_px, float(crop.size_px), times_s, config)


def _wild_frames(fit: RigidFit, crop: FaceCrop) -> np.ndarray:
    """(n,) whether a frame's face is not where the fit has it."""
    error = np.median(fit.error_px, axis=1)
    return error > max(WILD_ERROR * float(np.median(error)), WILD_ERROR_PX * crop.size_px / 512)


def _gaze(
    landmarks: np.ndarray, fit: RigidFit, center_px: np.ndarray, expression: np.ndarray, names: tuple[str, ...]
) -> np.ndarray:
    """(n, 2) gaze in the head's frame."""
    place = {landmark: row for row, landmark in enumerate(RIGID_LANDMARKS)}
    corners = np.array([[fit.shape[place[k]] for k in eye] for eye in (RIGHT_EYE_CORNERS, LEFT_EYE_CORNERS)])
    irises = landmarks[:, [RIGHT_IRIS, LEFT_IRIS], :2]
    coefficients = {name: expression[:, row] for row, name in enumerate(names)}
    return clip_gaze(irises, eye_centers(corners), fit, center_px, coefficients)
