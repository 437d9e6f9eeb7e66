"""Reads and writes text files whole, with errors that name them."""

from __future__ import annotations

from pathlib import Path

MAX_FILE_BYTES = 1 << 29
"""Largest file that is read: hours of a track."""


def read_whole(path: Path, what: str) -> str:
    """Return the text of a file.

    Args:
        path: The file.
        what: What is expected there, for errors.

    Raises:
        FileNotFoundError: The file is not there.
        ValueError: It cannot be read, is no text, or is too large.
    """
    try:
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise ValueError(f"{path}: expected {what} of at most {MAX_FILE_BYTES >> 20} MB, got {size >> 20} MB")
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{path}: expected {what} here, found none") from error
    except OSError as error:
        raise ValueError(f"{path}: expected {what}, but it cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: expected {what}, got no UTF-8 text ({error.reason} at {error.start})") from error


def write_whole(path: Path, text: str) -> None:
    """Write a file aside and rename it, so that it is there whole or not at all.

    Raises:
        ValueError: Nothing can be written there.
    """
    partial = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise ValueError(f"{path}: cannot be written ({error.strerror}); choose another place") from error
