"""`nerface-evaluate`: scores a trained run on frames that it never trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import tyro

from nerface_ns.scripts.command_errors import one_clear_error

if TYPE_CHECKING:
    from nerface_ns.evaluation.evaluation_protocol import EvaluationProtocol
    from nerface_ns.evaluation.split_scores import RenderedFrame, SplitScores


@dataclass
class EvaluateCommand:
    """Score a trained run, whole splits at a time: full image, face box, mouth, eyes and mask.

    Every figure is a mean over a split's frames: of the frames' PSNR in dB, of their mean absolute difference of
    colours in [0, 1] (L1), of SSIM with a Gaussian 11x11 window, and of LPIPS with AlexNet.
    """

    load_config: Path
    """The run's config.yml."""
    split: tuple[Literal["test", "val", "nvs", "train"], ...] = ()
    """Splits to score; without it every one of test, val and nvs (novel views) that the dataset has, with --paper the
    test split."""
    output_dir: Path | None = None
    """Folder for side-by-side pictures (truth, render, error, accumulation, depth); none are written without it."""
    image_every: int = 1
    """Write the picture of every n-th frame."""
    json: Path | None = None
    """File for the scores, means and every frame's."""
    report: Path | None = None
    """HTML page to write, in one file: tables by region with L2, MS-SSIM, CPBD sharpness and flicker besides, curves
    over the frames, and a video of truth, render and error of each split."""
    report_landmarks: bool = False
    """Put the distance of MediaPipe's landmarks into the page; needs the track extra and faces as it finds them."""
    code_protocol: Literal["zero", "mean", "nearest", "frame"] | None = None
    """Latent code of frames never trained on: zero, the training codes' mean, the code of the training frame with the
    nearest expression, or of one given frame; the run's own rule without it."""
    code_frame: int | None = None
    """Training frame of protocol frame, or, with --paper, of NerFace's."""
    code_protocols: tuple[Literal["zero", "mean", "nearest", "frame"], ...] = ()
    """Several protocols side by side: a table with a row for each, and a JSON file with their scores under
    "protocols"."""
    paper: bool = False
    """Score as NerFace does, beside the protocols named: the code of the training frame that its released evaluation
    takes for every frame, images cut to 8 bits, SSIM and LPIPS as its metrics script computes them."""
    max_frames: int | None = None
    """Frames of each split to score, evenly spread; all without it."""
    poses: Literal["as_tracked", "aligned", "trajectory"] = "as_tracked"
    """Cameras of frames never trained on: as tracked; each one's pose fitted to the left half of its image, and the
    right half scored; or moved as refinement moved the training cameras on the whole."""
    background: str = "recorded"
    """Behind rendered and recorded heads: recorded, or a colour as Pillow names them (NeRFBlendShape tests before
    white), for which the data need mattes."""
    gaze: bool = False
    """Measure gaze instead: frames of one split, test without --split, rendered with other gazes. Needs a run that is
    conditioned on gaze, and data with gaze and eyes boxes."""
    gaze_pitch_deg: tuple[float, ...] = (-10.0, 0.0, 10.0)
    """Gazes to ask for, degrees upward; every pitch with every yaw."""
    gaze_yaw_deg: tuple[float, ...] = (-20.0, 0.0, 20.0)
    """Gazes to ask for, degrees towards the subject's left."""
    gaze_height: int | None = None
    """Height of the pictures in which gaze is measured; without it 256, or as stored where that is less."""
    gaze_source: Literal["irises", "landmarks"] = "irises"
    """How gaze is found in pictures, calibrated on the training frames: from the eyes' pixels, or from MediaPipe's iris
    landmarks."""
    landmarker: Path | None = None
    """MediaPipe's model for landmarks; the cached or fetched one without it."""


