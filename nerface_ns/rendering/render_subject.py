"""What the modes of `nerface-render` need of a trained run."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Optional

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from nerface_ns.conditioning import keys
from nerface_ns.conditioning.identities import parse_shares
from nerface_ns.rendering.latent_code_choice import LatentCodeChoice
from nerface_ns.rendering.posed_camera import middle_camera, posed_camera, resized_camera
from nerface_ns.rendering.render_plan import Shot
from nerface_ns.rendering.training_cameras import TrainingCameras
from nerface_ns.tracks.retargeting import RetargetingTarget, neutral_expression
from nerface_ns.tracks.trained_range import extrapolation


class RenderSubject:
    """The person of a trained run: cameras, expressions, codes.

    Args:
        pipeline: The run's pipeline.
        source: The run's config.yml, for messages.
        height_px: Height of the pictures; as trained without it.
        code: Rule for latent codes; the run's own without it.
        camera_frame: Training frame whose camera is the person's own; without it the one that stands nearest to the
            cameras' mean.
        identity: Name of the person, in a run of several; or a mixture, as `parse_shares` reads it, whose training
            frames are those of the one with the largest share. The first person without it.

    Raises:
        ValueError: The run is of no method of this package, or there is no such training frame or person.
    """

    def __init__(
        self,
        pipeline: Any,
        source: Path,
        height_px: Optional[int] = None,
        code: Optional[LatentCodeChoice] = None,
        camera_frame: Optional[int] = None,
        identity: Optional[str] = None,
    ) -> None:
        from nerface_ns.models.base_face_model import FaceModel

        if not isinstance(pipeline.model, FaceModel):
            raise ValueError(f"{source}: expected a run of a nerface method, got {type(pipeline.model).__name__}")
        self.pipeline = pipeline
        self.model = pipeline.model
        self.height_px = height_px
        self.code = code
        dataset = pipeline.datamanager.train_dataset
        self.shares = identity_shares(self.model, identity)
        """Shares of the persons; None in a run of one."""
        self.frames = self._own_frames()
        """The person's training frames, of all that the run has."""
        self.cameras = self._identified(TrainingCameras.of(pipeline).best[self.frames])
        self.pivot = dataset.scene_box.aabb.mean(dim=0).cpu()
        self.names: tuple[str, ...] = tuple(self.model.expression_names)
        self.train_expression: Tensor = self.model.track.expression.detach().cpu()[self.frames]
        encoding = self._main_encoding()
        self.low, self.high = encoding.low.detach().cpu(), encoding.high.detach().cpu()
        self.train_gaze: Optional[Tensor] = None
        if self.model.has_gaze:
            self.train_gaze = self.model.gaze_track.expression.detach().cpu()[self.frames]
        self.neutral = torch.from_numpy(neutral_expression(self._train_array())).float()
        frame = middle_camera(self.poses) if camera_frame is None else self.training_frame(camera_frame, "camera-frame")
        self.own_camera = self.cameras[frame : frame + 1]

    @property
    def poses(self) -> Float[Tensor, "num_frames 3 4"]:
        """The training frames' cameras, refined ones where the run has them."""
        return self.cameras.camera_to_worlds

    @property
    def person(self) -> str:
        """Name of the person with the largest share; "" in a run of one."""
        identities = self.model.identities
        return "" if self.shares is None or identities is None else identities.names[int(self.shares.argmax())]

    @property
    def order(self) -> Int[Tensor, " num_frames"]:
        """The person's training frames in the recording's order."""
        order = self.model.track.order.cpu()
        place = torch.full_like(order, -1)
        place[self.frames] = torch.arange(len(self.frames))
        return place[order][place[order] >= 0]

    def training_frame(self, frame: int, option: str) -> int:
        """Return a training frame's number once it is known to exist."""
        if not 0 <= frame < len(self.train_expression):
            raise ValueError(
                f"--{option} {frame}: expected a training frame in 0..{len(self.train_expression) - 1}, got {frame}"
            )
        return frame

    def retargeting_target(self) -> RetargetingTarget:
        """Return what a driver's track is mapped onto."""
        return RetargetingTarget(names=self.names, train_expression=self._train_array(), neutral=None)

    def chosen_expression(self, text: str) -> Float[Tensor, " num_coefficients"]:
        """Return an expression given as "neutral", "mean" or "frame:N".

        Raises:
            ValueError: It is none of these, or there is no such training frame.
        """
        if text in ("neutral", "mean"):
            return self.neutral if text == "neutral" else self.train_expression.mean(dim=0)
        kind, _, frame = text.partition(":")
        if kind != "frame" or not frame.isdigit():
            raise ValueError(f"--expression {text}: expected neutral, mean or frame:N, N a training frame from 0")
        return self.train_expression[self.training_frame(int(frame), "expression frame")]

    def chosen_gaze(self, text: str, count: int) -> Optional[Float[Tensor, "count 2"]]:
        """Return the gaze that goes with an expression given likewise: its frame's, else straight ahead.

        Args:
            text: As for `chosen_expression`, and known to be good.
            count: Number of frames that show it.
        """
        if self.train_gaze is None:
            return None
        kind, _, frame = text.partition(":")
        return (self.train_gaze[int(frame)] if kind == "frame" else torch.zeros(2)).expand(count, 2)

    def extrapolation(self, expression: Float[Tensor, "num_frames num_coefficients"]) -> list[float]:
        """Return how far each frame lies outside the trained range, as a share of its width: the largest of all."""
        outside = extrapolation(*(part.double().numpy() for part in (expression, self.low, self.high)))
        return [float(value) for value in outside.max(axis=1)]

    def shots(
        self,
        poses: Sequence[Float[Tensor, "3 4"]],
        expression: Float[Tensor, "num_frames num_coefficients"],
        labels: Optional[Sequence[str]] = None,
        codes: Optional[Float[Tensor, "num_frames code_length"]] = None,
        gaze: Optional[Float[Tensor, "num_frames 2"]] = None,
    ) -> list[Shot]:
        """Return shots with the person's own camera's intrinsics.

        Args:
            poses: Where the cameras stand.
            expression: What they show.
            labels: Titles.
            codes: Latent codes; without them those of the rule.
            gaze: Pitch and yaw in radians; without it straight ahead, where the eyes follow a gaze.
        """
        if codes is None and self.code is not None:
            codes = self.code.codes(self.model, expression, self.shares)
        if gaze is None and self.train_gaze is not None:
            gaze = torch.zeros(len(expression), 2)
        base = self.own_camera if self.height_px is None else resized_camera(self.own_camera, self.height_px)
        cameras = [
            posed_camera(
                base,
                pose,
                expression[index],
                None if codes is None else codes[index],
                None if gaze is None else gaze[index],
            )
            for index, pose in enumerate(poses)
        ]
        return [Shot(camera, "" if labels is None else labels[index]) for index, camera in enumerate(cameras)]

    def _own_frames(self) -> Int[Tensor, " num_frames"]:
        identities = self.model.identities
        if self.shares is None or identities is None:
            return torch.arange(len(self.model.track.expression))
        return (identities.frame_identity.cpu() == int(self.shares.argmax())).nonzero()[:, 0]

    def _identified(self, cameras: Any) -> Any:
        """Cameras that ask for the person's shares, and so do all that are made from them."""
        if self.shares is None:
            return cameras
        shares = self.shares.expand(len(cameras), -1)
        return dataclasses.replace(cameras, metadata={**(cameras.metadata or {}), keys.IDENTITY_SHARES: shares})

    def _main_encoding(self) -> Any:
        identities = self.model.identities
        if self.shares is None or identities is None:
            return self.model.expression_encoding
        return identities.encodings[int(self.shares.argmax())]

    def _train_array(self) -> Float[np.ndarray, "num_frames num_coefficients"]:
        return self.train_expression.double().numpy()


def identity_shares(model: Any, identity: Optional[str]) -> Optional[Float[Tensor, " num_identities"]]:
    """Return the shares of persons that `--identity` asks for; None for a run of one person.

    Raises:
        ValueError: There is no such person.
    """
    if getattr(model, "identities", None) is None:
        if identity is not None:
            raise ValueError(f"--identity {identity}: expected none, this run was trained on one person")
        return None
    names = model.identities.names
    return parse_shares(names[0] if identity is None else identity, names)
