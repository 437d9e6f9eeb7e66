"""`nerface-fit`: what the person of a trained run shows on a photograph: head pose, expression, gaze, latent code."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from nerface_ns.fitting.fit_settings import FitSettings
from nerface_ns.scripts.command_errors import one_clear_error

if TYPE_CHECKING:
    from nerface_ns.fitting.fitted_photo import FittedPhoto
    from nerface_ns.rendering.render_subject import RenderSubject
    from nerface_ns.tracks.fitted_state import FittedState

VIDEO_FPS = 25.0
VIDEO_YAW_DEG, VIDEO_PITCH_DEG = 25.0, 5.0
"""How far the head of the video turns."""


@dataclass(kw_only=True)
class FitCommand:
    """Fit a trained head to one photograph of the same person, or to several that share one latent code.

    For each photo NAME it writes NAME_state.json, which `nerface-render state` and `morph` and the viewer's Face tab
    load, NAME_fit.png (photo, fit and error side by side) and NAME_turn.mp4 (the fitted head turns).
    """

    images: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="IMAGE")]
    """Photos of the person, of any size. An alpha channel is taken for a mask of the person; black borders are cut."""
    load_config: Path
    """The run's config.yml."""
    output_dir: Path
    """Folder for the results."""
    json: Path | None = None
    """File for the report: errors, seconds, files, machine."""
    mask: Path | None = None
    """Grey image of the photo's size, white on the person; for one photo only."""
    focal: float | None = None
    """Focal length of the photos in their pixels; without it a photo's shorter side sees the angle that the training
    images' shorter side sees."""
    fit: FitSettings = field(default_factory=FitSettings)
    """How the numbers are found."""
    identity: str | None = None
    """Person of the photos, of a run that was trained on several; the first one without it."""
    new_identity: str | None = None
    """Name of a person whom the run, one of several persons, does not know: the photos are laid over the most similar
    known face, and for --minutes the run learns them, into a run of its own in OUTPUT_DIR/runs. Its photos show one
    background, or have masks."""
    minutes: float = 1.0
    """Training time of a new person."""
    new_share: float = 1.0
    """Share of this training that shows the new person. With all of it the new person comes out cleanest, and the
    known ones, whom the old run still shows, fade from the new run; with less the new run can morph between them."""
    landmarker: Path | None = None
    """MediaPipe's face landmarker bundle (.task), for a start from landmarks; without it the one that `nerface-track`
    keeps, where that and MediaPipe are there. Training frames that resemble the photo are tried in any case."""
    video_seconds: float = 4.0
    """Duration of the video in which the head turns; 0 leaves it out."""


def main(command: FitCommand) -> dict[str, Any]:
    """Fit, write the results, and return the report."""
    from nerface_ns.evaluation.quiet_output import quiet_nerfstudio
    from nerface_ns.evaluation.run_loader import load_run
    from nerface_ns.evaluation.run_record import require_writable_folder, run_record, write_json
    from nerface_ns.fitting.photo import read_photo
    from nerface_ns.fitting.photo_fitter import PhotoFitter
    from nerface_ns.model_components.run_fingerprint import run_fingerprint
    from nerface_ns.rendering.render_subject import RenderSubject
    from nerface_ns.scripts.fit_new_identity import add_person, write_photo_files
    from nerface_ns.scripts.run_steps import plain_console

    if command.new_identity is not None:
        _check(command)
        return add_person(command, _landmark_start(command))
    start = time.monotonic()
    _check(command)
    for path in command.images:
        read_photo(path, command.mask)  # what cannot be read is told before the run is loaded
    require_writable_folder(command.output_dir, "--output-dir")
    if command.json is not None:
        require_writable_folder(command.json.parent, "--json")
    console = plain_console()
    with console.status("loading the run"), quiet_nerfstudio():
        config, pipeline, checkpoint, step = load_run(command.load_config)
        subject = RenderSubject(pipeline, command.load_config, identity=command.identity)
        fitter = PhotoFitter(subject, command.fit, _landmark_start(command))
    photos = [read_photo(path, command.mask, fitter.cuts_borders) for path in command.images]
    with console.status("fitting") as status, quiet_nerfstudio():
        fitted = fitter.fit(photos, command.focal, lambda text: status.update(f"fitting: {text}"))
    run, results = run_fingerprint(subject.model), []
    for path, photo in zip(command.images, fitted):
        state = photo.state(subject.names, run, config.method_name)
        files = {kind: command.output_dir / f"{path.stem}_{kind}" for kind in ("state.json", "fit.png", "turn.mp4")}
        with console.status("writing"), quiet_nerfstudio():
            write_photo_files(files, subject, state, photo, command.video_seconds)
        results.append({"photo": str(path), **photo.figures, "files": [str(file) for file in files.values()]})
        _tell(console, results[-1], photo)
    report = {"method": config.method_name, "step": step, "checkpoint": checkpoint.name, "photos": results}
    report["wall_s"] = round(time.monotonic() - start, 3)
    if command.json is not None:
        write_json(command.json, {**report, **run_record()})
    return report


