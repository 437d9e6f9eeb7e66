"""Turns plain numbers into what the model is asked to show: pose, expression, gaze, latent code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

import torch
from jaxtyping import Float
from torch import Tensor

from nerface_ns.evaluation.pose_fit import moved_pose
from nerface_ns.fitting.expression_prior import TrainedSpread
from nerface_ns.fitting.least_squares import Numbers
from nerface_ns.fitting.photo_view import Shown
from nerface_ns.rendering.render_subject import RenderSubject

POSE_LENGTH = 6
"""Three numbers turn the head in its place, three shift it."""
POSE_STEP = 0.01
"""Turn in radians and shift in head radii for a derivative: about half a pixel at a height of 128."""
SPREAD_STEP = 0.2
"""Standard deviations for the derivative by what has a distribution."""


@dataclass(frozen=True)
class FitNumbers:
    """The numbers of a picture: 6 of the pose, then those of expression and gaze; the code's are shared."""

    expression: TrainedSpread
    """Of the training frames."""
    code: TrainedSpread
    """Of the training frames."""
    gaze: Optional[TrainedSpread]
    """Of the training frames; None where the eyes go with the expression."""

    @classmethod
    def of(cls, subject: RenderSubject, most: int) -> FitNumbers:
        """Describe what a person's model was trained on.

        Args:
            subject: The person.
            most: Directions of expression, and of the code, to keep at most.
        """
        expression = TrainedSpread.of(subject.train_expression, most)
        # The code of unseen frames, such as zero, need not lie among the trained ones.
        code = TrainedSpread.of(subject.model.latent_codes.codes[subject.frames], most, keeps_range=False)
        gaze = None if subject.train_gaze is None else TrainedSpread.of(subject.train_gaze, 2)
        return cls(expression, code, gaze)

    @property
    def num_gaze(self) -> int:
        """Numbers of the gaze."""
        return 0 if self.gaze is None else self.gaze.num_directions

    def shown(
        self, start: Float[Tensor, "3 4"], own: Float[Tensor, " num_own"], code: Float[Tensor, " num_code"]
    ) -> Shown:
        """Return what numbers stand for.

        Args:
            start: Pose of all zeros.
            own: A picture's numbers.
            code: The shared ones.
        """
        pose, expression, gaze = own.split([POSE_LENGTH, self.expression.num_directions, self.num_gaze])
        return Shown(
            moved_pose(start, pose[None, :3], pose[None, 3:]),
            self.expression.decode(expression),
            self.code.decode(code),
            None if self.gaze is None else self.gaze.decode(gaze),
        )

    def start(
        self, expression: Float[Tensor, " num_coefficients"], gaze: Optional[Float[Tensor, " 2"]]
    ) -> Float[Tensor, " num_own"]:
        """Return a picture's numbers at the pose that they start from."""
        parts = [torch.zeros(POSE_LENGTH), self.expression.encode(expression)]
        if self.gaze is not None:
            parts.append(torch.zeros(self.num_gaze) if gaze is None else self.gaze.encode(gaze))
        return torch.cat(parts)

    def own(self, free: set[str], pose_step: float = POSE_STEP) -> Numbers:
        """Return what is known of a picture's numbers, with some of "pose", "expression", "gaze" free."""
        lengths = {"pose": POSE_LENGTH, "expression": self.expression.num_directions, "gaze": self.num_gaze}
        steps = [torch.full((n,), pose_step if part == "pose" else SPREAD_STEP) for part, n in lengths.items()]
        precision = [torch.full((n,), 0.0 if part == "pose" else 1.0) for part, n in lengths.items()]
        is_free = [torch.full((n,), part in free) for part, n in lengths.items()]
        return Numbers(torch.cat(steps), torch.cat(precision), torch.cat(is_free))

    def shared(self, free: set[str]) -> Numbers:
        """Return what is known of the shared numbers, free where "code" is."""
        count = self.code.num_directions
        return Numbers(torch.full((count,), SPREAD_STEP), torch.ones(count), torch.full((count,), "code" in free))
