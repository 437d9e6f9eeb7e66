"""Where NerFace's released code departs from its publication, and which of the two a model follows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Literal, Optional, Tuple, TypeVar, Union, get_args

from nerface_ns.conditioning.face_condition import CodeProtocol

Fidelity = Literal["published", "released"]
"""NerFace as its paper describes it, or as its released code (gafniguy/4D-Facial-Avatars) computes it."""
FollowsFidelity = Literal["fidelity"]
"""Value of a field that leaves its choice to the fidelity."""
DirectionInput = Literal["view_direction", "last_columns"]
"""What the colour layers are told of a ray."""
Value = TypeVar("Value")


@dataclass(frozen=True)
class FidelityChoices:
    """The differences, each with the value that one fidelity gives it."""

    direction_input: DirectionInput
    """"view_direction": the ray's unit direction. "last_columns": the last three columns of the released code's ray
    batch, into which the view direction was never written: z of the direction that reaches depth 1, near and far."""
    jitter_in_evaluation: bool
    """Whether samples are drawn at random outside training too, so that no two renderings are alike."""
    code_protocol: CodeProtocol
    """Latent code of frames that were not trained on."""
    freeze_codes_on_resume: bool
    """Whether a resumed training leaves the latent codes as they are: the released code loads them into tensors that
    its optimizer does not know."""
    near_far: Optional[Tuple[float, float]]
    """Depths between which rays are sampled; None leaves them to the data."""


CHOICES: Dict[Fidelity, FidelityChoices] = {
    "published": FidelityChoices("view_direction", False, "zero", False, None),
    "released": FidelityChoices("last_columns", True, "frame", True, (0.2, 0.8)),
}
"""By fidelity. The codes of the publication's unseen frames are not documented; the released code uses zeros while it
trains, and one training frame's code for the test."""


def fidelity_choices(
    fidelity: Fidelity,
    direction_input: Union[DirectionInput, FollowsFidelity],
    jitter_in_evaluation: Optional[bool],
    code_protocol: Union[CodeProtocol, FollowsFidelity],
    freeze_codes_on_resume: Optional[bool],
) -> FidelityChoices:
    """Return what holds: each argument that makes a choice of its own, else the fidelity's.

    Raises:
        ValueError: There is no such fidelity or direction input.
    """
    if fidelity not in CHOICES:
        raise ValueError(f"fidelity: expected one of {get_args(Fidelity)}, got {fidelity!r}")
    known = (*get_args(DirectionInput), *get_args(FollowsFidelity))
    if direction_input not in known:
        raise ValueError(f"direction_input: expected one of {known}, got {direction_input!r}")
    base = CHOICES[fidelity]

    def choose(value: Union[Value, FollowsFidelity, None], default: Value) -> Value:
        """Return a choice of its own, else the fidelity's."""
        return default if value is None or value == "fidelity" else value  # type: ignore[return-value]

    return FidelityChoices(
        direction_input=choose(direction_input, base.direction_input),
        jitter_in_evaluation=choose(jitter_in_evaluation, base.jitter_in_evaluation),
        code_protocol=choose(code_protocol, base.code_protocol),
        freeze_codes_on_resume=choose(freeze_codes_on_resume, base.freeze_codes_on_resume),
        near_far=base.near_far,
    )
