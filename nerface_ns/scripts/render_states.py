"""The modes of `nerface-render` that show states fitted by `nerface-fit`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from nerface_ns.scripts.render_commands import RenderCommand
from nerface_ns.tracks.retargeting import RetargetingConfig

if TYPE_CHECKING:
    from nerface_ns.rendering.render_plan import RenderPlan
    from nerface_ns.rendering.render_subject import RenderSubject
    from nerface_ns.tracks.fitted_state import FittedState

StatePath = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="STATE.json")]
StatePaths = Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="STATE.json")]


@dataclass(kw_only=True)
class StateCommand(RenderCommand):
    """A head fitted to a photo turns to either side and back, with its expression or with those of a track.

    The first frame is the fitted picture; --yaw-deg 0 --pitch-deg 0 keeps its camera.
    """

    state: StatePath
    """State that `nerface-fit` wrote; camera, latent code and gaze are its."""
    track: Path | None = None
    """Track whose expressions are shown instead of the fitted one."""
    retargeting: RetargetingConfig = field(default_factory=RetargetingConfig)
    """How the track's expressions are carried over."""
    seconds: float | None = None
    """Duration; without it that of the track, else 4."""
    yaw_deg: float = 25.0
    """How far the camera goes to each side."""
    pitch_deg: float = 5.0
    """How far the camera goes up and down."""
    any_run: bool = False
    """Take a state that was fitted to another training of the same person."""

    @property
    def is_watermarked(self) -> bool:
        """Whether the output is marked as synthetic: "auto" marks videos that a track drives."""
        return super().is_watermarked or (
            self.watermark == "auto" and self.track is not None and self.output.suffix != ""
        )

    def prepare(self) -> Callable[[RenderSubject], RenderPlan]:
        """Read the state and the track."""
        from nerface_ns.rendering.state_plans import turn_plan
        from nerface_ns.tracks.track_file import read_track

        _check(self, self.seconds)
        states = _read([self.state])
        track = None if self.track is None else read_track(self.track)
        seconds = self.seconds or (4.0 if track is None else track.duration_s)

        def plan(subject: RenderSubject) -> RenderPlan:
            """Plan the turn, once the state is known to fit the run."""
            _check_states(states, subject, self.any_run)
            rate = self.rate if self.fps is not None or track is None else track.frames_per_s
            return turn_plan(subject, states[0], seconds, rate, self.yaw_deg, self.pitch_deg, track, self.retargeting)

        return plan


@dataclass(kw_only=True)
class MorphCommand(RenderCommand):
    """From one fitted state to the next: a morph.

    Expression and latent code follow straight lines, the head's turn and the gaze the shortest turn.
    """

    states: StatePaths
    """Two states or more that `nerface-fit` wrote."""
    seconds: float = 3.0
    """Duration."""
    any_run: bool = False
    """Take states that were fitted to another training of the same person."""

    def prepare(self) -> Callable[[RenderSubject], RenderPlan]:
        """Read the states."""
        from nerface_ns.rendering.state_plans import morph_plan
        from nerface_ns.tracks.fitted_state import check_same_names

        _check(self, self.seconds)
        if len(self.states) < 2:
            raise ValueError(f"morph: expected at least two states, got {len(self.states)}")
        states = _read(self.states)
        for state in states[1:]:
            check_same_names(f"{state.source} (beside {states[0].source})", state.names, states[0].names)

        def plan(subject: RenderSubject) -> RenderPlan:
            """Plan the morph, once the states are known to fit the run."""
            _check_states(states, subject, self.any_run)
            return morph_plan(subject, states, self.seconds, self.rate)

        return plan


STATE_COMMANDS: dict[str, type[RenderCommand]] = {"state": StateCommand, "morph": MorphCommand}
"""Modes by name."""


def _check(command: RenderCommand, seconds: float | None) -> None:
    # NaN compares as false.
    if seconds is not None and not 0 < seconds < float("inf"):
        raise ValueError(f"--seconds {seconds}: expected a positive number")
    if command.code is not None:
        raise ValueError(f"--code {command.code}: expected none, a state has a latent code of its own")


def _read(paths: Sequence[Path]) -> list[FittedState]:
    from nerface_ns.tracks.fitted_state import read_state

    return [read_state(path) for path in paths]


def _check_states(states: Sequence[FittedState], subject: RenderSubject, any_run: bool) -> None:
    from nerface_ns.rendering.state_subject import check_state

    for state in states:
        check_state(state, subject, any_run)
