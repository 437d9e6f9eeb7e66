"""The modes of `nerface-render` and their options."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from nerface_ns.rendering.head_pose_config import HeadPoseConfig
from nerface_ns.rendering.spiral_config import SpiralConfig
from nerface_ns.tracks.retargeting import RetargetingConfig

if TYPE_CHECKING:
    from nerface_ns.rendering.render_plan import RenderPlan
    from nerface_ns.rendering.render_subject import RenderSubject

FRAMES_PER_S = 25.0
"""Rate where neither the command nor a track or camera path names one."""


@dataclass(kw_only=True)
class RenderCommand:
    """What every mode takes."""

    load_config: Path
    """The run's config.yml."""
    output: Path
    """NAME.mp4 (H.264), NAME.webm (VP9), NAME.gif, or a folder (no suffix) for PNG files."""
    json: Path | None = None
    """File for the report: frames, fps, seconds, extrapolation of every frame, warnings, machine."""
    fps: float | None = None
    """Frames per second; without it the track's or the camera path's, else 25."""
    size: int | None = None
    """Height of the render in pixels; without it that of the training images, or of the camera path."""
    crf: int | None = None
    """Quality of a video, 0 best; 18 for .mp4 (of 51) and 24 for .webm (of 63) without it."""
    background: str | None = None
    """recorded; transparent (.webm or PNG files: the head alone, nothing beside it); or a colour such as white or
    #20c040. Without it the recorded one, or that of a camera path's crop."""
    code: str | None = None
    """Latent code of all frames: zero, mean (of all training frames), nearest (that of the training frame with the
    nearest expression) or frame:N; the run's own rule without it."""
    gaze: tuple[float, float] | None = None
    """Where the eyes look in all frames, of an avatar whose eyes follow a gaze (nerface-gaze): pitch (up) and yaw
    (towards the person's left) in degrees; without it the track's gaze, else straight ahead."""
    look_at: Literal["camera"] | tuple[float, float, float] | None = None
    """What the eyes look at instead: camera, so that they follow the viewer, or x y z, a point of the scene, in which
    the head stands still."""
    camera_frame: int | None = None
    """Training frame whose camera is the person's own; without it the one nearest to the cameras' mean position."""
    identity: str | None = None
    """Person to show, of a run that was trained on several: a name, or a mixture such as anna:0.3,ben:0.7; the first
    person without it. States of morph and state carry their own."""
    show_extrapolation: bool = False
    """Draw a bar under every frame: green within the trained range, yellow, and red from half a range outside."""
    shard: str | None = None
    """Render part i of n, as i/n with i from 1 on, and keep its frames in OUTPUT.frames; call once for each part, in
    several processes or on machines that share the folder, then once without it to write the output."""
    watermark: Literal["auto", "on", "off"] = "auto"
    """Mark the output as synthetic, by a label in the lower right corner and in the file's metadata. "auto": the videos
    and animations of drive, not folders of PNG files and not other modes; "off" leaves it out."""
    marks_videos: ClassVar[bool] = False
    """Whether "auto" marks this mode's videos."""

    @property
    def rate(self) -> float:
        """Frames per second of a mode that has none of its own."""
        return FRAMES_PER_S if self.fps is None else self.fps

    @property
    def is_watermarked(self) -> bool:
        """Whether the output is marked as synthetic."""
        return self.watermark == "on" or (self.watermark == "auto" and self.marks_videos and self.output.suffix != "")

    def prepare(self) -> Callable[[RenderSubject], RenderPlan]:
        """Read and check the mode's own inputs, and return what makes the plan once the run is loaded."""
        raise NotImplementedError


