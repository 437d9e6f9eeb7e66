"""`nerface-render poses`: a picture of a run's training cameras."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(kw_only=True)
class PosesCommand:
    """Draw the training cameras about the head, in space, from above and from the side.

    After a training with camera refinement, refined cameras are drawn beside tracked ones.
    """

    load_config: Path
    """The run's config.yml."""
    output: Path
    """NAME.png."""
    json: Path | None = None
    """File for the number of cameras and how far refinement moved them."""
    max_cameras: int = 40
    """Cameras that are drawn, evenly spread; the line that joins their positions is that of all."""
    size_px: int = 1400
    """Width of the picture."""


def main(command: PosesCommand) -> dict[str, Any]:
    """Draw; returns what was written as JSON.

    Raises:
        FileNotFoundError: There is no such run.
        ValueError: The run is of another package's method, or an option cannot be.
    """
    from nerface_ns.evaluation.quiet_output import quiet_nerfstudio
    from nerface_ns.evaluation.run_loader import load_run
    from nerface_ns.evaluation.run_record import require_writable_folder, run_record, write_json
    from nerface_ns.models.base_face_model import FaceModel
    from nerface_ns.rendering.poses_picture import poses_picture
    from nerface_ns.rendering.training_cameras import TrainingCameras
    from nerface_ns.scripts.run_steps import plain_console

    if command.output.suffix.lower() != ".png":
        raise ValueError(f"--output {command.output}: expected NAME.png")
    for option, value, least in (("max-cameras", command.max_cameras, 1), ("size-px", command.size_px, 200)):
        if value < least:
            raise ValueError(f"--{option} {value}: expected at least {least}")
    require_writable_folder(command.output.parent, "--output")
    if command.json is not None:
        require_writable_folder(command.json.parent, "--json")
    with quiet_nerfstudio():
        config, pipeline, checkpoint, step = load_run(command.load_config)
    if not isinstance(pipeline.model, FaceModel):
        name = type(pipeline.model).__name__
        raise ValueError(f"{command.load_config}: expected a run of a nerface method, got {name}")
    cameras = TrainingCameras.of(pipeline)
    picture = poses_picture(cameras, pipeline.model.scene_box.aabb, command.max_cameras, command.size_px)
    partial = command.output.with_name(f"{command.output.name}.part")
    partial.write_bytes(picture)
    partial.replace(command.output)
    report = {
        "mode": "poses",
        "cameras": len(cameras.tracked),
        "is_refined": cameras.refined is not None,
        **cameras.changes(),
        "output": str(command.output),
        "method": config.method_name,
        "step": step,
        "checkpoint": checkpoint.name,
    }
    if command.json is not None:
        write_json(command.json, {**report, **run_record()})
    console = plain_console()
    for name, value in report.items():
        console.print(f"  {name:<16}{value}", soft_wrap=True, highlight=False)
    return report
