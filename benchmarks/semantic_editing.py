"""Whether one named coefficient, set alone, changes its own region of the face.

    python benchmarks/semantic_editing.py --load-config RUN/config.yml --json benchmarks/results/NAME.json

Frames of the test split are rendered twice from their own cameras: with the neutral expression (all coefficients 0, as
far as the trained ranges hold 0), and with one coefficient alone at its greatest trained value. Of the squared
difference of the two pictures, summed over all pixels, colours and frames, the share inside the coefficient's region is
reported.

Regions. `eyeBlink*`: the frame's `eyes_box`, which holds both eyes; beside it, the share inside the half of that box
that holds the eye that blinks. `jawOpen`: the lower face. An opening jaw moves lips, chin and cheeks, so its region is
the frame's `mouth_box`, grown sideways and downward in units of the frame's distance from the eyes to the mouth (see
`JAW_SIDE`, `JAW_DOWN`); its upper edge stays. The share inside the `mouth_box` alone stands beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import tyro
from torch import Tensor

from nerface_ns.conditioning import keys
from nerface_ns.evaluation.run_loader import load_run
from nerface_ns.evaluation.run_record import run_record, write_json
from nerface_ns.evaluation.split_scores import SplitRenderer
from nerface_ns.model_components.image_metrics import box_to_pixel_slices
from nerface_ns.scripts.command_errors import one_clear_error
from nerface_ns.tracks.name_matching import canonical_name

COEFFICIENTS = ("jawOpen", "eyeBlinkLeft", "eyeBlinkRight")
"""What is edited, by ARKit's names; a run's own spelling may differ."""
BAR = 0.8
"""Least share of the change that a semantic model keeps inside the region."""
JAW_SIDE, JAW_DOWN = 0.7, 1.2
"""Growth of the jaw's region beyond the mouth box, to each side and downward, in distances from eyes to mouth. In
renderings of `head_a`'s own mesh from the test cameras 94 % of the change lies inside (99.5 % inside the eyes box for a
blink), so that no model can reach much more."""


@dataclass
class SemanticEditing:
    """Measure how local the edits of a trained run are."""

    load_config: Path
    """The run's config.yml."""
    json: Path
    """File for the figures."""
    split: str = "test"
    """Split whose cameras and boxes are taken."""
    max_frames: int = 10
    """Frames, evenly spread."""
    pictures: Path | None = None
    """Folder for pictures of the first frame: neutral, edited, and ten times the difference."""


def grown_box(box: Sequence[float], side: float, down: float) -> list[float]:
    """Return a box (y0, y1, x0, x1 as fractions) that reaches further to both sides and down, cut at the image."""
    y0, y1, x0, x1 = (float(value) for value in box)
    return [y0, min(y1 + down, 1.0), max(x0 - side, 0.0), min(x1 + side, 1.0)]


def regions_of(name: str, boxes: Mapping[str, Tensor], aspect: float) -> dict[str, Sequence[float]]:
    """Return a coefficient's region as "region", and narrower ones for comparison.

    Args:
        name: ARKit's name of the coefficient.
        boxes: The frame's "mouth" and "eyes" boxes.
        aspect: Width over height of the image.

    Raises:
        ValueError: The frame lacks a box.
    """
    missing = {"mouth", "eyes"} - set(boxes)
    if missing:
        raise ValueError(f"expected boxes of mouth and eyes in the data, found none of {sorted(missing)}")
    eyes, mouth = ([float(value) for value in boxes[region]] for region in ("eyes", "mouth"))
    if name == "jawOpen":
        unit = (mouth[0] + mouth[1] - eyes[0] - eyes[1]) / 2
        return {"region": grown_box(mouth, JAW_SIDE * unit / aspect, JAW_DOWN * unit), "mouth": mouth}
    middle = (eyes[2] + eyes[3]) / 2
    # Seen from the front, the person's left is the picture's right.
    half = [*eyes[:2], middle, eyes[3]] if name.endswith("Left") else [*eyes[:3], middle]
    return {"region": eyes, "eye": half}


def coefficient_column(name: str, names: Sequence[str]) -> int:
    """Return where a run has a coefficient, whatever its spelling.

    Raises:
        ValueError: It has none of this meaning.
    """
    meanings = [canonical_name(each) for each in names]
    if canonical_name(name) not in meanings:
        raise ValueError(f"{name}: expected a coefficient of this meaning in the run, which has {', '.join(names)}")
    return meanings.index(canonical_name(name))


