"""What a mode of `nerface-render` asks for: the frames, and how they are shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from nerface_ns.rendering.backdrop import Backdrop
from nerface_ns.rendering.picture_layout import Picture
from nerface_ns.rendering.video_writer import Sound


@dataclass(frozen=True)
class Shot:
    """One picture to render."""

    camera: Any
    """A `Cameras` of one that carries what it shows: expression, and where asked for a latent code."""
    label: str = ""
    """Title above the picture; none without it."""
    crop: Any = None
    """`OrientedBox` outside of which nothing is drawn."""


@dataclass
class RenderPlan:
    """Everything that one call renders."""

    shots: list[Shot]
    """The frames in order."""
    frames_per_s: float
    """Playback rate."""
    extrapolation: list[float] = field(default_factory=list)
    """For every frame, how far the expression asked for lies outside the trained range, as a share of its width; the
    largest over all coefficients."""
    beside: Callable[[int], Picture] | None = None
    """Picture that stands left of a frame; called with 0, 1, 2 and so on."""
    titles: tuple[str, str] | None = None
    """What stands above the picture beside and above the render."""
    sound: Sound | None = None
    """What is heard."""
    backdrop: Backdrop | None = None
    """Background that the mode brings; it gives way to one that the command asks for."""
    sheet: list[list[Shot]] = field(default_factory=list)
    """Rows of a contact sheet."""
    warnings: list[str] = field(default_factory=list)
    """What the user should know about the result."""
    details: dict[str, Any] = field(default_factory=dict)
    """What the mode adds to the report."""
