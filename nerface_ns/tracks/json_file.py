"""What track files and state files share: one JSON object that names its schema and version, with known keys."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

Pairs = list[tuple[str, Any]]
"""Keys and values of a JSON object in their order."""


class RepeatedKeyError(ValueError):
    """A key stands twice in an object."""


def parse_file(
    path: Path, text: str, schema: str, version: int, what: str, make_object: Callable[[Pairs], Any] | None = None
) -> dict[str, Any]:
    """Return the object of a file, without the keys that say nothing (null).

    Args:
        path: The file, for errors.
        text: What it holds.
        schema, version: What it has to say under these keys.
        what: What is expected there, for errors.
        make_object: Makes an object of its keys and values; `distinct` refuses a key that stands twice, of which
            otherwise the last value counts.

    Raises:
        ValueError: It is no JSON object, or one of another schema or version.
    """
    try:
        content = json.loads(text, object_pairs_hook=make_object)
    except RepeatedKeyError as error:
        raise ValueError(f"{path}: {error}") from error
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: expected JSON, got text that does not parse: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path}: expected {what}, got {type(content).__name__}")
    if content.get("schema") != schema:
        raise ValueError(f"{path}: 'schema' expected {schema!r}, got {str(content.get('schema'))[:60]!r}")
    named = content.get("version")
    if named != version or isinstance(named, bool):
        raise ValueError(f"{path}: 'version' expected {version}, the one this program reads, got {named!r}")
    return {key: value for key, value in content.items() if value is not None}


def distinct(pairs: Pairs) -> dict[str, Any]:
    """Make an object of keys that are all different.

    Raises:
        RepeatedKeyError: They are not.
    """
    record: dict[str, Any] = {}
    for key, value in pairs:
        if key in record:
            raise RepeatedKeyError(f"expected distinct keys, got {key!r} twice")
        record[key] = value
    return record


def check_keys(where: str, record: dict[str, Any], known: tuple[str, ...], required: tuple[str, ...]) -> None:
    """Refuse an object that lacks a key or has one that nobody reads.

    Raises:
        ValueError: It does; the message names the first such key.
    """
    missing = [key for key in required if key not in record]
    unknown = [key for key in record if key not in known]
    if missing:
        raise ValueError(f"{where}: expected key '{missing[0]}', got only {sorted(record)}")
    if unknown:
        raise ValueError(f"{where}: expected no keys but {', '.join(known)}, got '{unknown[0]}'")
