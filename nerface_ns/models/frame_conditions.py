"""The part of a face's model that says what is known of a frame: expression, latent code, pose, and gaze."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Tuple

import torch
from jaxtyping import Float, Int
from nerfstudio.cameras.cameras import Cameras
from nerfstudio.cameras.rays import RayBundle
from torch import Tensor
from torch.nn import Parameter

from nerface_ns.conditioning import keys
from nerface_ns.conditioning.face_condition import (
    CodeProtocol,
    DrivenFrame,
    FaceCondition,
    FrameDriver,
    as_row,
    ask_driver,
)

if TYPE_CHECKING:
    from nerfstudio.models.base_model import Model

    from nerface_ns.conditioning.expression import ExpressionEncoding
    from nerface_ns.conditioning.head_pose import HeadPoseEncoding
    from nerface_ns.conditioning.identities import Identities
    from nerface_ns.conditioning.latent_codes import LatentCodes
    from nerface_ns.conditioning.recorded_track import RecordedTrack
    from nerface_ns.conditioning.recorded_views import RecordedViews

    _Base = Model
else:
    _Base = object


class FrameConditions(_Base):
    """Mixed into models: conditions of rays, of training frames and of cameras."""

    has_gaze: bool = False
    """Whether the eyes follow a gaze, which then is a condition of its own."""
    frame_driver: Optional[FrameDriver] = None
    """Says what cameras without an expression of their own show; None follows the recording along their time."""
    if TYPE_CHECKING:
        config: Any
        expression_encoding: ExpressionEncoding
        gaze_track: RecordedTrack  # only where has_gaze
        head_pose_encoding: HeadPoseEncoding
        identities: Optional[Identities]  # only where the data show several persons
        latent_codes: LatentCodes
        is_rigid: bool
        is_statue: bool
        recorded_views: RecordedViews
        track: RecordedTrack
        train_camera_to_world: Tensor

        correct_expression: Callable[[Tensor, Tensor], Tensor]

    @property
    def unseen_code(self) -> Tuple[CodeProtocol, int]:
        """Protocol that gives frames never trained on their latent code, and the frame of protocol "frame"."""
        return self.config.code_protocol, self.config.code_frame

    def get_ray_conditions(self, ray_bundle: RayBundle) -> Tuple[FaceCondition, Int[Tensor, "num_rays"]]:
        """Return the distinct frames' conditions and each ray's row; rays must be grouped by frame."""
        metadata = ray_bundle.metadata
        index = metadata[keys.FRAME_INDEX][:, 0]
        camera = ray_bundle.camera_indices[:, 0]  # type: ignore[index]
        starts = torch.ones_like(index, dtype=torch.bool)
        starts[1:] = (index[1:] != index[:-1]) | (camera[1:] != camera[:-1])
        frame_rows = starts.long().cumsum(0) - 1
        first = starts.nonzero()[:, 0]
        rotation = metadata[keys.CAMERA_ROTATION][first].reshape(-1, 3, 3)
        camera_to_world = torch.cat([rotation, ray_bundle.origins[first][:, :, None]], dim=-1)
        expression, gaze = (metadata[key][first] if key in metadata else None for key in (keys.EXPRESSION, keys.GAZE))
        whose = metadata[keys.IDENTITY][first, 0] if keys.IDENTITY in metadata else None
        identity = None if whose is None else self.identity_shares(whose)
        return self.make_condition(camera_to_world, index[first], expression, None, gaze, identity), frame_rows

    def make_condition(
        self,
        camera_to_world: Float[Tensor, "num_frames 3 4"],
        frame_index: Optional[Int[Tensor, "num_frames"]] = None,
        expression: Optional[Float[Tensor, "num_frames num_coefficients"]] = None,
        latent_code: Optional[Float[Tensor, "num_frames code_length"]] = None,
        gaze: Optional[Float[Tensor, "num_frames 2"]] = None,
        identity: Optional[Float[Tensor, "num_frames num_identities"]] = None,
    ) -> FaceCondition:
        """Look up what is known of frames.

        Args:
            camera_to_world: The frames' cameras.
            frame_index: Training frames, -1 for others; None if none was trained on.
            expression: Raw coefficients; None takes those of the training frames.
            latent_code: Codes; None takes the training frames', and for others follows the code protocol.
            gaze: Pitch and yaw in radians; None takes those of the training frames, and their mean for others. Without
                use where gaze is no condition.
            identity: Shares of the persons; None takes the training frames', and for others the person that is shown.
                Without use where the model knows one.
        """
        if frame_index is None:
            frame_index = torch.full((len(camera_to_world),), -1, device=self.device)
        if expression is None:
            expression = self.track.expression[frame_index]
        expression = self.correct_expression(expression, frame_index)
        identities = self.identities
        if identities is not None and identity is None:
            identity = identities.of_frames(frame_index)
        if latent_code is None:
            latent_code = self._look_up_codes(frame_index, expression, identity)
        rotation, position = camera_to_world[:, :, :3], camera_to_world[:, :, 3]
        pose = self.head_pose_encoding(rotation, position)
        # While cameras alone have to explain the head's pose, nothing may stand still in its stead.
        to_rest = None if self.is_rigid else self.head_pose_encoding.to_rest(rotation, position)
        shown_gaze = self.frame_gaze(gaze, frame_index)
        if identities is None or identity is None:
            encoded = self.expression_encoding(expression)
        else:
            encoded = identities.encode(expression, identity)
        if self.is_statue:
            encoded, latent_code = torch.zeros_like(encoded), torch.zeros_like(latent_code)
            shown_gaze = None if shown_gaze is None else torch.zeros_like(shown_gaze)
        if identities is not None and identity is not None:
            code = identities(identity)
            encoded = torch.cat([encoded, code], dim=-1)
            latent_code = torch.cat([latent_code, code], dim=-1)
        return FaceCondition(encoded, latent_code, pose, rotation, shown_gaze, identity, to_rest)

    def identity_groups(self) -> Dict[str, List[Parameter]]:
        """Return the parameter group "identity_codes", where the model knows several persons."""
        return {} if self.identities is None else {"identity_codes": [self.identities.codes]}

    def identity_shares(self, whose: Int[Tensor, "num_frames"]) -> Optional[Tensor]:
        """Return the shares of persons given by number; None where the model knows one."""
        identities = self.identities
        if identities is None:
            return None
        return torch.nn.functional.one_hot(whose.to(self.device), len(identities.names)).float()

    def _look_up_codes(self, frame_index: Tensor, expression: Tensor, identity: Optional[Tensor]) -> Tensor:
        known = frame_index >= 0
        code = self.latent_codes(frame_index.clamp(min=0))
        if known.all():
            return code
        likeness = None if identity is None else self.identities.frames_like(identity)  # type: ignore[union-attr]
        unseen = self.latent_codes.unseen(expression, *self.unseen_code, likeness)
        return torch.where(known[:, None], code, unseen)

    def frame_gaze(self, gaze: Optional[Tensor], frame_index: Tensor) -> Optional[Tensor]:
        """Return the gaze that frames show; None where gaze is no condition."""
        return None

    def recorded_gaze(self, camera: Cameras) -> Optional[Tensor]:
        """Return the gaze (1, 2) of the recording at a camera's time, or from where it stands; None as above."""
        return None

    def get_camera_condition(self, camera: Cameras, driven: Optional[DrivenFrame] = None) -> FaceCondition:
        """Return what a camera asks for; `driven` is the frame driver's answer, where it was asked already.

        Its own expression, else that of the training frame it is, else the frame driver's, else the recording's at its
        time, else what was recorded from there. A latent code of its own, or the driver's, precedes the code protocol.
        Gaze, where it is a condition, follows the expression's order, by itself.
        """
        driven = ask_driver(self.frame_driver, camera) if driven is None else driven
        metadata = camera.metadata or {}
        index = metadata.get(keys.FRAME_INDEX)
        expression, gaze = metadata.get(keys.EXPRESSION, driven.expression), metadata.get(keys.GAZE, driven.gaze)
        latent_code = metadata.get(keys.LATENT_CODE, driven.latent_code)
        if index is None or int(index.flatten()[0]) < 0:
            expression = self._recorded_expression(camera) if expression is None else expression
            gaze = self.recorded_gaze(camera) if gaze is None else gaze
        num_coefficients, code_length = self.track.expression.shape[1], self.latent_codes.codes.shape[1]
        poses = self.train_camera_to_world
        expression = as_row(expression, num_coefficients, "expression coefficients", poses)
        latent_code = as_row(latent_code, code_length, "numbers in a latent code", poses)
        gaze = as_row(gaze, 2, "angles of gaze", poses) if self.has_gaze else None
        camera_to_world = camera.camera_to_worlds.reshape(-1, 3, 4)[:1].to(poses)
        frame_index = None if index is None else index.reshape(-1)[:1].to(self.device)
        identity = self._camera_identity(camera, driven, frame_index)
        return self.make_condition(camera_to_world, frame_index, expression, latent_code, gaze, identity)

    def _camera_identity(self, camera: Cameras, driven: DrivenFrame, frame_index: Optional[Tensor]) -> Optional[Tensor]:
        """Return the shares (1, num_identities) that a camera asks for.

        Its own shares, else those of the person whose frame it is, else the driver's, else the recording's at its time.
        None where it is a training frame's, or says nothing at all.
        """
        identities, metadata = self.identities, camera.metadata or {}
        if identities is None:
            return None
        if keys.IDENTITY_SHARES in metadata or driven.identity is not None:
            asked = metadata.get(keys.IDENTITY_SHARES, driven.identity)
            return as_row(asked, len(identities.names), "shares of persons", identities.codes)
        if keys.IDENTITY in metadata:
            return self.identity_shares(metadata[keys.IDENTITY].reshape(-1)[:1].long())
        if (frame_index is None or int(frame_index[0]) < 0) and camera.times is not None:
            return identities.of_frames(self.track.nearest(camera.times.reshape(-1)[:1].to(self.train_camera_to_world)))
        return None

    def _recorded_expression(self, camera: Cameras) -> Tensor:
        if camera.times is not None:
            return self.track(camera.times.reshape(-1)[:1].to(self.train_camera_to_world))
        return self.recorded_views(camera.camera_to_worlds.reshape(-1, 3, 4)[:1].to(self.train_camera_to_world))
