"""The modes of `nerface-avatar` and their options."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Optional

import tyro

from nerface_ns.scripts.render_commands import DriveCommand, OrbitCommand

if TYPE_CHECKING:
    from nerface_ns.rendering.render_plan import RenderPlan
    from nerface_ns.rendering.render_subject import RenderSubject

AvatarPath = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(name="avatar", metavar="AVATAR.nerface")]
RunPath = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(name="run", metavar="RUN")]
OutputPath = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="AVATAR.nerface")]


@dataclass(kw_only=True)
class ExportCommand:
    """Write a trained run as one avatar file, which can be handed on and loaded without trusting whoever made it.

    Loading a run executes code that its config.yml and checkpoint name, so export runs of your own only.
    """

    run: RunPath
    """The run's folder, or its config.yml."""
    output: OutputPath
    """NAME.nerface."""
    licence: Optional[str] = None
    """What may be done with the avatar; "not stated" without it."""
    note: Optional[str] = None
    """Whether the person shown agreed, and to what; "not stated" without it."""


@dataclass(kw_only=True)
class ShowCommand:
    """Print what an avatar file says about itself."""

    avatar: AvatarPath
    """The avatar."""
    thumbnail: Optional[Path] = None
    """NAME.png to write the thumbnail to."""


@dataclass(kw_only=True)
class AvatarRenderCommand(OrbitCommand):
    """A picture (NAME.png) from the person's own camera, or a video in which the camera circles about the head.

    It shows one expression, or a track.
    """

    load_config: AvatarPath
    """The avatar."""
    camera: Literal["orbit", "own"] = "orbit"
    """What the camera does in a video: circle about the head, or stand still."""

    def prepare(self) -> Callable[[RenderSubject], RenderPlan]:
        """Read the track; a camera that stands still is an orbit of no size."""
        if self.camera == "own":
            self.yaw_deg = self.pitch_deg = 0.0
        return super().prepare()


@dataclass(kw_only=True)
class AvatarDriveCommand(DriveCommand):
    """Reenactment: the avatar shows what a driver's track says. Videos are marked as synthetic, see --watermark."""

    load_config: AvatarPath
    """The avatar."""


@dataclass(kw_only=True)
class ImportCommand:
    """Make a run folder for ns-viewer and ns-render out of an avatar.

    Every training frame's picture in it is the thumbnail: the run can be looked at, but not trained further or scored.
    """

    avatar: AvatarPath
    """The avatar."""
    output_dir: Path = Path("outputs")
    """Folder below which the run's own folder is made."""


COMMANDS = {
    "export": ExportCommand,
    "show": ShowCommand,
    "render": AvatarRenderCommand,
    "drive": AvatarDriveCommand,
    "import": ImportCommand,
}
"""Modes by name."""
