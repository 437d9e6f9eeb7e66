"""How well single photos are fitted, on frames whose state is known.

    python benchmarks/fitting.py --load-config RUN/config.yml --frames 20 --json benchmarks/results/fitting_head_a.json

Every frame of a split that was not trained on is fitted alone, from its image file and nothing else: pose, expression,
gaze and latent code are looked for. `rotation_deg` is the angle between the fitted and the true camera, `psnr_drop_db`
what the fitted picture's PSNR lacks to that of a render with the true pose, expression and gaze.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import tyro

from nerface_ns.fitting.fit_settings import FitSettings

ROTATION_BAR_DEG, PSNR_BAR_DB, SECONDS_BAR = 2.0, 1.5, 60.0


@dataclass
class FittingBenchmark:
    """Fit held-out frames of a run."""

    load_config: Path
    """The run's config.yml."""
    json: Path
    """File for the figures."""
    frames: int = 20
    """Frames to fit, evenly spread over the split."""
    split: str = "test"
    """Split that was not trained on."""
    pictures: Path | None = None
    """Folder for the comparison images."""
    fit: FitSettings = field(default_factory=FitSettings)
    """How the numbers are found; photos are compared at the size of the training images."""


def frame_figures(subject: Any, fitted: Any, frame: Any, camera: Any, gaze: torch.Tensor | None) -> dict[str, Any]:
    """Compare what was fitted with what is known of a frame."""
    from nerface_ns.conditioning import keys
    from nerface_ns.rendering.training_cameras import rotation_angle_deg

    truth, pose = camera.camera_to_worlds.cpu().reshape(3, 4), fitted.shown.pose
    heads = [c2w[:, :3].T @ (subject.pivot - c2w[:, 3]) for c2w in (truth, pose)]
    expression = camera.metadata[keys.EXPRESSION].cpu().reshape(-1)
    width = (subject.high - subject.low).clamp(min=1e-6)
    psnr = {
        name: -10 * math.log10(float((image.cpu().clamp(0, 1) - frame.truth.cpu()).square().mean()))
        for name, image in (("psnr_fit", fitted.render), ("psnr_true_state", frame.outputs["rgb"]))
    }
    figures = {
        "frame": frame.name,
        "rotation_deg": float(rotation_angle_deg(truth[None, :, :3], pose[None, :, :3])),
        "head_shift_fraction": float((heads[0] - heads[1]).norm() / heads[0].norm()),
        **psnr,
        "psnr_drop_db": psnr["psnr_true_state"] - psnr["psnr_fit"],
        "expression_error": float(((fitted.shown.expression - expression).abs() / width).mean()),
        "correlation": fitted.figures["correlation"],
        "seconds": fitted.figures["seconds"],
    }
    if gaze is not None and fitted.shown.gaze is not None:
        figures["gaze_error_deg"] = float(angle_between_deg(fitted.shown.gaze, gaze))
    return {name: round(value, 4) if isinstance(value, float) else value for name, value in figures.items()}


def angle_between_deg(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Return the angle between two gazes."""
    directions = []
    for gaze in (first, second):
        pitch, yaw = gaze.double().flatten()
        directions.append(torch.stack([pitch.cos() * yaw.sin(), pitch.sin(), pitch.cos() * yaw.cos()]))
    return torch.rad2deg(torch.arccos((directions[0] @ directions[1]).clamp(-1, 1)))


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return means and the worst of all frames, and how many keep to all bars."""
    columns = [name for name, value in rows[0].items() if isinstance(value, float)]
    means = {f"mean_{name}": round(sum(row[name] for row in rows) / len(rows), 4) for name in columns}
    worst = {f"max_{name}": max(row[name] for row in rows) for name in ("rotation_deg", "psnr_drop_db", "seconds")}
    kept = [
        row["rotation_deg"] <= ROTATION_BAR_DEG and row["psnr_drop_db"] <= PSNR_BAR_DB and row["seconds"] <= SECONDS_BAR
        for row in rows
    ]
    return {"frames": len(rows), "within_bars": sum(kept), **means, **worst}


def main(benchmark: FittingBenchmark) -> dict[str, Any]:
    """Fit, compare, write the figures."""
    import dataclasses

    from nerface_ns.conditioning import keys
    from nerface_ns.evaluation.run_loader import load_run
    from nerface_ns.evaluation.run_record import run_record, write_json
    from nerface_ns.evaluation.split_scores import SplitRenderer
    from nerface_ns.fitting.photo import read_photo
    from nerface_ns.fitting.photo_fitter import PhotoFitter
    from nerface_ns.rendering.render_subject import RenderSubject

    config, pipeline, checkpoint, step = load_run(benchmark.load_config)
    subject = RenderSubject(pipeline, benchmark.load_config)
    size = min(pipeline.model.image_size)
    fitter = PhotoFitter(subject, dataclasses.replace(benchmark.fit, size=size))
    renderer = SplitRenderer(pipeline, benchmark.split)
    rows = []
    for number in range(min(benchmark.frames, len(renderer))):
        index = number * len(renderer) // min(benchmark.frames, len(renderer))
        photo = read_photo(renderer.dataset.image_filenames[index], cut_borders=fitter.cuts_borders)
        (fitted,) = fitter.fit([photo])
        camera = renderer.dataset.cameras[index : index + 1]
        frame = renderer.render(index)
        rows.append(frame_figures(subject, fitted, frame, camera, camera.metadata.get(keys.GAZE)))
        print(rows[-1], flush=True)
        if benchmark.pictures is not None:
            benchmark.pictures.mkdir(parents=True, exist_ok=True)
            fitted.write_comparison(benchmark.pictures / f"{Path(frame.name).stem}.png")
    report = {"method": config.method_name, "step": step, "checkpoint": checkpoint.name, "split": benchmark.split}
    report |= {"size": size, **summary(rows), "settings": dataclasses.asdict(fitter.settings), "rows": rows}
    write_json(benchmark.json, {**report, **run_record()})
    print({name: value for name, value in report.items() if name != "rows"})
    return report


if __name__ == "__main__":
    main(tyro.cli(FittingBenchmark, description=__doc__))