@dataclass(kw_only=True)
class DriveCommand(RenderCommand):
    """Reenactment: the person shows what a driver's track says."""

    track: Path
    """The driver's track: JSON, CSV with a header, or a CSV of Live Link Face."""
    retargeting: RetargetingConfig = field(default_factory=RetargetingConfig)
    """How the driver's expressions are carried over."""
    head: HeadPoseConfig = field(default_factory=HeadPoseConfig)
    """How the head moves."""
    side_by_side: bool = True
    """Put the driver's pictures beside the avatar, where the track names pictures or a video."""
    sound: bool = True
    """Keep the sound of the driver's video, where the track names one (.mp4 and .webm)."""
    marks_videos: ClassVar[bool] = True

    def prepare(self) -> Callable[[RenderSubject], RenderPlan]:
        """Read the track."""
        from nerface_ns.rendering.drive_plan import drive_plan
        from nerface_ns.tracks.track_file import read_track

        track = read_track(self.track)
        beside = self.side_by_side and self.background != "transparent"
        return lambda subject: drive_plan(
            subject, track, self.retargeting, self.head, self.fps, self.camera_frame, beside, self.sound
        )


@dataclass(kw_only=True)
class SweepCommand(RenderCommand):
    """Every expression from the low to the high end of its trained range: a video, and a contact sheet beside it."""

    expressions: tuple[str, ...] = ()
    """Names of the expressions to show; all without it."""
    columns: int = 5
    """Pictures of each expression on the contact sheet (OUTPUT_sheet.png)."""
    cell_px: int = 160
    """Height of a picture on the contact sheet."""
    seconds_each: float = 1.0
    """Duration of each expression in the video, to the high end and back."""
    expression: str = "neutral"
    """What the others are at: neutral, mean (of all training frames) or frame:N."""

    def prepare(self) -> Callable[[RenderSubject], RenderPlan]:
        """Check the numbers."""
        from nerface_ns.rendering.sweep_plan import sweep_plan

        _check_positive("seconds-each", self.seconds_each)
        _check_positive("cell-px", self.cell_px)
        if self.columns < 2:
            raise ValueError(f"--columns {self.columns}: expected at least 2, the low and the high end")
        return lambda subject: sweep_plan(
            subject,
            self.expressions,
            self.columns,
            self.seconds_each,
            self.rate,
            subject.chosen_expression(self.expression),
        )


@dataclass(kw_only=True)
class SelfCommand(RenderCommand):
    """A recorded split, which the avatar was not trained on, beside what the avatar makes of it."""

    split: Literal["test", "val", "nvs", "train"] = "test"
    """Split to show."""
    max_frames: int | None = None
    """Show so many frames, evenly spread; all without it."""

    def prepare(self) -> Callable[[RenderSubject], RenderPlan]:
        """Check the number of frames."""
        from nerface_ns.rendering.split_plan import split_plan

        if self.max_frames is not None:
            _check_positive("max-frames", self.max_frames)
        return lambda subject: split_plan(
            subject, self.split, self.rate, self.max_frames, beside_truth=self.background != "transparent"
        )


@dataclass(kw_only=True)
class TrackOrStillCommand(RenderCommand):
    """What modes take that show one expression or a track."""

    track: Path | None = None
    """Track to show at its own speed; its last frame stays."""
    expression: str = "neutral"
    """What is shown without a track: neutral, mean (of all training frames) or frame:N."""
    retargeting: RetargetingConfig = field(default_factory=RetargetingConfig)
    """How the track's expressions are carried over."""


@dataclass(kw_only=True)
class OrbitCommand(TrackOrStillCommand):
    """The camera circles once about the head, which shows one expression or a track."""

    seconds: float = 4.0
    """Duration of the round."""
    yaw_deg: float = 25.0
    """How far the camera goes to each side."""
    pitch_deg: float = 8.0
    """How far the camera goes up and down."""

    def prepare(self) -> Callable[[RenderSubject], RenderPlan]:
        """Read the track."""
        from nerface_ns.rendering.camera_plans import orbit_plan
        from nerface_ns.tracks.track_file import read_track

        _check_positive("seconds", self.seconds)
        track = None if self.track is None else read_track(self.track)
        return lambda subject: orbit_plan(
            subject, self.expression, track, self.retargeting, self.seconds, self.rate, self.yaw_deg, self.pitch_deg
        )


