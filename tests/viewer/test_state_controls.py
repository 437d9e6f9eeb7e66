"""States that `nerface-fit` wrote, loaded by the panel."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from blob_model import make_cameras

from nerface_ns.model_components.run_fingerprint import run_fingerprint
from nerface_ns.tracks.fitted_state import FittedState, write_state
from nerface_ns.viewer.face_driver import FaceDriver
from nerface_ns.viewer.opening_view import training_view
from nerface_ns.viewer.state_controls import state_view


def make_state(model, **changes) -> FittedState:
    length = model.latent_codes.codes.shape[1]
    camera = make_cameras()[1:2]
    values = {
        "names": tuple(model.expression_names),
        "expression": np.array([0.25, 0.5, 0.75]),
        "latent_code": np.linspace(0, 1, length),
        "camera_to_world": camera.camera_to_worlds[0].double().numpy(),
        "focal_px": (20.0, 20.0),
        "center_px": (8.0, 6.0),
        "size": (12, 16),
        "run": run_fingerprint(model),
        "photo": "me.png",
    }
    return FittedState(**{**values, **changes})


def content_of(folder, state: FittedState) -> bytes:
    write_state(folder / "written.json", state)
    return (folder / "written.json").read_bytes()


def test_a_loaded_state_drives(model):
    driver = FaceDriver(model)
    state = make_state(model)
    driver.load_state(state.expression, state.latent_code)
    shown = driver(make_cameras(times=torch.zeros(6, 1))[0:1])
    np.testing.assert_allclose(shown.expression, state.expression, atol=1e-6)
    np.testing.assert_allclose(shown.latent_code, state.latent_code, atol=1e-6)
    driver.set_coefficient(0, 0.9)
    np.testing.assert_allclose(driver(make_cameras()[0:1]).latent_code, state.latent_code, atol=1e-6)


def test_the_view_is_the_states_camera(model):
    center = np.zeros(3)
    view, expected = state_view(make_state(model), center), training_view(make_cameras(), center, 1)
    np.testing.assert_allclose(view.position, expected.position, atol=1e-6)
    np.testing.assert_allclose(view.look_at, expected.look_at, atol=1e-6)
    assert view.height_by_depth == pytest.approx(expected.height_by_depth)


def test_the_button(panel, model, tmp_path):
    """Good states drive, others are told and change nothing."""
    controls, told = panel._states, []
    controls._context.tell = told.append

    def load(name: str, content: bytes) -> None:
        controls._upload = SimpleNamespace(value=SimpleNamespace(name=name, content=content))
        controls._load(SimpleNamespace(client=None))

    good = content_of(tmp_path, make_state(model))
    bad = {
        "no.json": (b"{", "no.json: expected JSON"),
        "short.json": (
            content_of(tmp_path, make_state(model, latent_code=np.zeros(2))),
            "short.json: expected 8 numbers in latent_code, got 2",
        ),
        "other.json": (
            json.dumps({**json.loads(good), "expression": {"smirk": 1.0}}).encode(),
            "other.json: expected the run's 3 coefficients, got 1: lacks jawOpen",
        ),
    }
    for name, (content, message) in bad.items():
        with pytest.raises(ValueError, match=message):
            load(name, content)
    assert panel.driver.state.mode == "time slider"
    load("me.json", good)
    assert told == ["Loaded me.json, fitted to me.png."] and panel.driver.state.code == "loaded state"
    load("me.json", content_of(tmp_path, make_state(model, run="0" * 32)))
    assert "fitted to another training" in told[-1]
