"""Lets a plan's cameras ask for the person that a command names."""

from __future__ import annotations

import dataclasses
from typing import Optional

from nerface_ns.conditioning import keys
from nerface_ns.rendering.render_plan import RenderPlan, Shot
from nerface_ns.rendering.render_subject import RenderSubject


def identified_plan(plan: RenderPlan, subject: RenderSubject, identity: Optional[str]) -> RenderPlan:
    """Return a plan whose cameras all say whom they show, where the run knows several persons.

    Most do already, for they are made from the person's own. Those of a camera path are not; along the recording they
    show whose it is at their time, unless somebody is named.

    Args:
        plan: What is rendered.
        subject: The person.
        identity: What the command names.
    """
    if subject.shares is None:
        return plan

    def identified(shot: Shot) -> Shot:
        """Return a shot that shows the person asked for, unless it says itself whom."""
        metadata = shot.camera.metadata or {}
        is_said = keys.IDENTITY_SHARES in metadata or keys.IDENTITY in metadata
        if is_said or (identity is None and shot.camera.times is not None):
            return shot
        assert subject.shares is not None
        asking = {**metadata, keys.IDENTITY_SHARES: subject.shares[None]}
        return dataclasses.replace(shot, camera=dataclasses.replace(shot.camera, metadata=asking))

    shots, sheet = [identified(shot) for shot in plan.shots], [[identified(shot) for shot in row] for row in plan.sheet]
    return dataclasses.replace(plan, shots=shots, sheet=sheet)
