"""Finds the landmarker's model file: one that is named, one in the cache, or Google's, fetched once."""

from __future__ import annotations

import hashlib
import os
import tempfile
import urllib.request
from pathlib import Path

LANDMARKER_URL = (
    "https://storage.googleapis.com/mediapipe-models/face_landmarker/face_landmarker/float16/1/face_landmarker.task"
)
"""Version 1 of the float16 bundle with blendshapes (Apache-2.0)."""
LANDMARKER_SHA256 = "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff"
FETCH_TIMEOUT_S = 30.0


def landmarker_file(named: Path | None) -> Path:
    """Return the model file: the one named as it is, else the cached one, fetched when it is not there yet.

    Raises:
        FileNotFoundError: The named file is not there, or there is none and it cannot be fetched.
        ValueError: What is in the cache, or came, is another file.
    """
    if named is not None:
        if not named.is_file():
            raise FileNotFoundError(f"--landmarker {named}: expected a model file here, found none")
        return named
    target = cached_landmarker()
    if not target.is_file():
        _fetch(target)
    digest = file_sha256(target)
    if digest != LANDMARKER_SHA256:
        raise ValueError(f"{target}: expected sha256 {LANDMARKER_SHA256}, got {digest}; remove the file and try again")
    return target


def cached_landmarker() -> Path:
    """Where the fetched model lies: `$XDG_CACHE_HOME/nerface-ns/models`, `~/.cache` by default."""
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (base if base.is_absolute() else Path.home() / ".cache") / "nerface-ns" / "models" / "face_landmarker.task"


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's content, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _fetch(target: Path) -> None:
    """Fetch the model aside, check it, rename it."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as partial:
            try:
                with urllib.request.urlopen(LANDMARKER_URL, timeout=FETCH_TIMEOUT_S) as answer:
                    content = answer.read()
                partial.write(content)
                partial.close()
                if hashlib.sha256(content).hexdigest() != LANDMARKER_SHA256:
                    raise OSError(f"{len(content)} bytes of another file came")
                Path(partial.name).replace(target)
            finally:
                Path(partial.name).unlink(missing_ok=True)
    except OSError as error:
        raise FileNotFoundError(
            f"the face landmarker's model could not be fetched ({error}); fetch {LANDMARKER_URL} on a machine with a "
            f"network and put it at {target}, or name it with --landmarker"
        ) from error
