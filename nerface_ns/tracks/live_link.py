"""Recordings and packets of Epic's Live Link Face app for the iPhone, in ARKit's coefficients.

A recording is a CSV: `Timecode,BlendshapeCount,EyeBlinkLeft,...,HeadYaw,HeadPitch,HeadRoll,LeftEyeYaw,...`. A row
without a face holds only the timecode and a 0. Live, the app sends one UDP packet for each frame, to port 11111 unless
told otherwise; numbers are big-endian:

    version (1 byte, 6), device and subject (each a 4-byte length and UTF-8), frame (int32), fraction of a frame
    (float32), frames per second as numerator and denominator (int32 each), number of values (1 byte, 61), the values
    (float32): 52 coefficients, then yaw, pitch, roll of the head, of the left and of the right eye.

Signs, as recordings of the app show them (radians): the head's yaw grows to its left, its pitch upwards and its roll
as its left side rises; an eye's yaw grows to the head's RIGHT and its pitch DOWN (against the `eyeLook*` coefficients
of the same frames, correlation -1.00). The app says nothing of where the head is, so a pose here is that of a camera
`LIVE_LINK_DISTANCE` before the head that looks at its origin.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import numpy as np
from jaxtyping import Float

from nerface_ns.tracks.even_timing import evenly_timed
from nerface_ns.tracks.expression_track import MAX_COEFFICIENT, MAX_FRAMES_PER_S, ExpressionTrack
from nerface_ns.tracks.timecode import timecode_seconds
from nerface_ns.tracks.track_csv import read_numbers, read_table
from nerface_ns.tracks.whole_file import read_whole

LIVE_LINK_PORT = 11111
"""The app's default port."""
LIVE_LINK_DISTANCE = 0.5
"""Distance of the camera from the head's origin, which the app does not tell: NerFace's scale."""
PACKET_VERSION = 6
MAX_TEXT_BYTES = 1024
"""Longest name of a device or subject."""
BOOKKEEPING = ("blendshapecount", "framerate")
"""Columns of a recording that are neither coefficients nor angles, in lower case."""
_SIDES = ("Left", "Right")
ARKIT_NAMES: tuple[str, ...] = (
    *(
        f"eye{way}{side}"
        for side in _SIDES
        for way in ("Blink", "LookDown", "LookIn", "LookOut", "LookUp", "Squint", "Wide")
    ),
    *("jawForward", "jawLeft", "jawRight", "jawOpen"),
    *("mouthClose", "mouthFunnel", "mouthPucker", "mouthLeft", "mouthRight"),
    *(f"mouth{way}{side}" for way in ("Smile", "Frown", "Dimple", "Stretch") for side in _SIDES),
    *("mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper"),
    *(f"mouth{way}{side}" for way in ("Press", "LowerDown", "UpperUp") for side in _SIDES),
    *("browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight"),
    *("cheekPuff", "cheekSquintLeft", "cheekSquintRight", "noseSneerLeft", "noseSneerRight", "tongueOut"),
)
"""The coefficients of a packet, in its order."""
ANGLE_NAMES = tuple(f"{part}{axis}" for part in ("head", "leftEye", "rightEye") for axis in ("Yaw", "Pitch", "Roll"))
"""The angles behind them."""


@dataclass(frozen=True, eq=False)
class LiveLinkFrame:
    """What one packet says."""

    names: tuple[str, ...]
    """Names of the coefficients, ARKit's."""
    values: Float[np.ndarray, " num_coefficients"]
    """Coefficients."""
    gaze: Optional[Float[np.ndarray, "2"]]
    """Pitch up, yaw to the head's left, radians; None when both eyes' angles are 0, as without eye tracking."""
    camera_to_world: Optional[Float[np.ndarray, "3 4"]]
    """Camera in the head's frame; None when the head's angles are 0, as the app sends them unless told otherwise."""
    device: str
    """Identifier of the phone."""
    subject: str
    """Name that the user gave it."""
    frames_per_s: Optional[float]
    """Rate of the phone's clock; None where the sender gives none."""
    time_s: Optional[float]
    """Time on that clock, from midnight."""


def parse_live_link_packet(data: bytes) -> LiveLinkFrame:
    """Read a UDP packet of the app.

    Raises:
        ValueError: The packet is malformed, of another version, or shows no face.
    """
    if not data or data[0] != PACKET_VERSION:
        raise ValueError(
            f"packet: expected version {PACKET_VERSION} in its first byte, got {data[:1].hex() or 'nothing'}"
        )
    device, place = _read_text(data, 1)
    subject, place = _read_text(data, place)
    clock = struct.Struct(">ifii")
    if len(data) <= place + clock.size or data[place + clock.size] == 0:
        raise ValueError("packet: expected a face, got a frame without one")
    frame, fraction, numerator, denominator = clock.unpack_from(data, place)
    place += clock.size
    expected = len(ARKIT_NAMES) + len(ANGLE_NAMES)
    if data[place] != expected or len(data) != place + 1 + 4 * expected:
        raise ValueError(
            f"packet: expected {expected} values in {place + 1 + 4 * expected} bytes, got {data[place]} in {len(data)}"
        )
    # Not through numpy, which warns of signalling NaN.
    values = np.array(struct.unpack_from(f">{expected}f", data, place + 1))
    bad = np.flatnonzero(~(np.abs(values) <= MAX_COEFFICIENT))
    if len(bad):
        name = (*ARKIT_NAMES, *ANGLE_NAMES)[bad[0]]
        raise ValueError(
            f"packet: expected finite values within +-{MAX_COEFFICIENT:g}, got {values[bad[0]]} for {name}"
        )
    angles = dict(zip(ANGLE_NAMES, values[None, len(ARKIT_NAMES) :].T))
    gaze, camera = _gaze(angles), _camera_to_world(angles)
    has_clock = numerator > 0 and denominator > 0 and numerator <= MAX_FRAMES_PER_S * denominator
    rate = numerator / denominator if has_clock else None
    is_timed = rate is not None and 0 <= fraction <= 1 and frame >= 0
    return LiveLinkFrame(
        names=ARKIT_NAMES,
        values=values[: len(ARKIT_NAMES)],
        gaze=None if gaze is None else gaze[0],
        camera_to_world=None if camera is None else camera[0],
        device=device,
        subject=subject,
        frames_per_s=rate,
        time_s=(frame + fraction) / rate if rate is not None and is_timed else None,
    )


