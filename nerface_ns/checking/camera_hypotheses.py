"""Ways in which camera matrices are misread, and what undoes each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from jaxtyping import Float

AXES = {
    "opengl": (1.0, 1.0, 1.0, 1.0),
    "opencv": (1.0, -1.0, -1.0, 1.0),
    "pytorch3d": (-1.0, 1.0, -1.0, 1.0),
    "upside-down": (-1.0, -1.0, 1.0, 1.0),
}
"""Signs of a camera's axes as against OpenGL's (x right, y up, z back)."""

AXES_WORDS = {
    "opencv": "OpenCV cameras (y down, z forward)",
    "pytorch3d": "PyTorch3D cameras (x left, z forward)",
    "upside-down": "cameras turned upside down",
}

MIRROR_X = np.diag([-1.0, 1.0, 1.0, 1.0])
"""Conjugating a pose with it mirrors the world, as NerFace's negative fx does."""


@dataclass(frozen=True)
class CameraHypothesis:
    """One way to read the stored matrices; the default one is how they are read."""

    is_world_to_camera: bool = False
    """The matrices are the inverse of what they are taken for."""
    axes: str = "opengl"
    """Key of `AXES`."""
    is_mirrored: bool = False
    """The world is mirrored in x against the pictures."""

    @property
    def is_as_read(self) -> bool:
        """Whether nothing is misread."""
        return self == CameraHypothesis()

    @property
    def problem(self) -> str:
        """Short name for programs."""
        parts = ["world-to-camera"] if self.is_world_to_camera else []
        parts += [f"{self.axes}-cameras"] if self.axes != "opengl" else []
        parts += ["mirrored"] if self.is_mirrored else []
        return "+".join(parts) or "none"

    @property
    def words(self) -> str:
        """What is misread, in words."""
        parts = ["world-to-camera matrices"] if self.is_world_to_camera else []
        parts += [AXES_WORDS[self.axes]] if self.axes != "opengl" else []
        parts += ["a world mirrored in x"] if self.is_mirrored else []
        return " and ".join(parts) or "OpenGL camera-to-world matrices"

    def apply(self, camera_to_world: Float[np.ndarray, "frames 4 4"]) -> Float[np.ndarray, "frames 4 4"]:
        """OpenGL cameras, if this is how the matrices are meant."""
        cameras = np.linalg.inv(camera_to_world) if self.is_world_to_camera else camera_to_world
        cameras = cameras @ np.diag(AXES[self.axes])
        return MIRROR_X @ cameras @ MIRROR_X if self.is_mirrored else cameras


def hypotheses() -> Iterator[CameraHypothesis]:
    """All of them, those with fewer mistakes first."""
    every = [CameraHypothesis(*choice) for choice in product((False, True), AXES, (False, True))]
    yield from sorted(every, key=lambda each: each.is_world_to_camera + (each.axes != "opengl") + each.is_mirrored)
