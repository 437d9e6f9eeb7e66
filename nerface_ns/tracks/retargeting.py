"""From a driver's expressions to those of the person that an avatar was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Optional

import numpy as np
from jaxtyping import Float

from nerface_ns.tracks.expression_track import ExpressionTrack
from nerface_ns.tracks.name_matching import are_placeholders, match_matrix
from nerface_ns.tracks.trained_range import extrapolation, soft_clamp

LISTED_NAMES = 8
"""Most names that a warning lists."""


@dataclass
class RetargetingConfig:
    """How a driver's expressions become another person's."""

    transfer: Literal["difference", "absolute"] = "difference"
    """What is carried over: the difference from the driver's neutral expression, added to the person's; or the
    coefficients as they are."""
    match: Literal["auto", "names", "order"] = "auto"
    """Which coefficients belong together: by names, whatever their spelling; by their order; "auto" takes the names
    where both sides have some in common, else the order, with a warning."""
    scale_ranges: bool = True
    """Scale each coefficient's difference by the ratio of the two people's ranges (transfer "difference" only)."""
    range_percentiles: tuple[float, float] = (2.0, 98.0)
    """Percentiles of the difference from neutral between which a person's range of a coefficient lies."""
    min_scale: float = 0.25
    """Smallest ratio of ranges that is applied: what a person did in few training frames shall not vanish."""
    max_scale: float = 1.5
    """Largest ratio of ranges that is applied: a calm driver shall not be taken for one who cannot do more."""
    gain: float = 1.0
    """Factor on every difference from neutral; above 1 exaggerates."""
    soft_clamp: bool = True
    """Bring coefficients beyond the trained range back towards it, see `soft_clamp`."""
    clamp_margin: float = 0.1
    """How far beyond the trained range the soft clamp lets coefficients come, as a share of the range's width; the
    models' own, hard clamp stands at the same place."""

    def check(self) -> None:
        """Refuse settings that make no sense.

        Raises:
            ValueError: Names the field, what is expected and what it is.
        """
        low, high = self.range_percentiles
        facts = (
            ("range_percentiles", "two rising numbers in 0..100", 0 <= low < high <= 100),
            ("min_scale", "a number in 0..1", 0 <= self.min_scale <= 1),
            ("max_scale", "a number from 1", 1 <= self.max_scale < np.inf),
            ("gain", "a finite number", bool(np.isfinite(self.gain))),
            ("clamp_margin", "a number from 0", 0 <= self.clamp_margin < np.inf),
        )
        for name, expected, is_good in facts:
            if not is_good:
                raise ValueError(f"retargeting.{name}: expected {expected}, got {getattr(self, name)}")


@dataclass(frozen=True, eq=False)
class RetargetingTarget:
    """What retargeting must know of the person."""

    names: tuple[str, ...]
    """Names of the coefficients; empty or placeholders where the data have none."""
    train_expression: Float[np.ndarray, "num_train num_target"]
    """Coefficients of the training frames."""
    neutral: Optional[Float[np.ndarray, " num_target"]] = None
    """The person's neutral expression; estimated from the training frames without it."""

    def __post_init__(self) -> None:
        count, length = self.train_expression.shape
        if count == 0 or length == 0 or not np.isfinite(self.train_expression).all():
            raise ValueError(f"person: expected finite training expressions, at least one, got {count} of {length}")
        if self.names and len(self.names) != length:
            raise ValueError(f"person: expected {length} names, one for each coefficient, got {len(self.names)}")


@dataclass(frozen=True, eq=False)
class RetargetedTrack:
    """Expressions for the person, and how much they ask of the model."""

    expression: Float[np.ndarray, "num_frames num_target"]
    """Coefficients to render: behind the soft clamp."""
    asked: Float[np.ndarray, "num_frames num_target"]
    """Coefficients before the soft clamp."""
    extrapolation: Float[np.ndarray, " num_frames"]
    """How far the worst coefficient of each frame was outside the trained range before the clamp, in widths of it."""
    coefficient_extrapolation: Float[np.ndarray, "num_frames num_target"]
    """The same for every coefficient."""
    clamped_extrapolation: Float[np.ndarray, " num_frames"]
    """The same for the worst coefficient behind the clamp: never above the clamp's margin."""
    driver_names: tuple[str, ...]
    """For each of the person's coefficients the driver's that moves it: "a", "a+b" for two sides in one, "" none."""
    warnings: tuple[str, ...]
    """What the user should know."""


def neutral_expression(
    expression: Float[np.ndarray, "num_frames num_coefficients"],
) -> Float[np.ndarray, " num_coefficients"]:
    """Estimate a person's neutral expression: where each coefficient is most of the time.

    It is the mean of the coefficient's shortest half (the least interval with half of the frames), which a smile or
    blinks in fewer than half of the frames do not move, and which lies nearer to the resting value than the median
    does where movements go one way, as those of ARKit's coefficients do.
    """
    half = len(expression) // 2 + 1
    ordered = np.sort(expression, axis=0)
    starts = (ordered[half - 1 :] - ordered[: len(ordered) - half + 1]).argmin(axis=0)
    return np.array([ordered[start : start + half, column].mean() for column, start in enumerate(starts.tolist())])