def _check(command: FitCommand) -> None:
    command.fit.check()
    if not command.images:
        raise ValueError("IMAGE: expected at least one photo, got none")
    stems = [path.stem for path in command.images]
    twice = next((stem for stem in stems if stems.count(stem) > 1), None)
    if twice is not None:
        raise ValueError(f"IMAGE {twice}: expected photos of different names, after which results are named, got two")
    if command.mask is not None and len(command.images) > 1:
        raise ValueError(f"--mask {command.mask}: expected one photo, got {len(command.images)}")
    if command.new_identity is not None and command.identity is not None:
        options = f"--identity {command.identity} and --new-identity {command.new_identity}"
        raise ValueError(f"{options}: expected one of them")
    if not 0 < command.minutes < float("inf"):
        raise ValueError(f"--minutes {command.minutes}: expected a positive number")
    if not 0 < command.new_share <= 1:
        raise ValueError(f"--new-share {command.new_share}: expected a number above 0 and at most 1")
    if not 0 <= command.video_seconds < float("inf"):
        raise ValueError(f"--video-seconds {command.video_seconds}: expected 0 or a positive number")


def _landmark_start(command: FitCommand) -> Any:
    """What finds landmarks; None where the command names no model and there is none, or no MediaPipe, anyway."""
    from importlib.util import find_spec

    from nerface_ns.fitting.landmark_start import LandmarkStart
    from nerface_ns.tracking.model_file import cached_landmarker, landmarker_file

    is_there = find_spec("mediapipe") is not None and cached_landmarker().is_file()
    if command.landmarker is None and not is_there:
        return None
    return LandmarkStart.load(landmarker_file(command.landmarker))


def write_video(path: Path, subject: RenderSubject, state: FittedState, seconds: float) -> None:
    """Write the video in which a fitted head turns."""
    import torch

    from nerface_ns.rendering.backdrop import Backdrop
    from nerface_ns.rendering.output_file import OutputFile
    from nerface_ns.rendering.state_plans import turn_plan

    plan = turn_plan(subject, state, seconds, VIDEO_FPS, VIDEO_YAW_DEG, VIDEO_PITCH_DEG)
    with torch.no_grad():
        model = subject.model
        outputs = (model.get_outputs_for_camera(shot.camera.to(model.device)) for shot in plan.shots)
        OutputFile(path).write((Backdrop().picture(model, image) for image in outputs), VIDEO_FPS)


def _tell(console: Any, result: dict[str, Any], photo: FittedPhoto) -> None:
    where = {"recorded": "whole picture", "masked": "person of the mask", "other": "head only, another background"}
    console.print(
        f"{photo.view.photo.name}: PSNR {result['psnr']:.2f} dB ({where[result['scene']]}), correlation over the head "
        f"{result['correlation']:.3f}, {result['seconds']:.1f} s",
        soft_wrap=True,
        highlight=False,
    )
    for file in result["files"]:
        console.print(f"  {file}", soft_wrap=True, highlight=False)


def entrypoint(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    command = tyro.cli(FitCommand, description=__doc__, args=arguments)
    with one_clear_error():
        main(command)


if __name__ == "__main__":
    entrypoint()
