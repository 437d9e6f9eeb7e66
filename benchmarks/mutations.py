"""Damages files at random: bytes, texts, and the structure of JSON."""

from __future__ import annotations

import json
import random
import struct
from typing import Any

ODD_VALUES: tuple[Any, ...] = (
    None,
    True,
    "",
    "../../../../etc/passwd",
    "/etc/passwd",
    "\x00\n\ud800",
    "x" * 5000,
    0,
    -1,
    1,
    2**31,
    2**63,
    10**400,
    1e308,
    -1e-320,
    float("nan"),
    float("inf"),
    [],
    {},
    [[[[]]]],
    [1e30] * 7,
    {"__reduce__": ["os.system", "true"]},
)
ODD_WORDS = (b"nan", b"inf", b"-1", b"1e999", b"", b"9" * 400, b"../..", b"\xff\xfe", b"\x00", b'"', b",,", b"[" * 3000)
ODD_NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 0x7FFFFFFFFFFFFFFF, 0xFFFFFFFFFFFFFFFF)


def mutated(data: bytes, chance: random.Random) -> bytes:
    """Return a file with one to four faults."""
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        kinds = [_bytes_fault, _word_fault]
        if data[:1] in (b"{", b"["):
            kinds += [_json_fault] * 6
        elif _header_end(data) is not None:
            kinds += [_header_fault] * 6
        data = chance.choice(kinds)(data, chance)
    return data


def _bytes_fault(data: bytes, chance: random.Random) -> bytes:
    """Flip, overwrite, cut, repeat or add bytes."""
    start = chance.randrange(len(data) + 1)
    if chance.random() < 0.4:  # headers stand at the beginning
        start = min(start, chance.randrange(200))
    length = min(int(2 ** chance.uniform(0, 12)), len(data) - start)
    kind = chance.randrange(6)
    if kind == 0 and start < len(data):
        return data[:start] + bytes([data[start] ^ (1 << chance.randrange(8))]) + data[start + 1 :]
    if kind == 1:
        size = chance.choice((1, 2, 4, 8))
        number = chance.choice(ODD_NUMBERS) & ((1 << (8 * size)) - 1)
        return data[:start] + number.to_bytes(size, chance.choice(("little", "big"))) + data[start + size :]
    if kind == 2:
        return data[:start] + data[start + length :]
    if kind == 3:
        return data[: start + length] + data[start:]
    if kind == 4:
        return data[:start]
    return data[:start] + chance.randbytes(min(length, 64)) + data[start + chance.choice((0, length)) :]


def _word_fault(data: bytes, chance: random.Random) -> bytes:
    """Put an odd word in the place of another."""
    start = chance.randrange(len(data) + 1)
    end = start
    while end < len(data) and data[end : end + 1] not in (b",", b" ", b"\n", b'"', b"]") and end < start + 40:
        end += 1
    return data[:start] + chance.choice(ODD_WORDS) + data[end:]


def _json_fault(data: bytes, chance: random.Random) -> bytes:
    try:
        content = json.loads(data)
    except (ValueError, RecursionError):
        return _bytes_fault(data, chance)
    return json.dumps(_with_odd_value(content, chance)).encode("utf-8", "surrogatepass")


def _header_end(data: bytes) -> int | None:
    """Where the header of a safetensors file ends; None for another file."""
    if len(data) < 16 or data[8:9] != b"{":
        return None
    (length,) = struct.unpack_from("<Q", data)
    return 8 + length if 8 + length <= len(data) else None


def _header_fault(data: bytes, chance: random.Random) -> bytes:
    """Change the header's JSON, or that of the description in it, and keep the file's frame whole."""
    end = _header_end(data)
    try:
        header = json.loads(data[8:end])
        if chance.random() < 0.7:
            text = header["__metadata__"]["description"]
            header["__metadata__"]["description"] = json.dumps(_with_odd_value(json.loads(text), chance))
        else:
            header = _with_odd_value(header, chance)
    except (ValueError, RecursionError, LookupError, TypeError):
        return _bytes_fault(data, chance)
    packed = json.dumps(header).encode("utf-8", "surrogatepass")
    return struct.pack("<Q", len(packed)) + packed + data[end:]


def _with_odd_value(content: Any, chance: random.Random) -> Any:
    """Change one value at a random depth: make it odd, drop it, repeat it, or give it another name."""
    if not isinstance(content, (dict, list)) or not content or chance.random() < 0.12:
        return _odd(content, chance)
    keys = list(content) if isinstance(content, dict) else range(len(content))
    key = chance.choice(keys)
    kind = chance.random()
    if kind < 0.1:
        del content[key]
    elif kind < 0.15 and isinstance(content, dict):
        content[str(key) + chance.choice(("", "x", "\n"))] = content.pop(key)
    elif kind < 0.2 and isinstance(content, list):
        content.extend(content[: chance.choice((1, 50))])
    else:
        content[key] = _with_odd_value(content[key], chance)
    return content


def _odd(value: Any, chance: random.Random) -> Any:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and chance.random() < 0.5:
        return chance.choice((-value, value + 1, value * 2, value * 1000, float(value) if abs(value) < 1e300 else 0))
    return chance.choice(ODD_VALUES)
