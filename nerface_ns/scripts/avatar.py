"""`nerface-avatar`: a trained avatar in one file, which is shown, rendered and driven without running code from it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tyro

from nerface_ns.scripts.avatar_commands import (
    COMMANDS,
    AvatarDriveCommand,
    AvatarRenderCommand,
    ExportCommand,
    ImportCommand,
    ShowCommand,
)
from nerface_ns.scripts.command_errors import one_clear_error


def export(command: ExportCommand) -> Path:
    """Write the avatar of a run; returns its file."""
    from nerface_ns.avatar.exported_avatar import NO_LICENCE, NO_NOTE, export_run
    from nerface_ns.evaluation.run_record import require_writable_folder
    from nerface_ns.scripts.run_steps import plain_console

    if command.output.suffix != ".nerface":
        raise ValueError(f"{command.output}: expected a name that ends in .nerface")
    require_writable_folder(command.output.parent, "output")
    config_path = command.run / "config.yml" if command.run.is_dir() else command.run
    licence, note = command.licence or NO_LICENCE, command.note or NO_NOTE
    export_run(config_path, command.output, licence, note)
    console = plain_console()
    console.print(f"avatar: {command.output} ({command.output.stat().st_size / 2**20:.1f} MiB)", soft_wrap=True)
    if command.licence is None or command.note is None:
        console.print("[yellow]note:[/yellow] say with --licence and --note what may be done with it and who agreed")
    return command.output


def show(command: ShowCommand) -> None:
    """Print a table, and write the thumbnail."""
    from nerface_ns.avatar.avatar_file import read_avatar
    from nerface_ns.avatar.avatar_table import avatar_table
    from nerface_ns.scripts.run_steps import plain_console

    avatar = read_avatar(command.avatar)
    console = plain_console()
    console.print(avatar_table(avatar, command.avatar))
    if command.thumbnail is not None:
        _write_png(command.thumbnail, avatar.thumbnail.numpy(), "--thumbnail")
        console.print(f"thumbnail: {command.thumbnail}", soft_wrap=True, highlight=False)


def import_run(command: ImportCommand) -> Path:
    """Make a run folder; returns its config.yml."""
    from nerface_ns.avatar.imported_avatar import import_avatar
    from nerface_ns.evaluation.quiet_output import quiet_nerfstudio
    from nerface_ns.scripts.run_steps import plain_console

    with quiet_nerfstudio():
        config_path = import_avatar(command.avatar, command.output_dir)
    plain_console().print(f"viewer: ns-viewer --load-config {config_path}", soft_wrap=True, highlight=False)
    return config_path


def load_subject(command: Any, code: Any) -> tuple[Any, dict[str, Any]]:
    """Load the avatar that a render command names; returns its subject, and what identifies it."""
    from nerface_ns.avatar.avatar_file import SUFFIX
    from nerface_ns.avatar.avatar_model import load_avatar
    from nerface_ns.rendering.finished_frames import file_fingerprint, fingerprint
    from nerface_ns.rendering.render_subject import RenderSubject

    path = command.load_config
    if path.suffix != SUFFIX:
        raise ValueError(f"{path}: expected a name that ends in {SUFFIX}; runs are for nerface-render")
    pipeline = load_avatar(path, _device())
    subject = RenderSubject(pipeline, path, command.size, code, command.camera_frame)
    file = pipeline.file
    key = fingerprint(file_fingerprint(path), file.package_version)
    return subject, {"method": file.method, "step": file.step, "checkpoint": path.name, "key": key}


def render_picture(command: AvatarRenderCommand) -> Path:
    """Render one picture from the person's own camera; returns its file."""
    from nerface_ns.evaluation.quiet_output import quiet_nerfstudio
    from nerface_ns.rendering.backdrop import Backdrop
    from nerface_ns.rendering.latent_code_choice import LatentCodeChoice
    from nerface_ns.rendering.watermark import labelled
    from nerface_ns.scripts.render_commands import check_shared_options

    check_shared_options(command)
    if command.track is not None or command.json is not None:
        raise ValueError(f"--output {command.output}: --track and --json are for videos, got a picture")
    code = None if command.code is None else LatentCodeChoice.parse(command.code)
    backdrop = Backdrop() if command.background is None else Backdrop.parse(command.background)
    with quiet_nerfstudio():
        subject, _ = load_subject(command, code)
        expression = subject.chosen_expression(command.expression)
        (shot,) = subject.shots([subject.own_camera.camera_to_worlds[0]], expression[None])
        outputs = subject.model.get_outputs_for_camera(shot.camera.to(subject.model.device))
    picture = backdrop.picture(subject.model, outputs)
    _write_png(command.output, labelled(picture) if command.is_watermarked else picture, "--output")
    return command.output


def _device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _write_png(path: Path, picture: Any, option: str) -> None:
    """Write a picture, whole or not at all."""
    from PIL import Image

    from nerface_ns.evaluation.run_record import require_writable_folder

    if path.suffix.lower() != ".png":
        raise ValueError(f"{option} {path}: expected a name that ends in .png")
    require_writable_folder(path.parent, option)
    partial = path.with_name(f"{path.name}.part")
    Image.fromarray(picture).save(partial, format="PNG")
    partial.replace(path)


def main(command: Any) -> None:
    """Do what a command asks for."""
    from nerface_ns.scripts import render

    if isinstance(command, ExportCommand):
        export(command)
    elif isinstance(command, ShowCommand):
        show(command)
    elif isinstance(command, ImportCommand):
        import_run(command)
    elif isinstance(command, AvatarRenderCommand) and command.output.suffix.lower() == ".png":
        render_picture(command)
    elif isinstance(command, (AvatarRenderCommand, AvatarDriveCommand)):
        render.main(command, load_subject)


def entrypoint(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    command = tyro.extras.subcommand_cli_from_dict(COMMANDS, description=__doc__, args=arguments)
    with one_clear_error():
        main(command)


if __name__ == "__main__":
    entrypoint()
