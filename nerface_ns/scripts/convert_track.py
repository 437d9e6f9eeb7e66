"""`nerface-convert-track`: makes track files from recordings, datasets and runs; cuts, smooths, resamples, joins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import tyro

from nerface_ns.scripts.command_errors import one_clear_error
from nerface_ns.tracks.one_euro import OneEuroConfig

if TYPE_CHECKING:
    from nerface_ns.tracks.expression_track import ExpressionTrack

TRACK_SUFFIXES = (".json", ".csv")


@dataclass(kw_only=True)
class ConvertTrackCommand:
    """Make a track file.

    Each input is smoothed and resampled; several are then joined, one behind the other; and the result is cut.
    """

    inputs: tyro.conf.Positional[tuple[Path, ...]] = ()
    """Track files (.json, .csv), Live Link Face recordings (.csv), runs (their config.yml), or datasets (read with
    --dataparser); none for a dataparser that needs no data, such as nerface-demo."""
    output: Path
    """The file to write: .json, or .csv, which leaves out neutral expression, pictures and video."""
    dataparser: str | None = None
    """Registered dataparser of inputs that are folders, such as nerface-data."""
    split: str = "all"
    """Split of datasets and runs: train, val, test, any other that exists, or all (train, val and test as recorded)."""
    input_fps: float | None = None
    """Frames per second of inputs that do not tell it: datasets (25 without it), and .csv with frame numbers."""
    fps: float | None = None
    """Frames per second of the output; the first input's without it."""
    smooth: Literal["none", "one-euro", "savitzky-golay"] = "none"
    """Smoothing of coefficients, gaze and head pose."""
    window_s: float = 0.3
    """Savitzky-Golay: length of the window."""
    polynomial_order: int = 2
    """Savitzky-Golay: order of the polynomial."""
    one_euro: OneEuroConfig = field(default_factory=OneEuroConfig)
    """One-Euro: its settings."""
    by_names: bool = False
    """Join inputs with different coefficients: keep those of the first that all have by name."""
    start: float = 0.0
    """Seconds to leave out at the start."""
    end: float | None = None
    """Second at which to end; the end of the last input without it."""


def main(command: ConvertTrackCommand) -> ExpressionTrack:
    """Read, edit and write; returns what was written."""
    from nerface_ns.tracks.track_editing import concatenate, resample, smooth, trim
    from nerface_ns.tracks.track_file import write_track

    if command.output.suffix.lower() not in TRACK_SUFFIXES:
        raise ValueError(f"--output {command.output}: expected a file ending in .json or .csv")
    if not command.inputs and command.dataparser is None:
        raise ValueError("expected at least one input, or a --dataparser that needs none; got neither")
    tracks = [_read(path, command) for path in command.inputs or (None,)]
    if command.smooth != "none":
        tracks = [
            smooth(track, command.smooth, command.window_s, command.polynomial_order, command.one_euro)
            for track in tracks
        ]
    rate = tracks[0].frames_per_s if command.fps is None else command.fps
    tracks = [track if track.frames_per_s == rate else resample(track, rate) for track in tracks]
    track = trim(concatenate(tracks, command.by_names), command.start, command.end)
    write_track(command.output, track)
    print(f"{command.output}: {_summary(track)}")
    for line in _left_out(tracks, track, command.output):
        print(f"left out: {line}")
    return track


def _read(path: Path | None, command: ConvertTrackCommand) -> ExpressionTrack:
    """One input, of whatever kind."""
    from nerface_ns.tracks.track_file import read_track

    if path is not None and path.suffix.lower() in TRACK_SUFFIXES and not path.is_dir():
        return read_track(path, command.input_fps)
    from nerface_ns.evaluation.quiet_output import quiet_nerfstudio
    from nerface_ns.rendering.dataset_track import DATASET_FRAMES_PER_S, dataset_track, run_track

    rate = DATASET_FRAMES_PER_S if command.input_fps is None else command.input_fps
    with quiet_nerfstudio():
        if path is not None and path.suffix in (".yml", ".yaml"):
            return run_track(path, command.split, rate)
        if command.dataparser is None:
            raise ValueError(
                f"{path}: expected a track (.json, .csv), a run's config.yml, or --dataparser for a dataset"
            )
        return dataset_track(path, command.dataparser, command.split, rate)


def _summary(track: ExpressionTrack) -> str:
    parts = [
        f"{len(track)} frames, {track.duration_s:.2f} s at {track.frames_per_s:g} fps",
        f"{track.expression.shape[1]} coefficients{'' if track.names else ' without names'}",
    ]
    present = {"head pose": track.camera_to_world, "gaze": track.gaze, "neutral expression": track.neutral}
    present |= {"pictures": track.frame_files, "video": track.video}
    parts += [name for name, value in present.items() if value is not None]
    return ", ".join(parts)


def _left_out(tracks: Sequence[ExpressionTrack], track: ExpressionTrack, output: Path) -> list[str]:
    """What the output lacks and some input had."""
    lines = []
    names = {"camera_to_world": "head pose", "gaze": "gaze", "neutral": "neutral expression"}
    names |= {"frame_files": "pictures", "video": "video"}
    for name, what in names.items():
        if getattr(track, name) is None and any(getattr(part, name) is not None for part in tracks):
            lines.append(f"{what}, which not all inputs have alike")
    if output.suffix.lower() == ".csv":
        kept_in_json = ("neutral", "frame_files", "video")
        lines += [f"{names[name]}, which only .json holds" for name in kept_in_json if getattr(track, name) is not None]
    missing = [name for name in tracks[0].names if name not in track.names]
    if missing:
        lines.append(f"{len(missing)} coefficients that not all inputs have: {', '.join(missing)}")
    return lines


def entrypoint() -> None:
    """Run the command line."""
    command = tyro.cli(ConvertTrackCommand, description=__doc__)
    with one_clear_error():
        main(command)


if __name__ == "__main__":
    entrypoint()
