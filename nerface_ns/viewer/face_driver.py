"""What the viewer's panel makes the face show. No widgets here: the panel's buttons call these methods.

The render thread asks (`FaceDriver.__call__`) while widgets' threads change things, so everything that belongs together
stands in one frozen `FaceState`, which is replaced whole.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Optional, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from nerface_ns.conditioning.expression import ExpressionEncoding
from nerface_ns.conditioning.face_condition import DrivenFrame
from nerface_ns.conditioning.identities import Identities
from nerface_ns.conditioning.latent_codes import LatentCodes
from nerface_ns.conditioning.recorded_track import RecordedTrack
from nerface_ns.model_components.foveation import FoveationConfig
from nerface_ns.tracks.retargeting import neutral_expression
from nerface_ns.viewer.gaze_source import GazeSource
from nerface_ns.viewer.track_player import PlayedTrack, TrackPlayer

DriveMode = Literal["time slider", "expression sliders", "track", "live"]
"""Who says what the face shows."""
CodeKind = Literal["as evaluated", "zero", "mean", "training frame", "loaded state"]
"""Latent code of the pictures; "as evaluated" is the model's own rule for frames it was not trained on."""
RECORDED_FRAMES_PER_S = 25.0
"""Frame rate at which the recording plays: the datasets do not tell theirs."""


@runtime_checkable
class DrivableFace(Protocol):
    """What the panel needs to know of a model."""

    expression_names: tuple[str, ...]
    expression_encoding: ExpressionEncoding
    latent_codes: LatentCodes
    track: RecordedTrack
    identities: Optional[Identities]
    has_gaze: bool
    frame_driver: Optional[Callable[[Any], DrivenFrame]]
    foveation: FoveationConfig

    @property
    def unseen_code(self) -> tuple[Any, Any]:
        """Protocol that gives frames never trained on their latent code, and its frame."""
        ...


@dataclass(frozen=True)
class FaceState:
    """Everything the panel says about a picture."""

    mode: DriveMode
    """Who drives."""
    expression: Float[np.ndarray, "num_coefficients"]
    """Raw coefficients that the expression sliders stand at."""
    code: CodeKind = "as evaluated"
    """Which latent code."""
    frame: int = 0
    """Training frame that was loaded last."""
    other_frame: int = 0
    """The one it is blended with."""
    share: float = 0.0
    """Weight of the other frame, 0 to 1."""
    gaze: tuple[float, float] = (0.0, 0.0)
    """Pitch and yaw in radians that the gaze sliders stand at, for an avatar whose eyes follow them."""
    eyes_follow: bool = False
    """Whether the eyes look at the camera instead, whoever drives."""
    loaded_code: Optional[Float[np.ndarray, "code_length"]] = None
    """Latent code of the state that was loaded last."""
    shares: Optional[tuple[float, ...]] = None
    """Shares of the persons in the face; None shows whose recording it is at the time, and a model of one person."""
    background: Optional[tuple[float, float, float]] = None
    """Colour behind the head, red, green, blue in [0, 1]; None shows the model's own background."""


