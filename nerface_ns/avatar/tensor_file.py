"""Reads and writes the container of an avatar: safetensors with a description in JSON in its header.

Nothing in such a file can be executed: a header of names, types, shapes and places, then plain numbers. What the header
claims is checked against the file's length before any memory is taken for it.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

FORMAT, VERSION = "nerface-avatar", 1
"""What the file calls itself, and the version of the schema that this program reads and writes."""
MAX_HEADER_BYTES = 8 << 20
MAX_FILE_BYTES = 4 << 30
MAX_TENSORS = 4096
DTYPES = {"F32": torch.float32, "I64": torch.int64, "I32": torch.int32, "BOOL": torch.bool, "U8": torch.uint8}
"""Types of numbers that an avatar may hold, by their names in safetensors."""


@dataclass
class TensorFile:
    """Content of a container."""

    description: dict[str, Any]
    """JSON object; its values are unchecked."""
    tensors: dict[str, Tensor]
    """By name; floats are finite, booleans 0 or 1, and nothing else is checked."""


def load_json(where: str, text: str | bytes) -> Any:
    """Parse JSON strictly: no key twice, no NaN or infinity, no nesting beyond what Python reads.

    Raises:
        ValueError: It is no such JSON.
    """

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        """Make an object of keys that are all different."""
        result = dict(pairs)
        if len(result) < len(pairs):
            raise ValueError("a key stands there twice")
        return result

    def refuse(name: str) -> None:
        """Refuse NaN and infinities."""
        raise ValueError(f"{name} is no number")

    try:
        return json.loads(text, object_pairs_hook=unique, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{where}: expected JSON, got text that does not parse: {error}") from error


def read_tensor_file(path: Path) -> TensorFile:
    """Read a container.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no container of this version, or it is damaged.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; expected an avatar that nerface-avatar export wrote")
    if not 8 < path.stat().st_size <= MAX_FILE_BYTES:
        raise ValueError(f"{path}: expected an avatar of up to {MAX_FILE_BYTES} bytes, got {path.stat().st_size}")
    data = path.read_bytes()
    description = _description(path, data)
    from safetensors import SafetensorError, deserialize

    try:
        entries = deserialize(data)
    except SafetensorError as error:
        raise ValueError(f"{path}: expected safetensors, got a damaged file: {error}") from error
    if len(entries) > MAX_TENSORS:
        raise ValueError(f"{path}: expected up to {MAX_TENSORS} tensors, got {len(entries)}")
    tensors = {name: _tensor(f"{path}: tensor {name[:80]!r}", entry) for name, entry in entries}
    return TensorFile(description, tensors)


def _description(path: Path, data: bytes) -> dict[str, Any]:
    """The JSON object in the header, once format and version are known to be ours."""
    length = int.from_bytes(data[:8], "little")
    if length > min(MAX_HEADER_BYTES, len(data) - 8):
        raise ValueError(f"{path}: expected a header within the file and up to {MAX_HEADER_BYTES} bytes, got {length}")
    header = load_json(f"{path}: header", data[8 : 8 + length])
    texts = header.get("__metadata__") if isinstance(header, dict) else None
    if not isinstance(texts, dict) or texts.get("format") != FORMAT:
        raise ValueError(f"{path}: expected an avatar (__metadata__ with format {FORMAT}), found none")
    if texts.get("version") != str(VERSION):
        raise ValueError(
            f"{path}: expected version {VERSION}, the one this program reads, got {str(texts.get('version'))[:20]!r}"
        )
    content = texts.get("description")
    if not isinstance(content, str):
        raise ValueError(f"{path}: expected a description in JSON, got {type(content).__name__}")
    description = load_json(f"{path}: description", content)
    if not isinstance(description, dict):
        raise ValueError(f"{path}: description: expected an object, got {type(description).__name__}")
    return description


def _tensor(where: str, entry: dict[str, Any]) -> Tensor:
    dtype = DTYPES.get(entry["dtype"])
    if dtype is None:
        raise ValueError(f"{where}: expected numbers of type {', '.join(DTYPES)}, got {str(entry['dtype'])[:20]}")
    if not len(entry["data"]):
        return torch.empty(entry["shape"], dtype=dtype)
    numbers = torch.frombuffer(entry["data"], dtype=torch.uint8 if dtype == torch.bool else dtype)
    if dtype == torch.bool and bool((numbers > 1).any()):
        raise ValueError(f"{where}: expected booleans of 0 or 1, got others")
    if dtype == torch.float32 and not bool(torch.isfinite(numbers).all()):
        raise ValueError(f"{where}: expected finite numbers, got NaN or infinity")
    return numbers.to(dtype).reshape(entry["shape"]).clone()


def write_tensor_file(path: Path, content: TensorFile) -> None:
    """Write a container, whole or not at all, also when the machine stops in between.

    Raises:
        ValueError: A tensor is one that would not be read again, or nothing can be written there.
    """
    from safetensors.torch import save

    for name, tensor in content.tensors.items():
        if tensor.dtype not in DTYPES.values() or not bool(torch.isfinite(tensor).all()):
            raise ValueError(f"{path}: tensor {name!r}: expected finite numbers of {', '.join(DTYPES)}, got others")
    description = json.dumps(content.description, allow_nan=False)
    texts = {"format": FORMAT, "version": str(VERSION), "description": description}
    tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in content.tensors.items()}
    path = Path(path)
    partial = path.with_name(f"{path.name}.part")
    try:
        with partial.open("wb") as file:
            file.write(save(tensors, metadata=texts))
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise ValueError(f"{path}: cannot be written ({error.strerror})") from error
    folder = os.open(path.absolute().parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
