"""Pictures of a trained model whose gaze alone is changed: where the eyes look then, and what else changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Optional

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from nerface_ns.conditioning import keys
from nerface_ns.evaluation.gaze_estimator import GazeEstimate, GazeEstimator
from nerface_ns.evaluation.gaze_frames import eye_picture, require_gaze, true_image
from nerface_ns.evaluation.gaze_geometry import angles_deg
from nerface_ns.evaluation.gaze_head_motion import HeadMotion, head_motion, head_pixels
from nerface_ns.model_components.image_metrics import ImageDistance, Scores, box_to_pixel_slices, region_scores
from nerface_ns.rendering.posed_camera import posed_camera, resized_camera

PictureDone = Callable[[str, tuple[float, float], Optional[Tensor]], None]
"""Called with a frame's name, the target in degrees, and the picture; None where eyes are shut."""


@dataclass(frozen=True)
class GazeTargets:
    """Gazes that are asked for: every pitch with every yaw."""

    pitch_deg: tuple[float, ...] = (-10.0, 0.0, 10.0)
    """Up."""
    yaw_deg: tuple[float, ...] = (-20.0, 0.0, 20.0)
    """Towards the subject's left."""

    def pairs(self) -> list[tuple[float, float]]:
        """Return pitch and yaw of every target.

        Raises:
            ValueError: There is no target, or one that no eye reaches.
        """
        for name, values in (("pitch", self.pitch_deg), ("yaw", self.yaw_deg)):
            if not values or not all(abs(value) < 90 for value in values):
                raise ValueError(f"--gaze-{name}-deg: expected angles between -90 and 90, got {list(values)}")
        return [(pitch, yaw) for pitch in self.pitch_deg for yaw in self.yaw_deg]


@dataclass(frozen=True)
class RedirectedPicture:
    """What one target made of one frame."""

    target_deg: tuple[float, float]
    """Pitch and yaw that were asked for."""
    found_deg: tuple[float, float]
    """What the estimator says of the picture."""
    error_deg: float
    """Angle between the two."""
    openness: float
    """As the estimator says."""
    head: HeadMotion
    """From the picture with the frame's own gaze to this one."""
    eyes_energy: float
    """Sum of squared differences to the picture with the frame's own gaze, inside the eyes box."""
    energy: float
    """The same over the whole picture."""


@dataclass(frozen=True)
class RedirectedFrame:
    """One held-out frame."""

    name: str
    """Of the frame."""
    scores: dict[str, Scores]
    """Of the picture with its own gaze against the recorded one, by region."""
    true_error_deg: float
    """How far the estimator is off on the recorded picture."""
    is_open: bool
    """Whether the recorded picture shows open eyes; no target is rendered where it does not."""
    pictures: tuple[RedirectedPicture, ...]
    """One for each target."""


class GazeRenderer:
    """Renders a split's frames with any gaze.

    Args:
        pipeline: A trained pipeline whose model is conditioned on gaze.
        split: Name of a split.
        size: Height and width of the pictures.

    Raises:
        ValueError: The model knows no gaze, or the data have none.
    """

    def __init__(self, pipeline: Any, split: str, size: tuple[int, int]) -> None:
        require_gaze_model(pipeline.model)
        dataparser = pipeline.datamanager.dataparser
        self.model, self.size = pipeline.model, size
        self.frames = dataparser.sequence.splits[split]
        self.gaze, self.boxes = require_gaze(self.frames)
        self.cameras = dataparser.get_dataparser_outputs(split).cameras

    def render(self, row: int, gaze: Float[np.ndarray, "2"]) -> dict[str, Tensor]:
        """Return the model's outputs for a frame's camera and expression with a gaze of its own, in radians."""
        camera = resized_camera(self.cameras[row : row + 1], self.size[0]).to(self.model.device)
        expression = camera.metadata[keys.EXPRESSION].reshape(-1)
        asked = torch.as_tensor(gaze, dtype=torch.float32)
        return self.model.get_outputs_for_camera(
            posed_camera(camera, camera.camera_to_worlds[0], expression, gaze=asked)
        )

    def lens(self, row: int) -> Float[np.ndarray, "4"]:
        """Return fx, fy, cx, cy at the pictures' size."""
        height, width = self.frames.image_size
        return np.asarray(self.frames.intrinsics_px[row]) * np.tile([self.size[1] / width, self.size[0] / height], 2)


