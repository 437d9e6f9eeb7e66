"""Are the coefficients alive, of one scale, distinct, and not told by the head's pose?"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from nerface_ns.checking.finding import Finding
from nerface_ns.data.face_frames import FaceSequence
from nerface_ns.data.flame.flame_pose import vector_of_rotation

DEAD_RANGE = 1e-6
"""A coefficient that moves less than this is dead."""

SATURATED_SHARE = 0.2
"""A coefficient at its largest value in more of the frames is cut off there; at rest many are at their lowest."""

SCALE_RATIO = 50.0
"""A coefficient this many times as wide as the median one has another unit, or is broken."""

SAME = 0.9999
"""Two coefficients that are correlated beyond this are one."""

OUTSIDE_SHARE = 0.05
"""More test frames than this that leave the training range by half of its width: the splits do not match."""

FROZEN_SHARE = 0.1
"""More consecutive frames than this with the same coefficients: the tracker stood still."""

ENTANGLED = 0.8
"""A coefficient whose variance the head's pose explains beyond this cannot be told from it."""

MAX_NAMES = 6
"""Names in a message."""


def check_expressions(sequence: FaceSequence) -> list[Finding]:
    """Statistics of the training frames' coefficients."""
    values = sequence.splits["train"].expression.astype(np.float64)
    names = sequence.expression_names or tuple(f"expression_{k:02d}" for k in range(values.shape[1]))
    spans = np.ptp(values, axis=0)
    alive = np.flatnonzero(spans > DEAD_RANGE)
    findings = [_check_dead(names, spans, alive)]
    if len(alive) == 0:
        return findings
    findings.append(_check_scale(names, values, alive))
    findings.append(_check_saturated(names, values, alive))
    findings.append(_check_duplicates(names, values, alive))
    findings.append(_check_frozen(values))
    findings.append(_check_range(sequence, values, alive))
    findings.append(_check_pose(sequence, names, values, alive))
    return findings


def _some(names: tuple[str, ...], rows: np.ndarray) -> str:
    """A few names, and how many more there are."""
    told = ", ".join(names[row] for row in rows[:MAX_NAMES])
    return told + (f" and {len(rows) - MAX_NAMES} more" if len(rows) > MAX_NAMES else "")


def _check_dead(names: tuple[str, ...], spans: Float[np.ndarray, " k"], alive: np.ndarray) -> Finding:
    check, figures = "expression: dead", {"coefficients": len(spans), "alive": len(alive)}
    dead = np.flatnonzero(spans <= DEAD_RANGE)
    if len(alive) == 0:
        detail = f"none of {len(spans)} coefficients moves in the training frames"
        return Finding(check, "fail", detail, "the tracker gave no expression", "dead", figures)
    if len(dead):
        detail = f"{len(dead)} of {len(spans)} never move: {_some(names, dead)}"
        return Finding(check, "warn", detail, "harmless, but they do nothing", "dead", figures)
    return Finding(check, "ok", f"all {len(spans)} coefficients move", figures=figures)


def _check_scale(names: tuple[str, ...], values: np.ndarray, alive: np.ndarray) -> Finding:
    low, high = np.quantile(values[:, alive], [0.01, 0.99], axis=0)
    widths = np.maximum(high - low, DEAD_RANGE)
    # Also what only a few frames show, against the bulk of that coefficient.
    ratio = np.maximum(widths, np.ptp(values[:, alive], axis=0) / 4) / np.median(widths)
    wild = alive[ratio > SCALE_RATIO]
    figures = {"largest_ratio": round(float(ratio.max()), 2), "median_width": round(float(np.median(widths)), 5)}
    if len(wild):
        detail = f"{_some(names, wild)}: up to {ratio.max():.0f} times as wide as the median coefficient"
        return Finding("expression: scale", "warn", detail, "look for outliers or another unit", "wild-scale", figures)
    return Finding("expression: scale", "ok", f"the widest is {ratio.max():.1f} times the median", figures=figures)