@dataclass(kw_only=True)
class SpiralCommand(TrackOrStillCommand):
    """The camera moves on a spiral about the middle of the training cameras, refined ones where the run has them."""

    seconds: float = 6.0
    """Duration of the whole spiral."""
    spiral: SpiralConfig = field(default_factory=SpiralConfig)
    """Shape of the spiral."""

    def prepare(self) -> Callable[[RenderSubject], RenderPlan]:
        """Read the track."""
        from nerface_ns.rendering.camera_plans import spiral_plan
        from nerface_ns.tracks.track_file import read_track

        _check_positive("seconds", self.seconds)
        self.spiral.check()
        track = None if self.track is None else read_track(self.track)
        return lambda subject: spiral_plan(
            subject, self.expression, track, self.retargeting, self.seconds, self.rate, self.spiral
        )


@dataclass(kw_only=True)
class PathCommand(TrackOrStillCommand):
    """A camera path saved by nerfstudio's viewer.

    It shows the track named here, else the one that this package's viewer panel attached to it, else the recording
    along its render_time.
    """

    camera_path: Path
    """The JSON file."""

    def prepare(self) -> Callable[[RenderSubject], RenderPlan]:
        """Read camera path and track."""
        from nerface_ns.rendering.camera_path_file import read_camera_path
        from nerface_ns.rendering.path_plan import path_plan
        from nerface_ns.tracks.track_file import read_track

        path = read_camera_path(self.camera_path)
        track_file = self.track or path.track_file
        track = None if track_file is None else read_track(track_file)
        return lambda subject: path_plan(subject, path, track, self.retargeting, self.expression, self.fps)


@dataclass(kw_only=True)
class InterpolateCommand(RenderCommand):
    """From training frame to training frame: expressions, latent codes, and on request cameras.

    After a training with camera refinement, the cameras are the refined ones.
    """

    frames: tuple[int, ...] = ()
    """Training frames to pass, two or more; without it --keyframes of the whole recording."""
    keyframes: int = 12
    """Training frames to pass where none are named, evenly spread over the recording."""
    seconds: float = 3.0
    """Duration."""
    move_camera: bool = False
    """Move through the frames' cameras (positions along lines, rotations by Slerp); without it the person's own camera
    stands still."""

    def prepare(self) -> Callable[[RenderSubject], RenderPlan]:
        """Check the duration and the number of frames."""
        from nerface_ns.rendering.camera_plans import interpolation_plan, recording_keyframes

        _check_positive("seconds", self.seconds)
        if self.keyframes < 2:
            raise ValueError(f"--keyframes {self.keyframes}: expected at least 2")

        def plan(subject: RenderSubject) -> RenderPlan:
            """Plan the way between the frames, or between keyframes of the recording."""
            frames = self.frames or recording_keyframes(subject, self.keyframes)
            return interpolation_plan(subject, frames, self.seconds, self.rate, self.move_camera)

        return plan


COMMANDS: dict[str, type[RenderCommand]] = {
    "drive": DriveCommand,
    "sweep": SweepCommand,
    "self": SelfCommand,
    "orbit": OrbitCommand,
    "spiral": SpiralCommand,
    "path": PathCommand,
    "interpolate": InterpolateCommand,
}
"""Modes by name."""


def _check_positive(option: str, value: float) -> None:
    # NaN compares as false.
    if not 0 < value < float("inf"):
        raise ValueError(f"--{option} {value}: expected a positive number")


def check_shared_options(command: RenderCommand) -> None:
    """Refuse rates, sizes and gazes that cannot be."""
    from nerface_ns.rendering.gaze_target import GazeTarget

    GazeTarget.of(command.gaze, command.look_at)
    for option, value in (("fps", command.fps), ("size", command.size)):
        if value is not None:
            _check_positive(option, value)
