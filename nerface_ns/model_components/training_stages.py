"""A training in stages: what learns in each, how fast, and under which losses."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Dict, List, Literal, Mapping, Optional, Tuple

from nerfstudio.configs.base_config import PrintableConfig

from nerface_ns.model_components.loss_weights import WeightSchedule, parse_weights

StagePreset = Literal["none", "geometry-appearance-joint"]
"""Lists of stages that go by a name."""
DENSITY, COLOUR = "density", "colour"
"""Names that share the field's parameters out: what only its colours depend on, and the rest of it."""


@dataclass
class StagesConfig(PrintableConfig):
    """Stages of the training, and schedules of its losses' weights. Both are functions of the step."""

    preset: StagePreset = "none"
    """"geometry-appearance-joint": shape under a strong silhouette, then colours on a shape that stands still, then all
    of it (Neural Head Avatars' order). "none" leaves it to `list`."""
    list: Tuple[str, ...] = ()
    """One text for each stage: a name; share=0.3 of the training or steps=2000, which the last may leave out; train=
    parameter groups that learn, with commas between (all without it; density and colour name parts of the field);
    lr.GROUP= a factor on a group's learning rate; weight.LOSS= a weight or STEP:VALUE,STEP:VALUE."""
    weights: Tuple[str, ...] = ()
    """Weights in all stages as LOSS=WEIGHT or LOSS=STEP:VALUE,STEP:VALUE, which runs straight between steps. A loss is
    named as its setting is, without "_weight": matte=0:0.5,4000:0.05. region.mouth=3 weighs the colours of the mouth's
    pixels."""


@dataclass(frozen=True)
class Stage:
    """One part of a training."""

    name: str
    """What it is called."""
    share: Optional[float] = None
    """Its part of the training."""
    steps: Optional[int] = None
    """Its number of steps instead."""
    train: Optional[Tuple[str, ...]] = None
    """Parameter groups that learn; None for all."""
    rates: Mapping[str, float] = field(default_factory=dict)
    """Factors on learning rates by parameter group."""
    weights: Mapping[str, WeightSchedule] = field(default_factory=dict)
    """Weights of losses by name."""


def parse_stage(text: str) -> Stage:
    """Read one stage as `StagesConfig.list` describes it.

    Raises:
        ValueError: The text says something else.
    """
    name, *entries = text.split() or [""]
    where = f"stages.list {name!r}"
    if not name or "=" in name:
        raise ValueError(f"stages.list: expected a stage that begins with its name, got {text!r}")
    rates: Dict[str, float] = {}
    weights: List[str] = []
    given: Dict[str, str] = {}
    for entry in entries:
        key, equals, value = entry.partition("=")
        if not equals or key in given:
            raise ValueError(f"{where}: expected KEY=VALUE, each key once, got {entry!r}")
        given[key] = value
        if key.startswith("weight."):
            weights.append(f"{key[len('weight.') :]}={value}")
        elif key.startswith("lr."):
            rates[key[len("lr.") :]] = _number(where, key, value, lambda number: number > 0, "above 0")
        elif key not in ("share", "steps", "train"):
            raise ValueError(f"{where}: expected share, steps, train, lr.GROUP and weight.LOSS, got {key!r}")
    if "share" in given and "steps" in given:
        raise ValueError(f"{where}: expected share or steps, got both")
    share, steps = given.get("share"), given.get("steps")
    return Stage(
        name,
        None if share is None else _number(where, "share", share, lambda number: 0 < number <= 1, "in (0, 1]"),
        None if steps is None else int(_number(where, "steps", steps, _is_count, "whole and above 0")),
        tuple(group for group in given["train"].split(",") if group) if "train" in given else None,
        rates,
        parse_weights(where, weights),
    )


def _is_count(number: float) -> bool:
    return number >= 1 and number == int(number)


def _number(where: str, key: str, text: str, fits: Callable[[float], bool], words: str) -> float:
    """Return a number that fits."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not (math.isfinite(number) and fits(number)):
        raise ValueError(f"{where}: {key}: expected a number {words}, got {text!r}")
    return number


def make_stages(config: StagesConfig, groups: Collection[str], losses: Collection[str]) -> List[Stage]:
    """Return a training's stages; none where the settings name none.

    Args:
        config: Settings.
        groups, losses: Parameter groups and losses of the model, of which a preset takes those that it has.

    Raises:
        ValueError: Both a preset and a list are given, a stage has no end, or their lengths are of two kinds.
    """
    if config.preset != "none" and config.list:
        raise ValueError(f"stages.preset {config.preset} and stages.list: expected one of them, got both")
    stages = _preset(groups, losses) if config.preset != "none" else [parse_stage(text) for text in config.list]
    endless = [stage.name for stage in stages[:-1] if stage.share is None and stage.steps is None]
    if endless:
        raise ValueError(f"stages.list {endless[0]!r}: expected share or steps, which only the last may leave out")
    if any(stage.share is not None for stage in stages) and any(stage.steps is not None for stage in stages):
        raise ValueError("stages.list: expected shares in all stages or steps in all, got both")
    if sum(stage.share or 0 for stage in stages) > 1 + 1e-6:
        raise ValueError(f"stages.list: expected shares of at most 1 in all, got {[stage.share for stage in stages]}")
    return stages


def stage_at(stages: Sequence[Stage], step: int, fraction: float) -> int:
    """Return the number of the stage that a step belongs to; the last one goes on after its end.

    Args:
        stages: At least one.
        step: Training step, counted from 0.
        fraction: Share of the training that is done, in [0, 1].
    """
    end = 0.0
    for number, stage in enumerate(stages[:-1]):
        end += stage.steps or stage.share or 0.0
        # The slack keeps a sum of shares from ending a step late.
        if (step if stage.steps is not None else fraction + 1e-9) < end:
            return number
    return len(stages) - 1


def check_groups(stages: Sequence[Stage], groups: Collection[str]) -> None:
    """Refuse stages that name parameter groups the model has not.

    Args:
        stages: As `make_stages` returns them.
        groups: Parameter groups of the model.

    Raises:
        ValueError: A name is unknown, or nothing learns.
    """
    for stage in stages:
        for kind, names, known in (
            ("train", stage.train or (), [*groups, DENSITY, COLOUR]),
            ("lr", stage.rates, list(groups)),
        ):
            unknown = [name for name in names if name not in known]
            if unknown:
                raise ValueError(
                    f"stages.list {stage.name!r}: {kind}: expected parameter groups among {', '.join(sorted(known))}, "
                    f"got {unknown[0]!r}"
                )
        if stage.train == ():
            raise ValueError(f"stages.list {stage.name!r}: train: expected at least one parameter group, got none")


def _preset(groups: Collection[str], losses: Collection[str]) -> List[Stage]:
    """Geometry, appearance, joint.

    Colours learn in the first stage too: without them nothing but the silhouette would tell of the shape. Codes do not,
    which could take over what moves.
    """
    shape = tuple(name for name in groups if name != "latent_codes")
    looks = (COLOUR, *(name for name in ("latent_codes", "background") if name in groups))
    strong = {name: WeightSchedule(((0, 0.1),)) for name in ("silhouette", "matte") if name in losses}
    return [
        Stage("geometry", share=0.3, train=shape, weights=strong),
        Stage("appearance", share=0.1, train=looks),
        Stage("joint"),
    ]
