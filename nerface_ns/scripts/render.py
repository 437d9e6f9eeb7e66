"""`nerface-render`: videos and pictures of a trained run: reenactment, sweeps, cameras that move, camera poses."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import tyro

from nerface_ns.scripts import render_live, render_poses
from nerface_ns.scripts.command_errors import one_clear_error
from nerface_ns.scripts.render_commands import COMMANDS, RenderCommand, SweepCommand, check_shared_options
from nerface_ns.scripts.render_states import STATE_COMMANDS

SHEET_CELL_PX = 160


def main(
    command: RenderCommand, load: Callable[[RenderCommand, Any], tuple[Any, dict[str, Any]]] | None = None
) -> dict[str, Any]:
    """Render; returns what was written as JSON.

    Args:
        command: What to render.
        load: Given the command and its rule for latent codes, returns a subject and what identifies it; without it the
            run of `load_config`.
    """
    from nerface_ns.evaluation.quiet_output import quiet_nerfstudio
    from nerface_ns.evaluation.run_record import require_writable_folder
    from nerface_ns.rendering.backdrop import Backdrop
    from nerface_ns.rendering.finished_frames import FinishedFrames
    from nerface_ns.rendering.gaze_target import GazeTarget, directed_plan
    from nerface_ns.rendering.identified_plan import identified_plan
    from nerface_ns.rendering.latent_code_choice import LatentCodeChoice
    from nerface_ns.rendering.output_file import OutputFile
    from nerface_ns.rendering.shard import Shard
    from nerface_ns.rendering.shot_renderer import ShotRenderer
    from nerface_ns.scripts.run_steps import plain_console

    start = time.monotonic()
    check_shared_options(command)
    code = None if command.code is None else LatentCodeChoice.parse(command.code)
    shard = None if command.shard is None else Shard.parse(command.shard)
    target = GazeTarget.of(command.gaze, command.look_at)
    asked = None if command.background is None else Backdrop.parse(command.background)
    output = OutputFile(command.output, asked is not None and asked.is_transparent, command.crf)
    if command.json is not None:
        require_writable_folder(command.json.parent, "--json")
    console = plain_console()
    with quiet_nerfstudio():
        make_plan = command.prepare()
    with console.status("loading the run"), quiet_nerfstudio():
        subject, run = (load or _load)(command, code)
    plan = directed_plan(identified_plan(make_plan(subject), subject, command.identity), subject.model, target)
    for warning in plan.warnings:
        console.print(f"[yellow]note:[/yellow] {warning}", soft_wrap=True, highlight=False)
    finished = FinishedFrames(command.output)
    renderer = ShotRenderer(subject.model, run["key"], asked or plan.backdrop or Backdrop(), finished)
    with quiet_nerfstudio():
        rendered, render_s = _render(plan, renderer, console, shard)
    if shard is not None:
        return _finish_shard(command, finished.folder, {"rendered": rendered, "render_s": round(render_s, 3)}, console)
    files = _write(command, plan, renderer, output)
    report = _report(command, plan, subject, run, files)
    report |= {"rendered": rendered, "render_s": round(render_s, 3), "wall_s": round(time.monotonic() - start, 3)}
    _finish(command, report, files, console)
    finished.remove()
    return report


def _load(command: RenderCommand, code: Any) -> tuple[Any, dict[str, Any]]:
    """Load the run; returns its subject, and what identifies the run."""
    from importlib import metadata

    from nerface_ns.evaluation.run_loader import load_run
    from nerface_ns.rendering.finished_frames import file_fingerprint, fingerprint
    from nerface_ns.rendering.render_subject import RenderSubject

    config, pipeline, checkpoint, step = load_run(command.load_config)
    subject = RenderSubject(pipeline, command.load_config, command.size, code, command.camera_frame, command.identity)
    # Frames of another training, of other settings or of another version of this package are no frames of this run.
    key = fingerprint(
        file_fingerprint(checkpoint), file_fingerprint(command.load_config), metadata.version("nerface-ns")
    )
    return subject, {"method": config.method_name, "step": step, "checkpoint": checkpoint.name, "key": key}


def _render(plan: Any, renderer: Any, console: Any, shard: Any = None) -> tuple[int, float]:
    """Render what is not finished, under a progress bar; returns how many pictures, and the seconds."""
    from nerface_ns.scripts.run_steps import progress_bar

    shots = [*plan.shots, *(shot for row in plan.sheet for shot in row)]
    missing, num_finished = renderer.missing(shots, shard)
    if num_finished:
        console.print(f"{num_finished} frames were finished before: {renderer.finished.folder}", soft_wrap=True)
    start = time.monotonic()
    with progress_bar(console) as progress:
        task = progress.add_task("rendering", total=len(missing), detail=f"{len(missing)} frames")
        renderer.render(missing, lambda: progress.advance(task))
    return len(missing), time.monotonic() - start


def _write(command: RenderCommand, plan: Any, renderer: Any, output: Any) -> dict[str, str]:
    """Write the output, and the contact sheet beside it; returns the files."""
    from PIL import Image

    from nerface_ns.rendering.frame_composer import composed_frames, composed_sheet
    from nerface_ns.rendering.watermark import COMMENT, all_labelled

    sound = plan.sound if output.holds_sound else None
    frames = composed_frames(plan, renderer, command.show_extrapolation)
    if command.is_watermarked:
        output.write(all_labelled(frames), plan.frames_per_s, sound, COMMENT)
    else:
        output.write(frames, plan.frames_per_s, sound)
    files = {"output": str(command.output)}
    if plan.sheet:
        sheet = command.output.with_name(f"{command.output.stem}_sheet.png")
        cell_px = command.cell_px if isinstance(command, SweepCommand) else SHEET_CELL_PX
        partial = sheet.with_name(f"{sheet.name}.part")
        Image.fromarray(composed_sheet(plan, renderer, cell_px)).save(partial, format="PNG")
        partial.replace(sheet)
        files["sheet"] = str(sheet)
    return files


def _report(
    command: RenderCommand, plan: Any, subject: Any, run: dict[str, Any], files: dict[str, str]
) -> dict[str, Any]:
    import torch

    from nerface_ns.conditioning import keys

    shown = torch.cat([shot.camera.metadata[keys.EXPRESSION] for shot in plan.shots])
    camera = plan.shots[0].camera
    mode = next(name for name, kind in {**COMMANDS, **STATE_COMMANDS}.items() if isinstance(command, kind))
    return {
        "mode": mode,
        "frames": len(plan.shots),
        "fps": plan.frames_per_s,
        "seconds": round(len(plan.shots) / plan.frames_per_s, 6),
        "extrapolation": plan.extrapolation,
        "extrapolation_shown": subject.extrapolation(shown.float()),
        "warnings": plan.warnings,
        **files,
        "size": [int(camera.height[0]), int(camera.width[0])],
        "sound": plan.sound is not None and Path(files["output"]).suffix.lower() in (".mp4", ".webm"),
        "background": command.background or "recorded",
        "watermark": command.is_watermarked,
        "code": command.code,
        "identity": command.identity,
        **plan.details,
        **{name: run[name] for name in ("method", "step", "checkpoint")},
    }


def _finish(command: RenderCommand, report: dict[str, Any], files: dict[str, str], console: Any) -> None:
    """Write the report and say where things are."""
    from nerface_ns.evaluation.run_record import run_record, write_json

    if command.json is not None:
        write_json(command.json, {**report, **run_record()})
        files = {**files, "json": str(command.json)}
    console.print(
        f"{report['frames']} frames, {report['seconds']:g} s at {report['fps']:g} fps; "
        f"{report['rendered']} rendered in {report['render_s']:.1f} s"
    )
    for name, file in files.items():
        console.print(f"  {name:<8}{file}", soft_wrap=True, highlight=False)


def _finish_shard(command: RenderCommand, folder: Path, done: dict[str, Any], console: Any) -> dict[str, Any]:
    """Write the report of a part and say what is left to do."""
    from nerface_ns.evaluation.run_record import run_record, write_json

    report = {"shard": command.shard, "frames": str(folder), **done}
    if command.json is not None:
        write_json(command.json, {**report, **run_record()})
    console.print(
        f"part {command.shard}: {done['rendered']} frames rendered in {done['render_s']:.1f} s into {folder}; after "
        "all parts, the same call without --shard writes the output",
        soft_wrap=True,
        highlight=False,
    )
    return report


def entrypoint(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    modes = {**COMMANDS, **STATE_COMMANDS, "poses": render_poses.PosesCommand, "live": render_live.LiveCommand}
    command = tyro.extras.subcommand_cli_from_dict(modes, description=__doc__, args=arguments)
    with one_clear_error():
        if isinstance(command, render_live.LiveCommand):
            render_live.main(command)
        elif isinstance(command, render_poses.PosesCommand):
            render_poses.main(command)
        else:
            main(command)


if __name__ == "__main__":
    entrypoint()
