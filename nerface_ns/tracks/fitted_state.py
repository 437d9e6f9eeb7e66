"""What a photograph of the person of a run shows, as an editable file: camera, expression, latent code, gaze.

JSON, version 1. Keys with a question mark may be left out:

    {
      "schema": "nerface-state",
      "version": 1,
      "run": "5d0c...",                  fingerprint of the trained numbers that it was fitted to
      "method": "nerface",               ? method of that run
      "photo": "me.png",                 ? what it was fitted to
      "expression": {"jawOpen": 0.1, ...},   every coefficient of the run by name, in its order
      "latent_code": [0.02, ...],        [] for a model without codes
      "identity": {"anna": 1.0},         ? shares of the run's persons, which add up to 1, where it has several
      "gaze": [0.1, -0.2],               ? pitch up, yaw towards +x, radians, head frame
      "camera": {"camera_to_world": [[...], [...], [...]],   3x4 OpenGL camera in the head's frame
                 "focal_px": [fx, fy], "center_px": [cx, cy], "height": 128, "width": 128},
      "fit": {...}                       ? figures of the fit; nobody reads them
    }
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

import numpy as np

from nerface_ns.tracks.expression_track import MAX_COEFFICIENT, ExpressionTrack, as_numbers
from nerface_ns.tracks.json_file import check_keys, distinct, parse_file
from nerface_ns.tracks.whole_file import read_whole, write_whole

SCHEMA, VERSION = "nerface-state", 1
REQUIRED_KEYS = ("schema", "version", "run", "expression", "latent_code", "camera")
KNOWN_KEYS = (*REQUIRED_KEYS, "method", "photo", "identity", "gaze", "fit")
CAMERA_KEYS = ("camera_to_world", "focal_px", "center_px", "height", "width")
LISTED_NAMES = 3
"""Names that an error lists."""
SHARES_TOLERANCE = 1e-3
"""How far persons' shares may be from 1 together, by rounding."""
MAX_SIDE_PX = 1 << 14
"""Largest height or width of a picture."""


@dataclass(frozen=True, eq=False)
class FittedState:
    """One picture's camera and what it shows, checked when it is made.

    Raises:
        ValueError: A shape, a name or a number is not what it should be; the message names `source`, what was expected
            and what came.
    """

    names: tuple[str, ...]
    """Names of the coefficients."""
    expression: np.ndarray
    """(K,) raw coefficients, float64."""
    latent_code: np.ndarray
    """(L,) latent code; of length 0 for a model without."""
    camera_to_world: np.ndarray
    """(3, 4) OpenGL camera in the head's frame."""
    focal_px: tuple[float, float]
    """Focal lengths along width and height."""
    center_px: tuple[float, float]
    """Principal point from the picture's upper left corner."""
    size: tuple[int, int]
    """Height and width of the picture."""
    run: str
    """Fingerprint of the trained numbers that it was fitted to."""
    gaze: Optional[np.ndarray] = None
    """(2,) pitch up and yaw towards +x, radians, head frame."""
    method: str = ""
    """Method of the run."""
    photo: str = ""
    """What it was fitted to."""
    figures: Mapping[str, Any] = field(default_factory=dict)
    """Figures of the fit."""
    identity: Mapping[str, float] = field(default_factory=dict)
    """Shares of persons by name, of a run that knows several."""
    source: str = ""
    """Where it came from, for messages."""

    def __post_init__(self) -> None:
        where = self.source or "state"
        if not self.names:
            raise ValueError(f"{where}: expected at least one coefficient in 'expression', got none")
        gaze = None if self.gaze is None else as_numbers(where, "gaze", self.gaze, (2,))
        expression = as_numbers(where, "expression", self.expression, (len(self.names),))
        pose = as_numbers(where, "camera_to_world", self.camera_to_world, (3, 4))
        # A track of one frame has the same coefficients, camera and gaze, and refuses the same.
        track = ExpressionTrack(
            1.0, self.names, expression[None], pose[None], None if gaze is None else gaze[None], source=where
        )
        code = as_numbers(where, "latent_code", self.latent_code, (None,))
        if not (np.abs(code) <= MAX_COEFFICIENT).all():
            raise ValueError(f"{where}: expected finite numbers in latent_code, got {code.tolist()}")
        for name, side in zip(("height", "width"), self.size):
            check_side(where, name, side)
        focal = as_numbers(where, "focal_px", self.focal_px, (2,))
        center = as_numbers(where, "center_px", self.center_px, (2,))
        # NaN compares as false.
        if not ((focal > 0) & (focal < MAX_COEFFICIENT)).all():
            raise ValueError(f"{where}: expected positive numbers in focal_px, got {focal.tolist()}")
        if not (np.abs(center) < MAX_COEFFICIENT).all():
            raise ValueError(f"{where}: expected finite numbers in center_px, got {center.tolist()}")
        _check_shares(where, self.identity)
        values = {"expression": track.expression[0], "latent_code": code, "gaze": gaze}
        assert track.camera_to_world is not None
        values["camera_to_world"] = track.camera_to_world[0]
        values |= {"focal_px": tuple(focal.tolist()), "center_px": tuple(center.tolist())}
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def check_fits(self, names: tuple[str, ...], code_length: int) -> None:
        """Refuse a state whose numbers are not those that a run takes.

        Args:
            names: The run's coefficients.
            code_length: Length of its latent codes.

        Raises:
            ValueError: The coefficients have other names, or the latent code has another length.
        """
        where = self.source or "state"
        check_same_names(where, self.names, names)
        if len(self.latent_code) != code_length:
            raise ValueError(f"{where}: expected {code_length} numbers in latent_code, got {len(self.latent_code)}")