class FaceDriver:
    """Answers the model's question what a camera without an expression of its own shows.

    Args:
        model: The avatar.
    """

    def __init__(self, model: DrivableFace) -> None:
        self._model = model
        self._lock = threading.Lock()
        self._time = 0.0
        self.gaze = GazeSource(model) if model.has_gaze else None
        """Knows the recording's gaze; None for an avatar whose eyes go with its expression."""
        self.player = TrackPlayer(recorded_track(model.track, None if self.gaze is None else self.gaze.recorded))
        self.live_expression: Optional[Float[np.ndarray, "num_coefficients"]] = None
        """What the live source shows now."""
        self.live_gaze: Optional[Float[np.ndarray, "2"]] = None
        """Where it looks, if it knows."""
        self.state = FaceState("time slider", self.train_expression.mean(axis=0))
        """Replaced whole, never changed in place."""

    @property
    def train_expression(self) -> Float[np.ndarray, "num_frames num_coefficients"]:
        """Raw coefficients of the training frames."""
        return self._model.track.expression.cpu().double().numpy()

    def __call__(self, camera: Any) -> DrivenFrame:
        """Return what a camera shows.

        Args:
            camera: A `Cameras` of one; its time is that of the viewer's own time slider.
        """
        if camera.times is not None:
            self._time = float(camera.times.flatten()[0])
        state = self.state
        expression = None
        if state.mode != "time slider":
            expression = torch.from_numpy(self.expression_of(state)).float()
        colour = None if state.background is None else torch.tensor(state.background)
        gaze, identity = self._gaze_towards(camera, state), None
        if self._model.identities is not None and state.shares is not None:
            identity = torch.tensor(state.shares)
        return DrivenFrame(expression, self._latent_code(state), colour, gaze, identity)

    def expression_of(self, state: FaceState) -> Float[np.ndarray, "num_coefficients"]:
        """Return the raw coefficients that a state shows now."""
        if state.mode == "track":
            return self.player.expression
        if state.mode == "live" and self.live_expression is not None:
            return self.live_expression
        if state.mode == "time slider":
            return self._model.track(torch.tensor([self._time]))[0].cpu().double().numpy()
        return state.expression

    @property
    def shown_expression(self) -> Float[np.ndarray, "num_coefficients"]:
        """Raw coefficients that the face shows now, whoever drives."""
        return self.expression_of(self.state)

    def _gaze_towards(self, camera: Any, state: FaceState) -> Optional[Float[Tensor, "2"]]:
        """Return where the eyes look in a camera's picture; None leaves it to the camera's time."""
        if self.gaze is None or (state.mode == "time slider" and not state.eyes_follow):
            return None
        if state.eyes_follow:
            return self.gaze.at_camera(camera)
        shown = self.gaze_of(state)
        return None if shown is None else torch.from_numpy(shown).float()

    def gaze_of(self, state: FaceState) -> Optional[Float[np.ndarray, "2"]]:
        """Return pitch and yaw that a state shows now, before a camera that is looked at; None where none drives."""
        if self.gaze is None:
            return None
        if state.mode == "time slider":
            return self.gaze.recorded_at(self._time)
        played = {"track": self.player.gaze, "live": self.live_gaze}.get(state.mode)
        return np.array(state.gaze) if played is None else played

    @property
    def shown_gaze(self) -> Optional[Float[np.ndarray, "2"]]:
        """Pitch and yaw that the face shows now; None for an avatar whose eyes go with its expression."""
        return self.gaze_of(self.state)

    def set_gaze(self, pitch: float, yaw: float) -> None:
        """Let the eyes look there, in radians; the expression stays what the face shows now, whoever drove it."""
        shown = self.shown_expression.copy()
        self.change(mode="expression sliders", expression=shown, gaze=(pitch, yaw), eyes_follow=False)

    def _latent_code(self, state: FaceState) -> Optional[Float[Tensor, "code_length"]]:
        codes = self._model.latent_codes.codes.detach()
        if state.code == "zero":
            return torch.zeros_like(codes[0])
        if state.code == "mean":
            return codes.mean(dim=0)
        if state.code == "training frame":
            return torch.lerp(codes[state.frame], codes[state.other_frame], state.share)
        if state.code == "loaded state" and state.loaded_code is not None:
            return torch.from_numpy(state.loaded_code).to(codes)
        return None

    def follow_time(self, time: float) -> None:
        """Let nerfstudio's time slider drive, at a place on the recording in [0, 1]."""
        self._time = time
        self.change(mode="time slider")

    @property
    def recording_span(self) -> tuple[float, float, float]:
        """First and last training frame on the recording, within [0, 1], and the length of it all in seconds."""
        times = self._model.track.times
        return float(times[0]), float(times[-1]), recording_length_s(self._model.track)

    def change(self, **changes: Any) -> None:
        """Replace fields of the state."""
        with self._lock:
            self.state = dataclasses.replace(self.state, **changes)

    def set_coefficient(self, index: int, value: float) -> None:
        """Set one coefficient; the others stay what the face shows now, whoever drove until now."""
        expression = self.shown_expression.copy()
        expression[index] = value
        self.set_expression(expression, self.shown_gaze)

    def set_expression(
        self, expression: Float[np.ndarray, "num_coefficients"], gaze: Optional[Float[np.ndarray, "2"]] = None
    ) -> None:
        """Let the sliders drive, at these coefficients, and at this gaze if there is one."""
        looks = {} if gaze is None else {"gaze": (float(gaze[0]), float(gaze[1]))}
        self.change(mode="expression sliders", expression=expression, **looks)

    def set_neutral(self) -> None:
        """Show the face at rest, looking ahead."""
        self.set_expression(neutral_expression(self.train_expression), np.zeros(2))

    def set_random(self, generator: np.random.Generator) -> None:
        """Show a random face that this person could make.

        Coefficients are drawn with the mean and the covariance of the training frames, then kept in their range: drawn
        one by one, they would make grimaces. Gaze, where it is apart, is drawn evenly from its range.
        """
        train = self.train_expression
        weights = generator.standard_normal(len(train)) / np.sqrt(len(train))
        expression = train.mean(axis=0) + weights @ (train - train.mean(axis=0))
        gaze = None if self.gaze is None else self.gaze.random(generator)
        self.set_expression(np.clip(expression, train.min(axis=0), train.max(axis=0)), gaze)

    def load_frame(self, frame: int, other_frame: int = 0, share: float = 0.0) -> None:
        """Show a training frame's expression with its latent code, or a blend of two.

        Raises:
            ValueError: There is no such training frame.
        """
        train = self.train_expression
        for index in (frame, other_frame):
            if not 0 <= index < len(train):
                raise ValueError(f"training frame: expected one in 0..{len(train) - 1}, got {index}")
        self.change(
            mode="expression sliders",
            expression=(1 - share) * train[frame] + share * train[other_frame],
            code="training frame",
            frame=frame,
            other_frame=other_frame,
            share=share,
            gaze=(0.0, 0.0) if self.gaze is None else self.gaze.of_frames(frame, other_frame, share),
            shares=self._shares_of_frames(frame, other_frame, share),
        )

    def _shares_of_frames(self, frame: int, other_frame: int, share: float) -> Optional[tuple[float, ...]]:
        """Shares of the persons in a blend of two training frames."""
        identities = self._model.identities
        if identities is None:
            return None
        first, second = identities.of_frames(torch.tensor([frame, other_frame]).to(identities.frame_identity)).cpu()
        return tuple(torch.lerp(first, second, share).tolist())

    def load_state(
        self,
        expression: Float[np.ndarray, "num_coefficients"],
        code: Float[np.ndarray, "code_length"],
        gaze: Optional[Float[np.ndarray, "2"]] = None,
        shares: Optional[tuple[float, ...]] = None,
    ) -> None:
        """Show an expression with a latent code, a gaze and persons, such as those that were fitted to a photo."""
        looks: dict[str, Any] = {}
        if gaze is not None:
            looks = {"gaze": (float(gaze[0]), float(gaze[1])), "eyes_follow": False}
        if shares is not None:
            looks["shares"] = shares
        self.change(mode="expression sliders", expression=expression, code="loaded state", loaded_code=code, **looks)


def recording_length_s(track: RecordedTrack) -> float:
    """Return the length of a recording, held-out frames included, from the least time between two frames."""
    gaps = track.times.diff()
    gaps = gaps[gaps > 0]
    return 1 / (float(gaps.min()) * RECORDED_FRAMES_PER_S) if len(gaps) else 0.0


def recorded_track(track: RecordedTrack, gaze: Optional[RecordedTrack] = None) -> PlayedTrack:
    """Return the training frames in the recording's order, with their gaze where it is apart."""
    times = track.times.cpu().double().numpy()
    expression = track.expression[track.order].cpu().double().numpy()
    looks = None if gaze is None else gaze.expression[gaze.order].cpu().double().numpy()
    return PlayedTrack("recording", (times - times[0]) * recording_length_s(track), expression, looks)