def _check_saturated(names: tuple[str, ...], values: np.ndarray, alive: np.ndarray) -> Finding:
    share = (values[:, alive] == values[:, alive].max(axis=0)).mean(axis=0)
    cut = alive[share > SATURATED_SHARE]
    figures = {"largest_share": round(float(share.max()), 4)}
    if len(cut):
        detail = f"{_some(names, cut)}: at the largest value in up to {share.max():.0%} of the frames"
        return Finding("expression: saturated", "warn", detail, "the tracker cuts them off", "saturated", figures)
    return Finding("expression: saturated", "ok", "none stands at its largest value", figures=figures)


def _check_duplicates(names: tuple[str, ...], values: np.ndarray, alive: np.ndarray) -> Finding:
    correlation = np.atleast_2d(np.corrcoef(values[:, alive].T))
    first, second = np.nonzero(np.triu(np.abs(correlation) > SAME, k=1))
    pairs = [f"{names[alive[i]]} = {names[alive[j]]}" for i, j in zip(first, second)]
    figures = {"pairs": len(pairs)}
    if pairs:
        detail = f"{len(pairs)} pairs say the same: {'; '.join(pairs[:MAX_NAMES])}"
        return Finding("expression: duplicates", "warn", detail, "", "duplicated", figures)
    return Finding("expression: duplicates", "ok", "no two say the same", figures=figures)


def _check_frozen(values: np.ndarray) -> Finding:
    same = (np.abs(np.diff(values, axis=0)).max(axis=1) == 0).mean() if len(values) > 1 else 0.0
    figures = {"share": round(float(same), 4)}
    if same > FROZEN_SHARE:
        detail = f"{same:.0%} of the training frames repeat the coefficients of the frame before"
        return Finding("expression: frozen", "warn", detail, "drop frames that were not tracked", "frozen", figures)
    return Finding("expression: frozen", "ok", f"{same:.0%} of the frames repeat the one before", figures=figures)


def _check_range(sequence: FaceSequence, values: np.ndarray, alive: np.ndarray) -> Finding:
    check = "expression: test range"
    low, high = values[:, alive].min(axis=0), values[:, alive].max(axis=0)
    test = sequence.splits["test"].expression[:, alive]
    beyond = np.maximum(low - test, test - high) / (high - low)
    share = float((beyond.max(axis=1) > 0.5).mean())
    figures = {"frames_outside": round(share, 4), "farthest": round(float(beyond.max()), 3)}
    detail = f"{share:.0%} of the test frames leave the training range by more than half of its width"
    if share > OUTSIDE_SHARE:
        return Finding(check, "warn", detail, "such expressions were never seen: expect poor frames", "range", figures)
    return Finding(check, "ok", detail, figures=figures)


def _check_pose(sequence: FaceSequence, names: tuple[str, ...], values: np.ndarray, alive: np.ndarray) -> Finding:
    check = "expression: pose"
    cameras = sequence.splits["train"].camera_to_world
    left, _, right = np.linalg.svd(cameras[:, :3, :3].mean(axis=0))
    turns = vector_of_rotation((left @ right).T @ cameras[:, :3, :3])
    pose = np.concatenate([np.ones((len(cameras), 1)), turns, cameras[:, :3, 3]], axis=1)
    if len(cameras) < 4 * pose.shape[1]:
        return Finding(check, "skip", f"{len(cameras)} training frames are too few to tell")
    centred = values[:, alive] - values[:, alive].mean(axis=0)
    left_over = centred - pose @ np.linalg.lstsq(pose, centred, rcond=None)[0]
    explained = 1 - (left_over**2).sum(axis=0) / (centred**2).sum(axis=0)
    tied = alive[explained > ENTANGLED]
    figures = {"median": round(float(np.median(explained)), 3), "largest": round(float(explained.max()), 3)}
    detail = f"the head's pose explains {np.median(explained):.0%} of a coefficient's variance in the median"
    if len(tied):
        detail += f", and most of {_some(names, tied)}"
        remedy = "pose and expression cannot be told apart there: record the expression in other poses too"
        return Finding(check, "warn", detail, remedy, "entangled", figures)
    return Finding(check, "ok", f"{detail}, {explained.max():.0%} at most", figures=figures)
