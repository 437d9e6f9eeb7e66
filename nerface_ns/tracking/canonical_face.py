"""The average face's 3D landmarks, read from the landmarker's own bundle, and which of them the skull carries.

The bundle (a zip file) holds `geometry_pipeline_metadata_landmarks.binarypb`: a protocol buffer with a mesh of 468
vertices, one for each landmark but the irises', in cm. Its frame is this project's head frame but for scale: x to the
subject's left, y up, z out of the face.
"""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Float

METADATA_FILE = "geometry_pipeline_metadata_landmarks.binarypb"
NUM_MESH_LANDMARKS = 468
NUM_LANDMARKS = 478
"""The mesh, then five points of each iris, its centre first."""
VERTEX_FLOATS = 5
"""Position and texture coordinate."""

RIGHT_IRIS, LEFT_IRIS = 468, 473
"""Centres of the irises of the subject's right and left eye."""
RIGHT_EYE_CORNERS, LEFT_EYE_CORNERS = (33, 133), (263, 362)
"""Outer and inner corner."""
EYE_LANDMARKS = (33, 133, 159, 145, 70, 105, 107, 263, 362, 386, 374, 300, 334, 336)
"""Eyes and brows."""
MOUTH_LANDMARKS = (61, 291, 0, 17, 37, 267, 84, 314, 13, 14, 78, 308)
"""The lips."""
FACE_OVAL = (
    *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377),
    *(152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
)
"""Outline of the face in order round it."""

_MIDDLE = (168, 6, 197, 195, 5, 4, 1, 19, 94, 2)
_RIGHT = (
    *(122, 188, 174, 196, 3, 236, 198, 131, 48, 115, 129, 98, 64, 217, 126, 47, 100),
    *(33, 133, 243, 244, 112, 26, 22, 23, 24, 110, 190, 173, 56, 121),
)
_LEFT = (
    *(351, 412, 399, 419, 248, 456, 420, 360, 278, 344, 358, 327, 294, 437, 355, 277, 329),
    *(263, 362, 463, 464, 341, 256, 252, 253, 254, 339, 414, 398, 286, 350),
)
RIGID_LANDMARKS = (*_MIDDLE, *_RIGHT, *_LEFT)
"""Nose, eye corners and the rims of the eye sockets: what speech and most expressions leave in place.

Forehead, temples and cheeks are left out: there the landmarks slide along the skin as the head turns.
"""


def read_canonical_face(bundle: Path) -> Float[np.ndarray, "468 3"]:
    """Return the average face's landmarks in cm: x to the subject's left, y up, z out of the face.

    Raises:
        FileNotFoundError: There is no bundle.
        ValueError: It is no face landmarker bundle.
    """
    if not bundle.is_file():
        raise FileNotFoundError(f"{bundle}: expected a face landmarker bundle (.task) here, found none")
    try:
        with zipfile.ZipFile(bundle) as archive:
            content = archive.read(METADATA_FILE)
    except (OSError, zipfile.BadZipFile, KeyError) as error:
        raise ValueError(f"{bundle}: expected a face landmarker bundle with {METADATA_FILE}, got {error}") from error
    try:
        mesh = next(value for field, value in _fields(content) if field == 1 and isinstance(value, bytes))
        numbers = b"".join(value for field, value in _fields(mesh) if field == 3 and isinstance(value, bytes))
        vertices = np.frombuffer(numbers, dtype="<f4").reshape(-1, VERTEX_FLOATS)[:, :3].astype(np.float64)
    except (StopIteration, IndexError, ValueError, struct.error) as error:
        raise ValueError(f"{bundle}: {METADATA_FILE} expected a face mesh, got bytes that do not parse") from error
    if vertices.shape != (NUM_MESH_LANDMARKS, 3) or not np.isfinite(vertices).all():
        raise ValueError(f"{bundle}: expected a face mesh of {NUM_MESH_LANDMARKS} vertices, got {len(vertices)}")
    return vertices


def _fields(message: bytes) -> Iterator[tuple[int, bytes | int]]:
    """Fields of a protocol buffer message: number, and bytes (also of 4- and 8-byte numbers) or a whole number."""
    position = 0
    while position < len(message):
        tag, position = _varint(message, position)
        field, kind = tag >> 3, tag & 7
        if kind == 0:
            value, position = _varint(message, position)
            yield field, value
            continue
        if kind == 2:
            length, position = _varint(message, position)
        elif kind in (1, 5):
            length = 8 if kind == 1 else 4
        else:
            raise ValueError(f"wire type {kind}")
        if position + length > len(message):
            raise ValueError("message ends inside a field")
        yield field, message[position : position + length]
        position += length


def _varint(message: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[position]
        value |= (byte & 127) << shift
        position, shift = position + 1, shift + 7
        if byte < 128:
            return value, position