def require_gaze_model(model: Any) -> None:
    """Refuse a model that is not conditioned on gaze.

    Raises:
        ValueError: It is not.
    """
    if not getattr(model, "has_gaze", False):
        raise ValueError(
            "--gaze: expected a run that is conditioned on gaze, such as one of nerface-gaze, got "
            f"{type(model).__name__} without it"
        )


class GazeRedirection:
    """Measures frames one by one.

    Args:
        renderer: Of the split.
        estimator: Calibrated on the same dataset's training frames at the same size.
        targets: Gazes to ask for.
        image_distance: LPIPS or a stand-in for it.
    """

    def __init__(
        self,
        renderer: GazeRenderer,
        estimator: GazeEstimator,
        targets: Sequence[tuple[float, float]],
        image_distance: ImageDistance | None = None,
    ) -> None:
        self.renderer, self.estimator, self.targets = renderer, estimator, tuple(targets)
        self.image_distance = image_distance

    def measure(self, row: int, done: PictureDone | None = None) -> RedirectedFrame:
        """Render a frame with its own gaze and, if its eyes are open, with every target."""
        renderer = self.renderer
        frames, truth = renderer.frames, true_image(renderer.frames, row, renderer.size)
        recorded = self._estimate(row, truth)
        own = renderer.render(row, renderer.gaze[row])
        boxes = {name: torch.from_numpy(boxes[row]).float() for name, boxes in frames.region_boxes.items()}
        scores = region_scores(own["rgb"].cpu(), torch.from_numpy(truth), boxes, None, self.image_distance)
        pictures = []
        for target in self.targets:
            image = None
            if recorded.is_open:
                image = renderer.render(row, np.deg2rad(np.array(target)))["rgb"].clamp(0, 1).cpu()
                pictures.append(self._compare(row, own, target, image))
            if done is not None:
                done(frames.frame_names[row], target, image)
        error = float(angles_deg(recorded.gaze, renderer.gaze[row]))
        return RedirectedFrame(frames.frame_names[row], scores, error, recorded.is_open, tuple(pictures))

    def _estimate(self, row: int, image: Float[np.ndarray, "height width 3"]) -> GazeEstimate:
        needs_whole = self.estimator.finder.needs_whole_picture
        return self.estimator.estimate(eye_picture(self.renderer.frames, row, image, needs_whole))

    def _compare(
        self, row: int, own: dict[str, Tensor], target: tuple[float, float], second: Tensor
    ) -> RedirectedPicture:
        """Compare the picture of a target with what was asked for, and with the picture of the frame's own gaze."""
        renderer, first = self.renderer, own["rgb"].clamp(0, 1).cpu()
        found = self._estimate(row, second.numpy())
        change = (second - first).double().square()
        inside = box_to_pixel_slices(renderer.boxes[row], *change.shape[:2])
        pixels = head_pixels(own["accumulation"][..., 0].cpu().numpy(), renderer.boxes[row])
        head = head_motion(
            first.numpy(),
            second.numpy(),
            own["depth"][..., 0].cpu().numpy(),
            pixels,
            np.asarray(renderer.frames.camera_to_world[row][:3], dtype=np.float64),
            renderer.lens(row),
        )
        pitch, yaw = np.rad2deg(found.gaze)
        return RedirectedPicture(
            target_deg=target,
            found_deg=(float(pitch), float(yaw)),
            error_deg=float(angles_deg(found.gaze, np.deg2rad(np.array(target)))),
            openness=found.openness,
            head=head,
            eyes_energy=float(change[inside].sum()),
            energy=float(change.sum()),
        )