class Retargeter:
    """Maps a driver's coefficients to a person's.

    Args:
        driver: Shows who the driver is: names, neutral expression (estimated from the frames where it is not given)
            and ranges. Either the track itself, or for live input a few seconds of it.
        target: The person.
        config: Settings.

    Raises:
        ValueError: Settings that make no sense, or coefficients that cannot be matched.
    """

    def __init__(self, driver: ExpressionTrack, target: RetargetingTarget, config: RetargetingConfig) -> None:
        config.check()
        self.config = config
        self.num_driver = driver.expression.shape[1]
        self.source = driver.source or "driver"
        self.weights, self.driver_names, self.warnings = _match(
            self.source, driver.names, self.num_driver, target, config
        )
        train = np.asarray(target.train_expression, dtype=np.float64)
        self.low, self.high = train.min(axis=0), train.max(axis=0)
        self.target_neutral = neutral_expression(train) if target.neutral is None else target.neutral
        neutral = driver.neutral
        if neutral is None:
            neutral = neutral_expression(driver.expression)
            if len(driver) == 1 and config.transfer == "difference":
                self.warnings = (*self.warnings, f"{self.source}: its only frame is taken for the neutral expression")
        self.driver_neutral = self.weights @ neutral
        self.scale = np.full(len(self.weights), float(config.gain))
        if config.transfer == "difference" and config.scale_ranges:
            moved = driver.expression @ self.weights.T - self.driver_neutral
            self.scale *= _range_ratio(moved, train - self.target_neutral, config)

    def __call__(self, expression: Float[np.ndarray, "num_frames num_driver"]) -> RetargetedTrack:
        """Return the person's expressions for some of the driver's.

        Raises:
            ValueError: Another number of coefficients than the driver's.
        """
        if expression.shape[1] != self.num_driver:
            raise ValueError(f"{self.source}: expected {self.num_driver} coefficients, got {expression.shape[1]}")
        moved = expression @ self.weights.T - self.driver_neutral
        start = self.target_neutral if self.config.transfer == "difference" else self.driver_neutral
        is_matched = self.weights.any(axis=1)
        asked = np.where(is_matched, start + self.scale * moved, self.target_neutral)
        clamped = soft_clamp(asked, self.low, self.high, self.config.clamp_margin) if self.config.soft_clamp else asked
        outside = extrapolation(asked, self.low, self.high)
        return RetargetedTrack(
            expression=clamped,
            asked=asked,
            extrapolation=outside.max(axis=1),
            coefficient_extrapolation=outside,
            clamped_extrapolation=extrapolation(clamped, self.low, self.high).max(axis=1),
            driver_names=self.driver_names,
            warnings=self.warnings,
        )


def retarget(
    driver: ExpressionTrack, target: RetargetingTarget, config: Optional[RetargetingConfig] = None
) -> RetargetedTrack:
    """Return the person's expressions for a driver's track; settings are the defaults without any.

    Raises:
        ValueError: Settings that make no sense, or coefficients that cannot be matched.
    """
    return Retargeter(driver, target, config or RetargetingConfig())(driver.expression)


def _range_ratio(driver: np.ndarray, target: np.ndarray, config: RetargetingConfig) -> np.ndarray:
    """The target's range over the driver's for each coefficient, 1 where one of the two does not move."""
    driver_range, target_range = (
        np.diff(np.percentile(moved, config.range_percentiles, axis=0), axis=0)[0] for moved in (driver, target)
    )
    moves = (driver_range > 1e-9) & (target_range > 1e-9)
    ratio = np.where(moves, target_range, 1.0) / np.where(moves, driver_range, 1.0)
    return ratio.clip(config.min_scale, config.max_scale)


def _match(
    source: str, names: Sequence[str], num_driver: int, target: RetargetingTarget, config: RetargetingConfig
) -> tuple[np.ndarray, tuple[str, ...], tuple[str, ...]]:
    """Share of each driver's coefficient in each of the person's, the driver's names for them, and warnings."""
    num_target = target.train_expression.shape[1]
    have_names = not are_placeholders(names) and not are_placeholders(target.names)
    weights = match_matrix(names, target.names) if have_names else np.zeros((num_target, num_driver))
    if config.match == "order" or (config.match == "auto" and not weights.any()):
        return _match_by_order(source, names, num_driver, num_target, have_names, config)
    if not weights.any():
        reason = "have none in common" if have_names else "are not known on both sides"
        raise ValueError(f"{source}: expected coefficients to match by name, but the names {reason}")
    taken = tuple("+".join(names[int(column)] for column in np.flatnonzero(row)) for row in weights)
    missing = [name for name, by in zip(target.names, taken) if not by]
    unused = [name for name, shares in zip(names, weights.T) if not shares.any()]
    warnings = []
    if missing:
        warnings.append(
            f"{source}: {len(missing)} of the person's {num_target} coefficients have no counterpart in the driver "
            f"and stay neutral: {_listed(missing)}"
        )
    if unused:
        warnings.append(
            f"{source}: {len(unused)} of the driver's {num_driver} coefficients are not used: {_listed(unused)}"
        )
    return weights, taken, tuple(warnings)


def _match_by_order(
    source: str, names: Sequence[str], num_driver: int, num_target: int, have_names: bool, config: RetargetingConfig
) -> tuple[np.ndarray, tuple[str, ...], tuple[str, ...]]:
    """Each coefficient from the one at its place."""
    reason = "no name in common" if have_names else "no names on both sides"
    if num_driver != num_target:
        how = "matched by their order" if config.match == "order" else f"with {reason}, to be matched by their order"
        raise ValueError(f"{source}: expected {num_target} coefficients, the person's, {how}, got {num_driver}")
    taken = tuple(names) if names else tuple(f"coefficient {column}" for column in range(num_driver))
    warning = (
        f"{source}: {num_driver} coefficients with {reason} are matched by their order; check that they mean the same"
    )
    return np.eye(num_target), taken, () if config.match == "order" else (warning,)


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - LISTED_NAMES} more" if len(names) > LISTED_NAMES else ""
    return ", ".join(names[:LISTED_NAMES]) + more
