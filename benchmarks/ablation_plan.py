"""The rows of `configs/nerface_ablations.json`: what is trained, at which size, and what is only evaluated again."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PLAN = ROOT / "configs" / "nerface_ablations.json"


@dataclass(frozen=True)
class AblationRow:
    """One row of the table."""

    name: str
    """Key in the results."""
    about: str
    """What differs from the first row, for the table."""
    overrides: tuple[str, ...] = ()
    """The method's options, as `ns-train` takes them."""
    dataparser_overrides: tuple[str, ...] = ()
    """The dataparser's options."""
    seed: int | None = None
    """Seed of the training where it is not the plan's."""
    evaluates: str | None = None
    """Name of the row whose trained run is evaluated again, without a training of its own."""
    model_settings: dict[str, Any] = field(default_factory=dict)
    """Settings of that run's model that are changed for the evaluation."""

    def as_json(self) -> dict[str, Any]:
        """Return what makes the row, for the results."""
        if self.evaluates is not None:
            return {"about": self.about, "evaluates": self.evaluates, "model_settings": self.model_settings}
        own = [*self.overrides, *self.dataparser_overrides]
        return {"about": self.about, "overrides": own, **({} if self.seed is None else {"seed": self.seed})}


@dataclass(frozen=True)
class AblationPlan:
    """What all rows share."""

    method: str
    dataparser: str
    subject: str
    """Folder of the data below the data root."""
    seed: int
    size: str
    """Name of the size."""
    resolution: int
    """Image height in pixels."""
    steps: int
    """Steps of every training."""
    max_frames: int | None
    """Frames of each split to score, evenly spread; None scores all."""
    overrides: tuple[str, ...]
    """The method's options at this size."""
    rows: tuple[AblationRow, ...] = ()

    def settings(self) -> dict[str, Any]:
        """Return what rows must share to stand in one table."""
        names = ("method", "dataparser", "subject", "seed", "size", "resolution", "steps", "max_frames")
        return {**{name: getattr(self, name) for name in names}, "overrides": list(self.overrides)}


def read_plan(path: Path, size: str) -> AblationPlan:
    """Read the rows at a size.

    Raises:
        ValueError: There is no such size, two rows have one name, or a row evaluates one that is not trained.
    """
    content = json.loads(path.read_text(encoding="utf-8"))
    if size not in content["sizes"]:
        raise ValueError(f"--size {size}: {path} has {', '.join(content['sizes'])}")
    chosen = {name: value for name, value in content["sizes"][size].items() if name != "about"}
    rows = []
    for row in content["rows"]:
        lists = {name: tuple(row[name]) for name in ("overrides", "dataparser_overrides") if name in row}
        rows.append(AblationRow(**{**row, **lists}))
    names = [row.name for row in rows]
    repeated = {name for name in names if names.count(name) > 1}
    trained = {row.name for row in rows if row.evaluates is None}
    untrained = {row.name: row.evaluates for row in rows if row.evaluates is not None and row.evaluates not in trained}
    if repeated or untrained:
        raise ValueError(
            f"{path}: names given twice: {sorted(repeated)}; rows of a run that is not trained: {untrained}"
        )
    shared = {name: content[name] for name in ("method", "dataparser", "subject", "seed")}
    chosen["overrides"] = tuple(chosen["overrides"])
    return AblationPlan(**shared, size=size, **chosen, rows=tuple(rows))


def change_plan(plan: AblationPlan, only: tuple[str, ...], **changes: int | None) -> AblationPlan:
    """Return the plan with other steps, resolution or frames where they are not None, and only some rows.

    Raises:
        ValueError: There is no row of a name.
    """
    names = [row.name for row in plan.rows]
    unknown = [name for name in only if name not in names]
    if unknown:
        raise ValueError(f"--only {' '.join(unknown)}: expected names among {', '.join(names)}")
    rows = tuple(row for row in plan.rows if not only or row.name in only)
    return replace(plan, rows=rows, **{name: value for name, value in changes.items() if value is not None})