def box_energy(change: Tensor, box: Sequence[float]) -> float:
    """Return the sum of squared differences inside a box."""
    rows, columns = box_to_pixel_slices(torch.tensor(box, dtype=torch.float64), *change.shape[:2])
    return float(change[rows, columns].double().square().sum())


def summary(energies: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    """Return shares of the whole change, all frames' energies together; None where nothing changed.

    Args:
        energies: Of each frame, "total" and one per region.
    """
    total = sum(frame["total"] for frame in energies)
    regions = [name for name in energies[0] if name != "total"]
    shares = {name: sum(frame[name] for frame in energies) / total if total > 0 else None for name in regions}
    least = [frame["region"] / frame["total"] for frame in energies if frame["total"] > 0]
    share = shares.pop("region")
    return {
        "share": share,
        "least_share_of_a_frame": min(least, default=None),
        **{f"share_{name}": value for name, value in shares.items()},
        "reaches_bar": share is not None and share >= BAR,
    }


class EditRenderer:
    """Renders one split's cameras with expressions of our own.

    Args:
        pipeline: A trained pipeline of a face method.
        split: Name of a split.
    """

    def __init__(self, pipeline: Any, split: str) -> None:
        self.model, self.renderer = pipeline.model, SplitRenderer(pipeline, split)
        self.names: tuple[str, ...] = pipeline.model.expression_names
        self.high: Tensor = pipeline.model.expression_encoding.high

    def picture(self, index: int, expression: Tensor) -> Tensor:
        """Return what a frame's camera sees of an expression, (height, width, 3)."""
        camera = self.renderer.dataset.cameras[index : index + 1].to(self.model.device)
        unseen = torch.full((1, 1), -1, device=self.model.device)
        camera.metadata = {keys.FRAME_INDEX: unseen, keys.EXPRESSION: expression[None]}
        return self.model.get_outputs_for_camera(camera)["rgb"].clamp(0, 1)

    def edited(self, name: str) -> Tensor:
        """Return the neutral expression with one coefficient at its greatest trained value."""
        expression = torch.zeros_like(self.high)
        column = coefficient_column(name, self.names)
        expression[column] = self.high[column]
        return expression

    def measure(self, name: str, frames: Sequence[int], pictures: Path | None) -> dict[str, Any]:
        """Return the figures of one coefficient."""
        expression, energies, squares = self.edited(name), [], []
        for index in frames:
            neutral, edited = self.picture(index, torch.zeros_like(expression)), self.picture(index, expression)
            change = edited - neutral
            height, width = change.shape[:2]
            boxes = self.renderer._boxes(index)
            inside = {key: box_energy(change, box) for key, box in regions_of(name, boxes, width / height).items()}
            energies.append({"total": float(change.double().square().sum()), **inside})
            squares.append(float(change.double().square().mean()))
            if pictures is not None and index == frames[0]:
                write_pictures(pictures / f"{name}.png", neutral, edited)
        return {
            "value": float(expression.max()),
            **summary(energies),
            "root_mean_square_change": (sum(squares) / len(squares)) ** 0.5,
        }


def write_pictures(path: Path, neutral: Tensor, edited: Tensor) -> None:
    """Write both pictures and their difference, ten times as large, beside each other."""
    from nerface_ns.evaluation.comparison_image import write_png

    difference = (10 * (edited - neutral).abs()).clamp(0, 1)
    write_png(path, torch.cat([neutral, edited, difference], dim=1))


def main(command: SemanticEditing) -> None:
    """Measure and write."""
    config, pipeline, _, step = load_run(command.load_config)
    pipeline.eval()
    renderer = EditRenderer(pipeline, command.split)
    total = len(renderer.renderer)
    count = min(command.max_frames, total)
    frames = [number * total // count for number in range(count)]
    figures = {name: renderer.measure(name, frames, command.pictures) for name in COEFFICIENTS}
    record = {
        "method": config.method_name,
        "steps": step + 1,
        "data": str(pipeline.datamanager.get_datapath().name),
        "image_size": list(pipeline.model.image_size),
        "frames": count,
        "bar": BAR,
        "jaw_region": {"side": JAW_SIDE, "down": JAW_DOWN},
        "coefficients": figures,
        **run_record(),
    }
    write_json(command.json, record)
    for name, values in figures.items():
        print(f"{name}: {values}")


if __name__ == "__main__":
    with one_clear_error():
        main(tyro.cli(SemanticEditing))