def _read_text(data: bytes, place: int) -> tuple[str, int]:
    """A text behind its length, and the place behind it."""
    if len(data) < place + 4:
        raise ValueError(f"packet: expected the length of a text at byte {place}, got {len(data)} bytes in all")
    (length,) = struct.unpack_from(">i", data, place)
    end = place + 4 + length
    if not 0 <= length <= MAX_TEXT_BYTES or end > len(data):
        raise ValueError(f"packet: expected a text within its {len(data)} bytes, got one of {length} at byte {place}")
    try:
        return data[place + 4 : end].decode("utf-8"), end
    except UnicodeDecodeError as error:
        raise ValueError(f"packet: expected UTF-8 at byte {place + 4}, got {data[place + 4 : end][:16]!r}") from error


def is_live_link_header(line: str) -> bool:
    """Whether the first line of a CSV is that of a Live Link Face recording."""
    return line.lower().split(",", 1)[0].strip(' "\r\n') == "timecode"


def read_live_link_csv(path: Path) -> ExpressionTrack:
    """Read a recording of the app.

    Coefficients get ARKit's names. Rows without a face and dropped frames are filled from their neighbours by
    interpolation. Gaze is the mean of both eyes; gaze and head pose are left out where all their angles are 0.

    Raises:
        FileNotFoundError: The file is not there.
        ValueError: It is no such recording, or shows no face.
    """
    return parse_live_link_csv(Path(path), read_whole(Path(path), "a Live Link Face recording"))


def parse_live_link_csv(path: Path, text: str) -> ExpressionTrack:
    """Read a recording from the text of its file; see `read_live_link_csv`."""
    header, rows = read_table(path, text)
    if header[0].lower() != "timecode" or len(header) < 3:
        raise ValueError(f"{path}: expected columns Timecode, BlendshapeCount and coefficients, got {header[:4]}")
    times_s = timecode_seconds(str(path), [row[0] for row in rows])
    # Without a face a row ends after its timecode and a count of 0.
    faces = [index for index, row in enumerate(rows) if any(row[2:])]
    if not faces:
        raise ValueError(f"{path}: expected at least one row with a face, got {len(rows)} rows without")
    names = [name[:1].lower() + name[1:] for name in header]
    cells = [rows[index][1:] for index in faces]
    values = dict(zip(names[1:], read_numbers(path, header[1:], cells, faces).T))
    angles = {name: values[name] for name in ANGLE_NAMES if name in values}
    coefficients = [name for name in names[1:] if name.lower() not in BOOKKEEPING and name not in angles]
    if not coefficients:
        raise ValueError(f"{path}: expected at least one column of coefficients, got only {header}")
    complete = len(angles) == len(ANGLE_NAMES)
    track = ExpressionTrack(
        frames_per_s=1.0,
        names=tuple(coefficients),
        expression=np.stack([values[name] for name in coefficients], axis=-1),
        camera_to_world=_camera_to_world(angles) if complete else None,
        gaze=_gaze(angles) if complete else None,
        source=str(path),
    )
    if len(faces) == 1:
        raise ValueError(f"{path}: expected at least two frames with a face, got one")
    return evenly_timed(track, times_s[faces], path.name)


def _gaze(angles: dict[str, np.ndarray]) -> np.ndarray | None:
    """(n, 2) pitch up and yaw to the left, the mean of both eyes."""
    pitch = -(angles["leftEyePitch"] + angles["rightEyePitch"]) / 2
    yaw = -(angles["leftEyeYaw"] + angles["rightEyeYaw"]) / 2
    gaze = np.stack([pitch, yaw], axis=-1)
    return gaze if gaze.any() else None


def _camera_to_world(angles: dict[str, np.ndarray]) -> np.ndarray | None:
    """(n, 3, 4) camera that looks at the origin of a turned head; None for a head that never turns."""
    yaw, pitch, roll = (angles[f"head{axis}"] for axis in ("Yaw", "Pitch", "Roll"))
    if not (yaw.any() or pitch.any() or roll.any()):
        return None
    one, zero = np.ones_like(yaw), np.zeros_like(yaw)

    def matrix(rows: list[list[np.ndarray]]) -> np.ndarray:
        """Return matrices of rows of numbers."""
        return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)

    (cy, cp, cr), (sy, sp, sr) = (f(np.stack([yaw, -pitch, roll])) for f in (np.cos, np.sin))
    about_y = matrix([[cy, zero, sy], [zero, one, zero], [-sy, zero, cy]])
    about_x = matrix([[one, zero, zero], [zero, cp, -sp], [zero, sp, cp]])
    about_z = matrix([[cr, -sr, zero], [sr, cr, zero], [zero, zero, one]])
    # Head axes in the camera's, hence transposed the camera's axes in the head's.
    rotation = (about_y @ about_x @ about_z).transpose(0, 2, 1)
    return np.concatenate([rotation, rotation[:, :, 2:] * LIVE_LINK_DISTANCE], axis=-1)