def main(command: EvaluateCommand) -> None:
    """Score the run, print a table, write what was asked for."""
    if command.gaze:
        from nerface_ns.scripts.evaluate_gaze import evaluate_gaze

        return evaluate_gaze(command)
    from nerfstudio.utils.rich_utils import CONSOLE

    from nerface_ns.evaluation.data_splits import check_splits
    from nerface_ns.evaluation.paper_protocol import PAPER_SPLIT
    from nerface_ns.evaluation.run_loader import load_run
    from nerface_ns.evaluation.scored_backdrop import scored_before
    from nerface_ns.evaluation.unseen_poses import POSE_NOTES
    from nerface_ns.model_components.perceptual_distance import PerceptualDistance
    from nerface_ns.scripts.evaluate_report import recorded, write_report
    from nerface_ns.scripts.run_steps import near_far, plain_console, score_splits_by_protocol

    _check_options(command)
    config, pipeline, checkpoint_path, step = load_run(command.load_config, command.code_protocol, command.code_frame)
    wanted = command.split or ((PAPER_SPLIT,) if command.paper else ())
    splits = check_splits(pipeline.datamanager.dataparser, wanted)
    protocols, notes = _protocols(command, pipeline, config.method_name)
    image_distance = PerceptualDistance(pipeline.device)
    depth_range = near_far(pipeline)

    def frame_done(protocol: EvaluationProtocol, split: str, index: int, frame: RenderedFrame) -> None:
        """Write a frame's comparison, where one is asked for."""
        if command.output_dir is not None:
            folder = command.output_dir / protocol.name if _is_side_by_side(command) else command.output_dir
            write_comparison(folder, command.image_every, depth_range, split, index, frame)
        if recorder is not None and protocol is protocols[0]:
            recorder.add(split, frame)

    console, title = plain_console(), f"{config.method_name}, step {step}"
    options = command.report, command.report_landmarks, command.landmarker, pipeline
    with scored_before(command.background), recorded(*options) as recorder:
        scores = score_splits_by_protocol(
            pipeline, splits, protocols, image_distance, console, frame_done, command.max_frames, command.poses
        )
        record = _report(command, protocols, notes, scores, pipeline, title)
        if recorder is not None and command.report is not None:
            said = [f"protocol {protocols[0].name}", f"poses {command.poses}: {POSE_NOTES[command.poses]}", *notes]
            record["report"] = write_report(command.report, title, said, scores[protocols[0].name], recorder)
            CONSOLE.print(f"report: {command.report}")
    head = {"method": config.method_name, "step": step, "checkpoint": checkpoint_path.name}
    _finish(command, record, head, image_distance.message)


def _finish(command: EvaluateCommand, record: dict[str, Any], head: dict[str, Any], message: str | None) -> None:
    """Say what was scored, and write it where that is asked for."""
    from nerfstudio.utils.rich_utils import CONSOLE

    from nerface_ns.evaluation.run_record import run_record, write_json
    from nerface_ns.evaluation.unseen_poses import POSE_NOTES

    record["poses"] = command.poses
    if command.background != "recorded":
        record["background"] = command.background
    CONSOLE.print(f"poses {command.poses}: {POSE_NOTES[command.poses]}", soft_wrap=True)
    if message is not None:
        CONSOLE.print(message)
    if command.output_dir is not None:
        CONSOLE.print(f"pictures: {command.output_dir}")
    if command.json is not None:
        if command.max_frames is not None:
            head["max_frames"] = command.max_frames
        # What is long stands last.
        last = {name: record.pop(name) for name in ("frames",) if record.get(name) is not None}
        write_json(command.json, {**record, **head, **run_record(), **last})
        CONSOLE.print(f"scores: {command.json}")


def _is_side_by_side(command: EvaluateCommand) -> bool:
    return command.paper or bool(command.code_protocols)


def _check_options(command: EvaluateCommand) -> None:
    from nerface_ns.evaluation.run_record import require_writable_folder
    from nerface_ns.evaluation.scored_backdrop import scored_before
    from nerface_ns.scripts.evaluate_report import check_report_options

    for option in ("image_every", "max_frames"):
        value = getattr(command, option)
        if value is not None and value < 1:
            raise ValueError(f"--{option.replace('_', '-')} needs to be at least 1, got {value}")
    if command.code_protocol is not None and _is_side_by_side(command):
        other = "--paper" if command.paper else "--code-protocols"
        raise ValueError(
            f"--code-protocol {command.code_protocol} and {other}: expected one of them; --code-protocols takes several"
        )
    check_report_options(command.report, command.report_landmarks)
    with scored_before(command.background):
        pass  # refused here if it is neither recorded nor a colour
    if command.background != "recorded" and command.poses == "aligned":
        raise ValueError(
            f"--background {command.background} and --poses aligned: expected one of them, poses are fitted to the "
            "recorded pictures"
        )
    if command.output_dir is not None:
        require_writable_folder(command.output_dir, "--output-dir")
    if command.json is not None:
        require_writable_folder(command.json.parent, "--json")