def read_state(path: Path) -> FittedState:
    """Read a state and check it whole.

    Raises:
        FileNotFoundError: The file is not there.
        ValueError: It is no state; the message names the file, what was expected and what came.
    """
    path = Path(path)
    content = parse_file(path, read_whole(path, "a state file"), SCHEMA, VERSION, "a JSON object, a state", distinct)
    check_keys(str(path), content, KNOWN_KEYS, REQUIRED_KEYS)
    for key in ("run", "method", "photo"):
        if not isinstance(content.get(key, ""), str):
            raise ValueError(f"{path}: '{key}' expected a text, got {str(content[key])[:60]!r}")
    for key in ("expression", "camera", "fit", "identity"):
        if not isinstance(content.get(key, {}), dict):
            raise ValueError(f"{path}: '{key}' expected an object, got {str(content[key])[:60]!r}")
    expression, camera = content["expression"], content["camera"]
    check_keys(f"{path}: 'camera'", camera, CAMERA_KEYS, CAMERA_KEYS)
    where, gaze, shares = str(path), content.get("gaze"), content.get("identity", {})
    values = [float(as_numbers(where, f"coefficient {name!r}", value, ())) for name, value in expression.items()]
    focal, center = (as_numbers(where, key, camera[key], (2,)).tolist() for key in ("focal_px", "center_px"))
    return FittedState(
        names=tuple(expression),
        expression=np.array(values),
        latent_code=as_numbers(where, "latent_code", content["latent_code"], (None,)),
        camera_to_world=as_numbers(where, "camera_to_world", camera["camera_to_world"], (3, 4)),
        focal_px=(focal[0], focal[1]),
        center_px=(center[0], center[1]),
        size=(check_side(where, "height", camera["height"]), check_side(where, "width", camera["width"])),
        run=content["run"],
        gaze=None if gaze is None else as_numbers(where, "gaze", gaze, (2,)),
        method=content.get("method", ""),
        photo=content.get("photo", ""),
        figures=content.get("fit", {}),
        identity={name: float(as_numbers(where, f"share of {name!r}", share, ())) for name, share in shares.items()},
        source=str(path),
    )


def write_state(path: Path, state: FittedState) -> None:
    """Write a state, whole or not at all.

    Raises:
        ValueError: Nothing can be written there.
    """
    content: dict[str, Any] = {"schema": SCHEMA, "version": VERSION, "run": state.run}
    content |= {key: text for key, text in (("method", state.method), ("photo", state.photo)) if text}
    content["expression"] = dict(zip(state.names, state.expression.tolist()))
    content["latent_code"] = state.latent_code.tolist()
    if state.identity:
        content["identity"] = dict(state.identity)
    if state.gaze is not None:
        content["gaze"] = state.gaze.tolist()
    content["camera"] = {
        "camera_to_world": state.camera_to_world.tolist(),
        "focal_px": list(state.focal_px),
        "center_px": list(state.center_px),
        "height": state.size[0],
        "width": state.size[1],
    }
    if state.figures:
        content["fit"] = dict(state.figures)
    write_whole(path, json.dumps(content, indent=2, allow_nan=False) + "\n")


def _check_shares(where: str, shares: Mapping[str, float]) -> None:
    values = [float(as_numbers(where, f"share of {name!r}", share, ())) for name, share in shares.items()]
    if values and not (min(values) >= 0 and abs(sum(values) - 1) < SHARES_TOLERANCE):
        raise ValueError(f"{where}: expected shares of at least 0 that add up to 1 in 'identity', got {dict(shares)}")


def check_side(where: str, name: str, side: Any) -> int:
    """Return a height or width in pixels.

    Raises:
        ValueError: It is no whole number, or none that a picture can have.
    """
    if isinstance(side, bool) or not isinstance(side, int) or not 1 <= side <= MAX_SIDE_PX:
        raise ValueError(f"{where}: expected {name} as a whole number in 1..{MAX_SIDE_PX}, got {side!r}")
    return side


def check_same_names(where: str, names: tuple[str, ...], expected: tuple[str, ...]) -> None:
    """Refuse coefficients that are not the expected ones, in their order.

    Raises:
        ValueError: The names differ.
    """
    if names == expected:
        return
    missing = [name for name in expected if name not in names]
    unknown = [name for name in names if name not in expected]
    parts = [
        f"{what} {', '.join(some[:LISTED_NAMES])}{' and more' if len(some) > LISTED_NAMES else ''}"
        for what, some in (("lacks", missing), ("has unknown", unknown))
        if some
    ]
    raise ValueError(
        f"{where}: expected the run's {len(expected)} coefficients, got {len(names)}: "
        f"{'; '.join(parts) if parts else 'the same in another order'}"
    )
