"""Where the cameras of frames that were never trained on stand, when those that were trained on have moved."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

from nerface_ns.conditioning import keys
from nerface_ns.evaluation.pose_fit import PoseFit
from nerface_ns.evaluation.trajectory_alignment import align_trajectories

if TYPE_CHECKING:
    from nerface_ns.evaluation.split_scores import RenderedFrame

PoseProtocol = Literal["as_tracked", "aligned", "trajectory"]
"""Rule for the poses of unseen frames."""
POSE_NOTES = {
    "as_tracked": "cameras of unseen frames as tracked",
    "aligned": "each unseen frame's pose fitted to the left half of its image, scores of the right half",
    "trajectory": "cameras of unseen frames moved by the similarity that brings the tracked training cameras to the "
    "refined ones, with the refined lens",
}
"""What is printed beside scores."""


class UnseenPoses:
    """Places the cameras of unseen frames; the model and what it shares between frames stay as they are.

    Args:
        pipeline: A trained nerfstudio pipeline.
        protocol: "as_tracked"; "trajectory": moved as the training cameras were, on the whole; "aligned": from there
            fitted to the left half of the frame's image, one pose at a time, and nothing but the pose.

    Raises:
        ValueError: The method cannot fit poses, or "trajectory" is asked of a run that refines no cameras.
    """

    def __init__(self, pipeline: Any, protocol: PoseProtocol) -> None:
        self.model, self.protocol = pipeline.model, protocol
        self.fit = PoseFit()
        self._refined: Any = None
        if protocol == "as_tracked":
            return
        if not hasattr(self.model, "refined_cameras"):
            raise ValueError(f"--poses {protocol}: {type(self.model).__name__} has no poses that could be moved")
        tracked = pipeline.datamanager.train_dataset.cameras
        self._refined = self.model.refined_cameras(tracked)
        if self._refined is not None:
            self._similarity = align_trajectories(_array(tracked), _array(self._refined))
        elif protocol == "trajectory":
            raise ValueError("--poses trajectory: expected a run that refines cameras, got one that does not")

    def place(self, camera: Any, image: Tensor) -> Any:
        """Return an unseen frame's camera where the protocol puts it.

        Args:
            camera: A `Cameras` of one.
            image: The frame (height, width, 3), of which "aligned" looks at the left half.
        """
        if self.protocol == "as_tracked" or not is_unseen(camera):
            return camera
        moved = camera if self._refined is None else self._follow(camera)
        if self.protocol == "trajectory":
            return moved
        mask = torch.zeros(image.shape[:2], dtype=torch.bool, device=image.device)
        mask[:, : first_scored_column(image.shape[1])] = True
        return self.fit.fit(self.model, moved, image, mask)

    def scored_part(self, frame: RenderedFrame, camera: Any) -> RenderedFrame:
        """Return what of a rendered frame is scored: the half of which the pose knows nothing."""
        if self.protocol != "aligned" or not is_unseen(camera):
            return frame
        return right_half(frame)

    def _follow(self, camera: Any) -> Any:
        """Move a camera as the training cameras were moved, and give it their lens: one camera recorded them all."""
        pose = self._similarity.apply(_array(camera))
        lens = {name: getattr(self._refined, name).mean(dim=0, keepdim=True) for name in ("fx", "fy", "cx", "cy")}
        lens = {name: value.to(getattr(camera, name)) for name, value in lens.items()}
        distortion = self._refined.distortion_params
        if distortion is not None:
            lens["distortion_params"] = distortion[:1].to(camera.fx)
        return dataclasses.replace(camera, camera_to_worlds=torch.from_numpy(pose).to(camera.camera_to_worlds), **lens)


def is_unseen(camera: Any) -> bool:
    """Whether a camera's frame was not trained on."""
    index = (camera.metadata or {}).get(keys.FRAME_INDEX)
    return index is None or int(index.flatten()[0]) < 0


def first_scored_column(width: int) -> int:
    """Return the column from which on "aligned" scores; those before it fit the pose."""
    return width // 2


def right_half(frame: RenderedFrame) -> RenderedFrame:
    """Cut the part of a rendered frame that was not looked at; boxes that lie outside it are left out."""
    width = frame.truth.shape[1]
    first = first_scored_column(width)
    boxes = {}
    for name, box in frame.boxes.items():
        x0, x1 = ((box[2:] * width - first) / (width - first)).clamp(0, 1).tolist()
        if x0 < x1:
            boxes[name] = box.new_tensor([float(box[0]), float(box[1]), x0, x1])
    return dataclasses.replace(
        frame,
        truth=frame.truth[:, first:],
        outputs={name: image[:, first:] for name, image in frame.outputs.items()},
        alpha=None if frame.alpha is None else frame.alpha[:, first:],
        boxes=boxes,
    )


def _array(cameras: Any) -> Any:
    return cameras.camera_to_worlds.reshape(-1, 3, 4).double().cpu().numpy()