def _protocols(command: EvaluateCommand, pipeline: Any, method: str) -> tuple[list[EvaluationProtocol], list[str]]:
    """Return the protocols to score under and sentences that say what they do."""
    from nerface_ns.evaluation.evaluation_protocol import RUN_PROTOCOL, code_protocols
    from nerface_ns.evaluation.paper_protocol import paper_protocol

    if not _is_side_by_side(command):
        return [RUN_PROTOCOL], []
    if not hasattr(pipeline.model, "latent_codes"):
        option = "--paper" if command.paper else "--code-protocols"
        raise ValueError(f"{option}: method {method} has no latent codes")
    protocols, notes = [], []
    if command.paper:
        protocol, note = paper_protocol(pipeline.datamanager.dataparser, command.code_frame)
        protocols.append(protocol)
        notes.append(f"{protocol.name}: {note}")
    frame = pipeline.model.config.code_frame if command.code_frame is None else command.code_frame
    protocols.extend(code_protocols(command.code_protocols, frame))
    if command.code_protocols:
        rules = [f"frame ({frame})" if rule == "frame" else rule for rule in dict.fromkeys(command.code_protocols)]
        notes.append(f"latent codes of unseen frames: {', '.join(rules)}")
    return protocols, notes


def _report(
    command: EvaluateCommand,
    protocols: Sequence[EvaluationProtocol],
    notes: Sequence[str],
    scores: dict[str, dict[str, SplitScores]],
    pipeline: Any,
    title: str,
) -> dict[str, Any]:
    """Print the table; return what the JSON file holds of it."""
    from nerfstudio.utils.rich_utils import CONSOLE

    from nerface_ns.evaluation.identity_scores import identity_names, scores_by_identity
    from nerface_ns.evaluation.paper_protocol import PAPER_METRICS
    from nerface_ns.evaluation.score_table import protocol_table, score_table
    from nerface_ns.evaluation.split_scores import METRICS, code_protocol, frames_as_json, scores_as_json

    figures = {protocol.name: scores_as_json(scores[protocol.name]) for protocol in protocols}
    frames = {protocol.name: frames_as_json(scores[protocol.name]) for protocol in protocols}
    if not _is_side_by_side(command):
        name, rule = protocols[0].name, code_protocol(pipeline)
        CONSOLE.print(score_table(figures[name], title, rule))
        persons = scores_by_identity(scores[name], identity_names(pipeline))
        for person, own in persons.items():
            CONSOLE.print(score_table(own, f"{person} alone"))
        alone = {"identities": persons} if persons else {}
        return {**figures[name], **alone, "code_protocol": rule, "frames": frames[name]}
    CONSOLE.print(protocol_table(figures, title, metrics=PAPER_METRICS if command.paper else METRICS))
    for note in notes:
        CONSOLE.print(note)
    return {
        "protocols": {
            protocol.name: {
                **figures[protocol.name],
                "code_protocol": protocol.code,
                "code_frame": protocol.code_frame if protocol.code == "frame" else None,
                "frames": frames[protocol.name],
            }
            for protocol in protocols
        },
        "notes": list(notes),
    }


def write_comparison(
    output_dir: Path,
    image_every: int,
    depth_range: tuple[float, float] | None,
    split: str,
    index: int,
    frame: RenderedFrame,
) -> None:
    """Write the side-by-side picture of every n-th frame into a folder for each split."""
    from nerface_ns.evaluation.comparison_image import comparison_image, write_png

    if index % image_every == 0:
        image = comparison_image(frame.truth, frame.outputs, depth_range, labels=True)
        write_png(output_dir / split / f"{index:05d}_{Path(frame.name).stem}.png", image)


def entrypoint() -> None:
    """Run the command line."""
    command = tyro.cli(EvaluateCommand, description=__doc__)
    with one_clear_error():
        main(command)


if __name__ == "__main__":
    entrypoint()
