"""Fitted states before a run: whether they belong to it, and the camera that they describe."""

from __future__ import annotations

import dataclasses
from typing import Any, Optional

import torch
from jaxtyping import Float
from torch import Tensor

from nerface_ns.conditioning import keys
from nerface_ns.model_components.run_fingerprint import run_fingerprint
from nerface_ns.rendering.posed_camera import resized_camera
from nerface_ns.rendering.render_subject import RenderSubject
from nerface_ns.tracks.fitted_state import FittedState


def check_state(state: FittedState, subject: RenderSubject, any_run: bool = False) -> None:
    """Refuse a state of another run.

    Args:
        state: The state.
        subject: The run's person.
        any_run: Take a state that was fitted to another training, as long as its numbers have the same meaning.

    Raises:
        ValueError: Its coefficients have other names, its latent code another length, it lacks the gaze that the model
            needs, it was fitted to another training, or to a person whom the run does not know.
    """
    where, model = state.source or "state", subject.model
    state.check_fits(subject.names, model.latent_codes.codes.shape[1])
    if getattr(model, "has_gaze", False) and state.gaze is None:
        raise ValueError(f"{where}: expected a gaze, which this run is driven by, got none")
    state_shares(state, subject)
    if not any_run and state.run != run_fingerprint(model):
        raise ValueError(
            f"{where}: expected a state that was fitted to this run, got one of another training (of method "
            f"{state.method or 'unknown'}); fit again, or take it nevertheless with --any-run"
        )


def state_camera(subject: RenderSubject, state: FittedState) -> Any:
    """Return the camera (a `Cameras` of one) of a state, at the height that the command asks for."""
    own = subject.own_camera
    values = {
        "fx": state.focal_px[0],
        "fy": state.focal_px[1],
        "cx": state.center_px[0],
        "cy": state.center_px[1],
        "height": state.size[0],
        "width": state.size[1],
    }
    shares, metadata = state_shares(state, subject), own.metadata
    if shares is not None:
        metadata = {**(own.metadata or {}), keys.IDENTITY_SHARES: shares[None]}
    camera = dataclasses.replace(
        own,
        metadata=metadata,
        camera_to_worlds=torch.from_numpy(state.camera_to_world).to(own.camera_to_worlds)[None],
        **{name: torch.full_like(getattr(own, name), value) for name, value in values.items()},
    )
    return camera if subject.height_px is None else resized_camera(camera, subject.height_px)


def state_shares(state: FittedState, subject: RenderSubject) -> Optional[Float[Tensor, " num_identities"]]:
    """Return a state's shares of the run's persons, or the subject's where it has none; None for a run of one person.

    Raises:
        ValueError: It names a person whom the run does not know.
    """
    identities = getattr(subject.model, "identities", None)
    known = () if identities is None else identities.names
    unknown = [name for name in state.identity if name not in known]
    if unknown and identities is not None:
        raise ValueError(f"{state.source or 'state'}: expected persons among {', '.join(known)}, got {unknown[0]}")
    if identities is None or not state.identity:
        return subject.shares
    return torch.tensor([float(state.identity.get(name, 0.0)) for name in known])


def as_tensors(
    state: FittedState,
) -> tuple[Float[Tensor, " num_coefficients"], Float[Tensor, " code_length"], Optional[Float[Tensor, " 2"]]]:
    """Return a state's expression, latent code and gaze."""
    gaze = None if state.gaze is None else torch.from_numpy(state.gaze).float()
    return torch.from_numpy(state.expression).float(), torch.from_numpy(state.latent_code).float(), gaze
