"""Cameras about a head that stands still, and face boxes, made of a FLAME recording."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

import numpy as np

from nerface_ns.data.flame.flame_pose import RigidPose, cameras_in_head, fit_joints, rotation_of_vector
from nerface_ns.data.flame.flame_recording import FlameRecording
from nerface_ns.data.flame.head_boxes import boxes_about, half_size_of, matte_boxes_px
from nerface_ns.data.scene_bounds import head_center, pixel_directions

MATTE_FRAMES = 96
"""Frames, evenly spread, whose mattes tell where the head is when the layout has no boxes."""

NECK_MOVES_DEG = 3.0
"""A neck that turns more than this, standard deviation, is worth a warning when it is not part of the rigid pose."""


class HeadFrames:
    """The rigid pose of a recording, composed.

    Args:
        recording: All frames in the tracker's world.
        masks: Their mattes, where there are some.
        fold_neck: Whether the neck's turn belongs to the rigid pose.
        root_joint: The root joint, where it is known.
        neck_joint: The neck joint, told from the root joint, where it is known.

    Attributes:
        camera_to_world: (n, 4, 4) OpenGL cameras in the head's frame, tracker's unit.
        face_boxes: (n, 4) boxes as fractions of the image, or None.
        warnings: What could not be done.
    """

    def __init__(
        self,
        recording: FlameRecording,
        masks: Optional[list[Path]],
        fold_neck: bool,
        root_joint: Optional[tuple[float, float, float]],
        neck_joint: Optional[tuple[float, float, float]],
    ) -> None:
        self.recording = recording
        self.warnings: tuple[str, ...] = ()
        self.face_boxes = recording.face_boxes
        rows, boxes_px = self._seen_boxes(masks)
        self.camera_to_world = recording.camera_to_world
        if recording.rotation is not None:
            self._compose(fold_neck, root_joint, neck_joint, rows, boxes_px)
        if self.face_boxes is None and len(rows):
            self.face_boxes = self._project_boxes(rows, boxes_px)

    def _seen_boxes(self, masks: Optional[list[Path]]) -> tuple[np.ndarray, np.ndarray]:
        """Rows of frames whose box is known, and those boxes in pixels; landmarks' middles where there are some."""
        recording = self.recording
        height, width = recording.image_size
        if recording.landmarks_px is not None:
            low, high = recording.landmarks_px.min(axis=1), recording.landmarks_px.max(axis=1)
            return np.arange(len(recording)), np.stack([low[:, 1], high[:, 1], low[:, 0], high[:, 0]], axis=1)
        if recording.face_boxes is not None:
            return np.arange(len(recording)), recording.face_boxes * np.array([height, height, width, width])
        if masks is None:
            return np.arange(0), np.zeros((0, 4))
        rows = np.unique(np.linspace(0, len(recording) - 1, MATTE_FRAMES).round().astype(int))
        boxes, found = matte_boxes_px([masks[row] for row in rows])
        return rows[found], boxes

    def _compose(
        self,
        fold_neck: bool,
        root_joint: Optional[tuple[float, float, float]],
        neck_joint: Optional[tuple[float, float, float]],
        rows: np.ndarray,
        boxes_px: np.ndarray,
    ) -> None:
        """Move the cameras into the head's frame."""
        recording = self.recording
        assert recording.rotation is not None and recording.translation is not None
        neck = recording.conditions.get("neck")
        pose = RigidPose(
            rotation_of_vector(recording.rotation),
            recording.translation,
            rotation_of_vector(neck) if fold_neck and neck is not None else None,
        )
        root = np.zeros(3) if recording.is_root_centred else _vector(root_joint)
        from_root = _vector(neck_joint)
        if len(rows) >= 2:
            seen = RigidPose(
                pose.root_rotation[rows],
                pose.translation[rows],
                None if pose.neck_rotation is None else pose.neck_rotation[rows],
            )
            middle = np.stack([boxes_px[:, 2:].mean(axis=1), boxes_px[:, :2].mean(axis=1)], axis=1)
            directions = pixel_directions(recording.intrinsics_px[rows], middle)
            root, from_root = fit_joints(recording.camera_to_world[rows], seen, directions, root, from_root)
        elif root is None or (pose.neck_rotation is not None and from_root is None):
            self.warnings += (
                "FLAME's joints are not known and nothing shows where the face is (no landmarks, boxes or mattes): the "
                "head turns about the tracker's origin; set root_joint and neck_joint",
            )
        self.camera_to_world = cameras_in_head(
            recording.camera_to_world,
            pose,
            np.zeros(3) if root is None else root,
            np.zeros(3) if from_root is None else from_root,
        )
        self._warn_of_neck(neck, fold_neck)

    def _warn_of_neck(self, neck: Optional[np.ndarray], fold_neck: bool) -> None:
        """Say so when the head moves on the shoulders and the rigid pose leaves it out."""
        if neck is None or fold_neck:
            return
        spread = float(np.degrees(np.linalg.norm(neck.std(axis=0))))
        if spread > NECK_MOVES_DEG:
            self.warnings += (
                f"the neck turns the head by {spread:.1f} deg (standard deviation) apart from the rigid pose: set "
                "fold_neck True, or keep 'neck' among the conditions",
            )

    def _project_boxes(self, rows: np.ndarray, boxes_px: np.ndarray) -> np.ndarray:
        """Boxes of all frames from those of some: the head keeps its place and size."""
        recording, cameras = self.recording, self.camera_to_world
        center = head_center(cameras[rows], recording.intrinsics_px[rows], boxes_px)
        half = half_size_of(boxes_px, center, cameras[rows], recording.intrinsics_px[rows])
        return boxes_about(center, half, cameras, recording.intrinsics_px, recording.image_size)


def _vector(values: Optional[tuple[float, float, float]]) -> Optional[np.ndarray]:
    return None if values is None else np.array(values, dtype=np.float64)
