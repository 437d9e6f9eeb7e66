import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nerface_ns.tracks.fitted_state import FittedState, read_state, write_state

STATE = FittedState(
    names=("jawOpen", "browInnerUp"),
    expression=np.array([0.25, -1 / 3]),
    latent_code=np.array([0.1, 0.2, 0.3]),
    camera_to_world=np.eye(4)[:3],
    focal_px=(200.0, 201.0),
    center_px=(64.0, 60.5),
    size=(128, 96),
    run="ab" * 16,
    gaze=np.array([0.1, -0.2]),
    method="nerface",
    photo="me.png",
    figures={"psnr": 33.1},
)


@pytest.fixture
def path(tmp_path) -> Path:
    write_state(tmp_path / "state.json", STATE)
    return tmp_path / "state.json"


def edited(path: Path, change: dict[str, Any]) -> Path:
    """The file with some keys replaced; None leaves one out; "a.b" is key b of object a."""
    content = json.loads(path.read_text())
    for key, value in change.items():
        *parents, last = key.split(".")
        record = content
        for parent in parents:
            record = record[parent]
        if value is None:
            del record[last]
        else:
            record[last] = value
    path.write_text(json.dumps(content))
    return path


def test_what_was_written_is_read(path):
    read = read_state(path)
    for field in dataclasses.fields(FittedState):
        if field.name != "source":
            np.testing.assert_equal(getattr(read, field.name), getattr(STATE, field.name), field.name)
    assert not list(path.parent.glob("*.part"))


def test_a_file_by_hand(path):
    read = read_state(edited(path, {"gaze": None, "photo": None, "fit": None, "expression.jawOpen": 1}))
    assert read.gaze is None and read.photo == "" and read.expression[0] == 1.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": "nerface-track"}, "'schema' expected 'nerface-state', got 'nerface-track'"),
        ({"version": 2}, "'version' expected 1, the one this program reads, got 2"),
        ({"run": None}, "expected key 'run'"),
        ({"run": 3}, "'run' expected a text, got '3'"),
        ({"mood": 1}, "expected no keys but .*, got 'mood'"),
        ({"expression": [0.1, 0.2]}, "'expression' expected an object"),
        ({"expression": {}}, "expected at least one coefficient"),
        ({"expression.jawOpen": "wide"}, "expected coefficient 'jawOpen' of one number, got 'wide'"),
        ({"expression.jawOpen": float("nan")}, "expected a finite expression .*, got nan .*jawOpen"),
        ({"latent_code": [0.1, float("inf"), 0]}, "expected finite numbers in latent_code"),
        ({"latent_code": 0.5}, "expected latent_code of n numbers, got one number"),
        ({"gaze": [0.1]}, "expected gaze of 2 numbers, got 1"),
        ({"gaze": [float("nan"), 0]}, "expected a finite gaze"),
        ({"camera.camera_to_world": [[1, 0, 0, 0]] * 3}, "expected a proper rotation in camera_to_world"),
        ({"camera.camera_to_world": [1, 2]}, "expected camera_to_world of 3 x 4 numbers, got 2"),
        ({"camera.focal_px": [0, 200]}, "expected positive numbers in focal_px"),
        ({"camera.focal_px": 200}, "expected focal_px of 2 numbers"),
        ({"camera.center_px": [float("nan"), 1]}, "expected finite numbers in center_px"),
        ({"camera.height": 12.5}, "expected height as a whole number in 1..16384, got 12.5"),
        ({"camera.width": 0}, "expected width as a whole number"),
        ({"camera.lens": 1}, "'camera': expected no keys but .*, got 'lens'"),
        ({"camera": None}, "expected key 'camera'"),
    ],
)
def test_a_bad_file_is_told(path, change, message):
    with pytest.raises(ValueError, match=rf"state.json.*{message}"):
        read_state(edited(path, change))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "expected JSON, got text that does not parse"),
        ("[" * 100_000, "expected JSON"),
        ("[]", "expected a JSON object, a state, got list"),
        ('{"schema": 1, "schema": 2}', "expected distinct keys, got 'schema' twice"),
        ('{"schema": ' + "9" * 5000 + "}", "expected JSON"),
    ],
)
def test_no_state_at_all(path, text, message):
    path.write_text(text)
    with pytest.raises(ValueError, match=rf"state.json: {message}"):
        read_state(path)


def test_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none.json: expected a state file here, found none"):
        read_state(tmp_path / "none.json")


@pytest.mark.parametrize(
    ("names", "length", "message"),
    [
        (("jawOpen", "mouthSmile"), 3, "expected the run's 2 coefficients, got 2: lacks mouthSmile; has unknown brow"),
        (("browInnerUp", "jawOpen"), 3, "the same in another order"),
        (("jawOpen", "browInnerUp", "cheekPuff"), 3, "3 coefficients, got 2: lacks cheekPuff"),
        (("jawOpen", "browInnerUp"), 8, "expected 8 numbers in latent_code, got 3"),
    ],
)
def test_a_state_of_another_run(path, names, length, message):
    with pytest.raises(ValueError, match=rf"state.json: .*{message}"):
        read_state(path).check_fits(names, length)


def test_a_state_that_fits(path):
    read_state(path).check_fits(STATE.names, 3)
