"""`nerface-evaluate --gaze`: where the eyes of a run look when they are asked to look elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

    from nerface_ns.evaluation.gaze_evaluation import GazeEvaluation
    from nerface_ns.scripts.evaluate import EvaluateCommand

SCORE_OPTIONS = ("paper", "code_protocols")
"""Options that compare scores; gaze has none of them."""


def evaluate_gaze(command: EvaluateCommand) -> None:
    """Measure, print a table, write figures, curves and pictures.

    Raises:
        ValueError: An option does not fit gaze, the run is not conditioned on it, or the data lack it.
    """
    from nerfstudio.utils.rich_utils import CONSOLE

    from nerface_ns.evaluation.data_splits import check_splits
    from nerface_ns.evaluation.gaze_redirection import require_gaze_model
    from nerface_ns.evaluation.gaze_report import DEFINITIONS, gaze_table
    from nerface_ns.evaluation.run_loader import load_run
    from nerface_ns.evaluation.run_record import run_record, write_json

    evaluation = gaze_evaluation(command)
    config, pipeline, checkpoint, step = load_run(command.load_config, command.code_protocol, command.code_frame)
    require_gaze_model(pipeline.model)
    check_splits(pipeline.datamanager.dataparser, (evaluation.split,))
    record, message = measured(pipeline, evaluation, command.output_dir, command.image_every)
    title = f"{config.method_name}, step {step}, {evaluation.split}"
    CONSOLE.print(gaze_table(record, title))
    estimator = record["estimator"]
    CONSOLE.print(
        f"gaze error {record['gaze_error_deg']:.2f} deg; the estimator's own on the recorded pictures of these frames "
        f"{record['estimator_error_deg']:.2f} deg ({estimator['source']}, calibrated on "
        f"{estimator['calibration']['frames']} training frames); {record['frames_with_shut_eyes']} of "
        f"{record['num_frames']} frames left out, their eyes are shut",
        soft_wrap=True,
    )
    lpips = "-" if record["lpips"] is None else f"{record['lpips']:.4f}"
    CONSOLE.print(f"own gaze: PSNR {record['psnr']:.2f} dB, SSIM {record['ssim']:.4f}, LPIPS {lpips}")
    for name, meaning in DEFINITIONS.items():
        CONSOLE.print(f"{name}: {meaning}", soft_wrap=True)
    for pitch, yaw in record["targets_beyond_training"]:
        CONSOLE.print(f"pitch {pitch:+.0f}, yaw {yaw:+.0f} lies outside the trained gazes", style="yellow")
    if message is not None:
        CONSOLE.print(message)
    if command.output_dir is not None:
        write_curves(command.output_dir / "gaze.png", record, title)
        CONSOLE.print(f"curves and pictures: {command.output_dir}")
    if command.json is not None:
        frames = record.pop("frames")
        head = {"method": config.method_name, "step": step, "checkpoint": checkpoint.name}
        write_json(command.json, {**record, **head, **run_record(), "frames": frames})
        CONSOLE.print(f"figures: {command.json}")


def gaze_evaluation(command: EvaluateCommand) -> GazeEvaluation:
    """Return how to measure, once the options are known to fit.

    Raises:
        ValueError: They do not.
    """
    from nerface_ns.evaluation.gaze_evaluation import GazeEvaluation
    from nerface_ns.evaluation.gaze_redirection import GazeTargets
    from nerface_ns.evaluation.run_record import require_writable_folder

    for name in SCORE_OPTIONS:
        if getattr(command, name):
            raise ValueError(f"--gaze and --{name.replace('_', '-')}: expected one of them")
    for name, usual in (("poses", "as_tracked"), ("background", "recorded")):
        if getattr(command, name) != usual:
            raise ValueError(f"--gaze and --{name} {getattr(command, name)}: expected --{name} {usual}")
    if len(command.split) > 1:
        raise ValueError(f"--gaze: expected one --split, got {' '.join(command.split)}")
    for name in ("image_every", "max_frames", "gaze_height"):
        value = getattr(command, name)
        if value is not None and value < 1:
            raise ValueError(f"--{name.replace('_', '-')} needs to be at least 1, got {value}")
    if command.output_dir is not None:
        require_writable_folder(command.output_dir, "--output-dir")
    if command.json is not None:
        require_writable_folder(command.json.parent, "--json")
    targets = GazeTargets(command.gaze_pitch_deg, command.gaze_yaw_deg)
    targets.pairs()
    return GazeEvaluation(
        split=command.split[0] if command.split else "test",
        targets=targets,
        height_px=command.gaze_height,
        source=command.gaze_source,
        landmarker=command.landmarker,
        max_frames=command.max_frames,
    )


def measured(
    pipeline: Any, evaluation: GazeEvaluation, output_dir: Path | None = None, image_every: int = 1
) -> tuple[dict[str, Any], str | None]:
    """Measure under a progress bar; returns the record, and why LPIPS is missing where it is."""
    from nerface_ns.evaluation.gaze_evaluation import measure_gaze
    from nerface_ns.evaluation.gaze_sheet import GazeSheets
    from nerface_ns.evaluation.quiet_output import quiet_nerfstudio
    from nerface_ns.model_components.perceptual_distance import PerceptualDistance
    from nerface_ns.scripts.run_steps import plain_console, progress_bar

    image_distance = PerceptualDistance(pipeline.device)
    sheets = None if output_dir is None else GazeSheets(output_dir / evaluation.split, evaluation.targets, image_every)
    with quiet_nerfstudio(), progress_bar(plain_console()) as progress:
        task = progress.add_task("calibrating", total=None, detail="")

        def done(name: str, target: tuple[float, float], image: Tensor | None, number: int, total: int) -> None:
            """Move the bar, and add the picture to the sheets."""
            progress.update(task, description="redirecting gaze", total=total, completed=number, detail=name)
            if sheets is not None:
                sheets.add(name, target, image)

        return measure_gaze(pipeline, evaluation, image_distance, done), image_distance.message


def write_curves(path: Path, record: dict[str, Any], title: str) -> None:
    """Draw the curves over the angles into a PNG file, whole or not at all."""
    from nerface_ns.evaluation.gaze_report import gaze_plot

    partial = path.with_name(f"{path.name}.part")
    partial.write_bytes(gaze_plot(record, title))
    partial.replace(path)
