"""Eyeballs before a camera: where a gaze puts the irises in a picture, and eyeballs found from irises seen there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

EYES = ("right", "left")
"""The subject's eyes in the order of every array of two."""
ROUNDING_PX = 0.5
"""Misplacement of an iris from which on it counts less in a fit."""


@dataclass(frozen=True)
class EyePicture:
    """A picture whose camera is known in the head's frame."""

    colors: Float[np.ndarray, "height width 3"]
    """In [0, 1]."""
    camera_to_world: Float[np.ndarray, "4 4"]
    """OpenGL camera."""
    intrinsics_px: Float[np.ndarray, "4"]
    """fx, fy, cx, cy at the picture's size; pixel (i, j) is seen along (i + 0.5, j + 0.5)."""
    eyes_box_px: Float[np.ndarray, "4"] | None = None
    """Rows y0, y1 and columns x0, x1 between which both eyes are, where that is known."""
    whole: UInt8[np.ndarray, "whole_height whole_width 3"] | None = None
    """The picture from which this one was cut, for finders that need to see the face."""
    corner_px: tuple[int, int] = (0, 0)
    """Column and row of the whole picture at which this one begins."""

    def project(self, points: Float[np.ndarray, "*batch 3"]) -> Float[np.ndarray, "*batch 2"]:
        """Return columns and rows of points in the head's frame."""
        rotation, position = self.camera_to_world[:3, :3], self.camera_to_world[:3, 3]
        view = (points - position) @ rotation
        slopes = view[..., :2] / -view[..., 2:]
        return slopes * self.intrinsics_px[:2] * np.array([1.0, -1.0]) + self.intrinsics_px[2:]

    def cropped(self, margin: float = 0.5) -> EyePicture:
        """Return what is about the eyes: the box and a share of its width on every side."""
        if self.eyes_box_px is None:
            return self
        y0, y1, x0, x1 = self.eyes_box_px
        room = margin * (x1 - x0)
        height, width = self.colors.shape[:2]
        top, left = max(0, int(y0 - room)), max(0, int(x0 - room))
        bottom, right = min(height, int(np.ceil(y1 + room))), min(width, int(np.ceil(x1 + room)))
        return replace(
            self,
            colors=self.colors[top:bottom, left:right].copy(),
            intrinsics_px=self.intrinsics_px - np.array([0, 0, left, top]),
            eyes_box_px=self.eyes_box_px - np.array([top, top, left, left]),
            corner_px=(self.corner_px[0] + left, self.corner_px[1] + top),
        )

    def rays(self) -> Float[np.ndarray, "height width 3"]:
        """Return the unit vector along which each pixel is seen."""
        height, width = self.colors.shape[:2]
        fx, fy, cx, cy = self.intrinsics_px
        column, row = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
        view = np.stack([(column - cx) / fx, (cy - row) / fy, -np.ones_like(row)], axis=-1)
        return view / np.linalg.norm(view, axis=-1, keepdims=True) @ self.camera_to_world[:3, :3].T

    def camera_gaze(self) -> Float[np.ndarray, "2"]:
        """Return the gaze of a head that looks into the camera: pitch and yaw, radians."""
        return gaze_of_directions(self.camera_to_world[:3, 3])


def gaze_directions(gaze: Float[np.ndarray, "*batch 2"]) -> Float[np.ndarray, "*batch 3"]:
    """Return unit vectors of gazes: pitch up and yaw towards +x in radians, +z straight ahead."""
    pitch, yaw = gaze[..., 0], gaze[..., 1]
    return np.stack([np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch)], axis=-1)


def gaze_of_directions(directions: Float[np.ndarray, "*batch 3"]) -> Float[np.ndarray, "*batch 2"]:
    """Return pitch and yaw of vectors of any length."""
    unit = directions / np.linalg.norm(directions, axis=-1, keepdims=True)
    return np.stack([np.arcsin(unit[..., 1].clip(-1, 1)), np.arctan2(unit[..., 0], unit[..., 2])], axis=-1)


def gaze_turns(gaze: Float[np.ndarray, "*batch 2"]) -> Float[np.ndarray, "*batch 3 3"]:
    """Return the rotations that turn +z to gazes: first up about x, then aside about y."""
    (cp, cy), (sp, sy) = (np.moveaxis(f(gaze), -1, 0) for f in (np.cos, np.sin))
    zero = np.zeros_like(cp)
    rows = [[cy, -sy * sp, sy * cp], [zero, cp, sp], [-sy, -cy * sp, cy * cp]]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def angles_deg(
    first: Float[np.ndarray, "*batch 2"], second: Float[np.ndarray, "*batch 2"]
) -> Float[np.ndarray, "*batch"]:
    """Return the angles between gazes in degrees."""
    apart = np.linalg.norm(gaze_directions(first) - gaze_directions(second), axis=-1)
    return np.asarray(np.rad2deg(2 * np.arcsin((apart / 2).clip(0, 1))))


@dataclass(frozen=True)
class Eyeballs:
    """Both eyes of a head."""

    centers: Float[np.ndarray, "2 3"]
    """Centres of rotation in the head's frame."""
    radius: float
    """From there to the irises."""

    def iris_px(self, picture: EyePicture, gaze: Float[np.ndarray, "*batch 2 2"]) -> Float[np.ndarray, "*batch 2 2"]:
        """Return where a picture shows the middles of the irises, given the gaze of the right and the left eye."""
        return picture.project(self.centers + self.radius * gaze_directions(gaze))

    def as_json(self) -> dict[str, Any]:
        """Return the numbers."""
        centers = {eye: [round(float(value), 6) for value in row] for eye, row in zip(EYES, self.centers)}
        return {"centers": centers, "radius": round(self.radius, 6)}


def fit_eyeballs(
    start: Eyeballs,
    pictures: list[EyePicture],
    gaze: Float[np.ndarray, "n 2"],
    iris_px: Float[np.ndarray, "n 2 2"],
    weight: Float[np.ndarray, "n 2"],
) -> Eyeballs:
    """Find the eyeballs whose irises are nearest to those seen in pictures of known gaze, by robust least squares.

    Args:
        start: Where to begin; nothing leaves it by more than about its radius.
        pictures: Seen by known cameras.
        gaze: Their true gaze.
        iris_px: Middles of the irises that were seen.
        weight: How far each is to be believed; 0 leaves it out.
    """
    from scipy.optimize import least_squares

    directions, scale = gaze_directions(gaze), start.radius

    def eyeballs(numbers: np.ndarray) -> Eyeballs:
        """Return the eyeballs that a step from the start leads to."""
        centers = start.centers + scale * numbers[:6].reshape(2, 3)
        return replace(start, centers=centers, radius=scale * float(np.exp(numbers[6])))

    def misplacement(numbers: np.ndarray) -> np.ndarray:
        """Return the weighed distances between irises as they would be and as seen, and a pull to the start."""
        eyes = eyeballs(numbers)
        points = eyes.centers + eyes.radius * directions[:, None]
        found = np.stack([picture.project(place) for picture, place in zip(pictures, points)])
        # A weak pull to the start holds what cameras that hardly move leave open, the depth before all.
        return np.concatenate([(np.sqrt(weight)[..., None] * (found - iris_px)).ravel(), 0.1 * numbers])

    limit = np.array([1.5] * 6 + [0.5])
    fitted = least_squares(misplacement, np.zeros(7), bounds=(-limit, limit), loss="soft_l1", f_scale=ROUNDING_PX)
    return eyeballs(fitted.x)
