"""`nerface-fit --new-identity`: adds a person to a run of several, from some photographs."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nerface_ns.fitting.fitted_photo import FittedPhoto
    from nerface_ns.scripts.fit import FitCommand


def add_person(command: FitCommand, landmarks: Any) -> dict[str, Any]:
    """Fit the photos with the known faces, learn the new one, fit again with it; returns the report.

    Args:
        command: With the person's name.
        landmarks: Finds starts by landmarks; None without.
    """
    from nerface_ns.evaluation.quiet_output import quiet_nerfstudio
    from nerface_ns.evaluation.run_loader import load_run
    from nerface_ns.evaluation.run_record import require_writable_folder, run_record, write_json
    from nerface_ns.fitting.new_identity import check_new_name, fit_nearest, new_run_config
    from nerface_ns.fitting.photo import read_photo
    from nerface_ns.rendering.render_subject import RenderSubject
    from nerface_ns.scripts.run_steps import plain_console, train_with_progress

    start, name = time.monotonic(), command.new_identity
    assert name is not None
    for path in command.images:
        read_photo(path, command.mask)  # what cannot be read is told before the run is loaded
    for folder, option in ((command.output_dir, "--output-dir"), (command.json and command.json.parent, "--json")):
        if folder is not None:
            require_writable_folder(folder, option)
    console = plain_console()
    with console.status("loading the run"), quiet_nerfstudio():
        config, pipeline, checkpoint, step = load_run(command.load_config)
        check_new_name(name, config, pipeline.model, command.load_config)
        known = pipeline.model.identities.names
        subjects = [RenderSubject(pipeline, command.load_config, identity=person) for person in known]
    photos = [read_photo(path, command.mask) for path in command.images]
    if len({photo.alpha is None for photo in photos}) > 1:
        raise ValueError("IMAGE: expected masks (alpha channels) in all photos of a new person or in none, got some")
    with console.status("fitting") as status, quiet_nerfstudio():
        like, fitted = fit_nearest(
            subjects, command.fit, landmarks, photos, command.focal, lambda text: status.update(f"fitting {text}")
        )
        new = new_run_config(config, checkpoint, name, like, fitted, command.output_dir, command.new_share)
    console.print(f"nearest of {', '.join(known)}: {new.new_identity_like}", highlight=False)
    before = [photo.figures["psnr"] for photo in fitted]
    trainer, training = train_with_progress(new, command.minutes * 60, console)
    with console.status("looking at the photos"), quiet_nerfstudio():
        results = _write_results(command, trainer.pipeline, training.config_path, fitted, new.method_name)
    for result, psnr in zip(results, before):
        result["psnr_before"] = psnr
        console.print(f"{result['photo']}: PSNR {psnr:.2f} dB before, {result['psnr']:.2f} dB after", highlight=False)
    report = {
        **{"method": config.method_name, "step": step, "checkpoint": checkpoint.name, "identity": name},
        **{"like": new.new_identity_like, "config": str(training.config_path), "steps": training.steps},
        **{"new_share": command.new_share},
        **{"photos": results, "wall_s": round(time.monotonic() - start, 3)},
    }
    console.print(f"run of {', '.join(known)} and {name}: {training.config_path}", soft_wrap=True, highlight=False)
    if command.json is not None:
        write_json(command.json, {**report, **run_record()})
    return report


def _write_results(
    command: FitCommand, pipeline: Any, config_path: Path, fitted: list[FittedPhoto], method: str
) -> list[dict[str, Any]]:
    """Write states and comparisons as the new run shows the photos; returns their figures."""
    from nerface_ns.conditioning import keys
    from nerface_ns.fitting.fitted_photo import judge
    from nerface_ns.fitting.photo_view import PhotoView, Shown
    from nerface_ns.model_components.run_fingerprint import run_fingerprint
    from nerface_ns.rendering.render_subject import RenderSubject

    subject = RenderSubject(pipeline, config_path, identity=command.new_identity)
    model, results = subject.model.eval(), []
    run = run_fingerprint(model)
    codes = model.latent_codes.codes.detach().cpu()[subject.frames]
    for path, photo, code in zip(command.images, fitted, codes):
        camera = photo.view.camera
        assert subject.shares is not None
        camera.metadata = {**(camera.metadata or {}), keys.IDENTITY_SHARES: subject.shares[None]}
        view = PhotoView(model, photo.view.photo, camera, command.fit.background)
        shown = Shown(photo.shown.pose, photo.shown.expression, code, photo.shown.gaze)
        result = judge(model, view, shown)
        state = result.state(subject.names, run, method)
        files = {kind: command.output_dir / f"{path.stem}_{kind}" for kind in ("state.json", "fit.png", "turn.mp4")}
        write_photo_files(files, subject, state, result, command.video_seconds)
        results.append({"photo": str(path), **result.figures, "files": [str(file) for file in files.values()]})
    return results


def write_photo_files(
    files: dict[str, Path], subject: Any, state: Any, photo: FittedPhoto, video_seconds: float
) -> None:
    """Write a photo's state and comparison, and the video unless it is to have no length; `files` then loses it."""
    from nerface_ns.scripts.fit import write_video
    from nerface_ns.tracks.fitted_state import write_state

    write_state(files["state.json"], state)
    photo.write_comparison(files["fit.png"])
    if video_seconds > 0:
        write_video(files["turn.mp4"], subject, state, video_seconds)
    else:
        del files["turn.mp4"]
