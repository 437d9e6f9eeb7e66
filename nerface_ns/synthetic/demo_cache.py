"""Keeps the demo sequence in the user's cache folder, made once and never seen half-made."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from dataclasses import asdict
from pathlib import Path

from nerface_ns.synthetic.demo_sequence import DemoSequenceConfig, write_demo_sequence

MARKER = "complete.json"
"""File written last: a folder without it is not a finished sequence."""
_DEFAULT = DemoSequenceConfig()


def demo_data_dir(config: DemoSequenceConfig = _DEFAULT) -> Path:
    """Folder of the demo sequence, rendered on first use.

    It lies in `$XDG_CACHE_HOME/nerface-ns/demo` (`~/.cache` by default), named for the config and for the code that
    makes it. A maker works in a temporary folder and renames it at the end, so makers at the same time don't clash.

    Raises:
        ValueError: The cache folder cannot be written.
    """
    root = _cache_root()
    target = root / f"demo-head-{_fingerprint(config)}"
    if (target / MARKER).is_file():
        return target
    try:
        root.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=root))
    except OSError as error:
        raise ValueError(
            f"{root}: the demo sequence needs a writable cache folder ({error}); set XDG_CACHE_HOME to one"
        ) from error
    try:
        write_demo_sequence(work, config)
        (work / MARKER).write_text(json.dumps(asdict(config)))
        _publish(work, target)
    except OSError as error:
        raise ValueError(f"{root}: the demo sequence could not be written ({error})") from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return target


def _cache_root() -> Path:
    """Folder of all demo sequences; a relative XDG_CACHE_HOME is ignored, as the XDG specification asks."""
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (base if base.is_absolute() else Path.home() / ".cache") / "nerface-ns" / "demo"


def _fingerprint(config: DemoSequenceConfig) -> str:
    """Short hash of the config and of every source file the sequence depends on."""
    digest = hashlib.sha256(json.dumps(asdict(config), sort_keys=True).encode())
    here = Path(__file__).parent
    for source in [*sorted(here.glob("*.py")), here.parent / "data" / "frame_json.py"]:
        digest.update(source.read_bytes())
    return digest.hexdigest()[:16]


def _publish(work: Path, target: Path) -> None:
    """Give a finished folder its final name, unless another maker was first; a damaged folder there is replaced."""
    try:
        os.rename(work, target)
    except OSError:
        if (target / MARKER).is_file():
            return
        shutil.rmtree(target, ignore_errors=True)
        os.rename(work, target)
