"""Fits a checkpoint to data that have got more training frames since."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Dict, List, Optional

import torch
from torch import Tensor, nn
from torch.nn import Parameter

from nerface_ns.engine.checkpoint_file import plain_name
from nerface_ns.engine.training_state import FACE_STATE

TABLES = ("_model.latent_codes.", "_model.camera_optimizer.", "_model.expression_corrections.")
"""Beginnings of the names of what may have a row for each training frame."""
GROUPS = ("latent_codes", "cameras", "expression_corrections")
"""Their parameter groups."""


def stored_frame_names(stored: Dict[str, Any]) -> Optional[List[str]]:
    """Return the names of the frames that a checkpoint was trained on, where it has them."""
    return stored.get(FACE_STATE, {}).get("frame_names")


def frame_rows(
    source: Path,
    before: Optional[Sequence[str]],
    now: Optional[Sequence[str]],
    option: str = "--load-more-frames",
) -> List[int]:
    """Return each frame's row in the checkpoint; -1 for those that are new.

    Args:
        source: The checkpoint, for messages.
        before: Names of the frames that it was trained on.
        now: Names of the training frames.
        option: What asks for it, for messages.

    Raises:
        ValueError: A name is missing, so that codes would change hands or be lost.
    """
    if before is None or now is None:
        raise ValueError(
            f"{source}: {option}: expected the names of the frames in the checkpoint and in the data, got "
            "none; checkpoints have them since this option exists"
        )
    gone = sorted(set(before) - set(now))
    if gone:
        raise ValueError(
            f"{source}: {option}: expected all {len(before)} frames of the checkpoint among the "
            f"{len(now)} training frames, got none named {gone[0]}"
            + (f", nor {len(gone) - 1} others" if len(gone) > 1 else "")
        )
    row = {name: number for number, name in enumerate(before)}
    return [row.get(name, -1) for name in now]


def with_more_frames(
    stored: Dict[str, Any], rows: Sequence[int], pipeline: nn.Module, param_groups: Mapping[str, Sequence[Parameter]]
) -> Dict[str, Any]:
    """Return a checkpoint's content with a row for each training frame in every table that has one row a frame.

    Rows of old frames move to where the data have them now; those of new frames are as in an untrained model, which
    begins with codes, camera changes and corrections of zero. Moments of optimizers start from zero there.

    Args:
        stored: The content; it is left as it is.
        rows: As `frame_rows` returns them.
        pipeline: Untrained, of the new data.
        param_groups: As its `get_param_groups` gives them.
    """
    fresh = {plain_name(name): value for name, value in pipeline.state_dict().items()}
    state = {
        name: fitted_rows(value, fresh[plain_name(name)], rows) if is_per_frame(plain_name(name)) else value
        for name, value in stored["pipeline"].items()
    }
    moments = dict(stored["optimizers"])
    for group in set(GROUPS) & set(moments):
        parameters = param_groups[group]
        by_row = {row: _fitted_moments(old, parameters[row], rows) for row, old in moments[group]["state"].items()}
        moments[group] = {**moments[group], "state": by_row}
    return {**stored, "pipeline": state, "optimizers": moments, FACE_STATE: {**stored[FACE_STATE], "gradients": {}}}


def is_per_frame(name: str) -> bool:
    """Whether a tensor of a pipeline may have a row for each training frame."""
    return name.startswith(TABLES)


def fitted_rows(value: Tensor, fresh: Tensor, rows: Sequence[int]) -> Tensor:
    """Return rows of old frames from a stored table, of new ones from an untrained one; other tensors as stored."""
    picked = torch.tensor(rows)
    if value.dim() == 0 or len(value) != int(picked.max()) + 1 or fresh.shape != (len(rows), *value.shape[1:]):
        return value
    known = (picked >= 0).reshape(-1, *[1] * (value.dim() - 1))
    return torch.where(known, value[picked.clamp(min=0)], fresh.to(value))


def _fitted_moments(moments: Dict[str, Any], parameter: Tensor, rows: Sequence[int]) -> Dict[str, Any]:
    zero = torch.zeros_like(parameter, device="cpu")
    return {
        name: fitted_rows(value, zero, rows) if isinstance(value, Tensor) else value for name, value in moments.items()
    }


@torch.no_grad()
def widen_ranges(model: Any) -> None:
    """Let a loaded model's ranges of expressions, gaze and poses take in its new frames; units stay as they were."""
    ranges = [(model.expression_encoding, model.track.expression)]
    if getattr(model, "has_gaze", False):
        ranges.append((model.gaze_range, model.gaze_track.expression))
    if model.identities is not None:
        whose = model.identities.frame_identity
        own = [model.track.expression[whose == person] for person in range(len(model.identities.names))]
        ranges += list(zip(model.identities.encodings, own))
    for trained, values in ranges:
        trained.low.copy_(torch.minimum(trained.low, values.amin(dim=0)))
        trained.high.copy_(torch.maximum(trained.high, values.amax(dim=0)))
    if not model.has_tracked_poses:
        return
    pose, cameras = model.head_pose_encoding, model.train_camera_to_world
    low, high = pose.low.clone(), pose.high.clone()
    pose.low.fill_(-torch.inf)
    pose.high.fill_(torch.inf)
    deviations = pose(cameras[:, :, :3], cameras[:, :, 3])
    pose.low.copy_(torch.minimum(low, deviations.amin(dim=0)))
    pose.high.copy_(torch.maximum(high, deviations.amax(dim=0)))
