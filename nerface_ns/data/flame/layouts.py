"""Which FLAME layouts there are, and how their folders are told apart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Callable

from nerface_ns.data.flame.flame_recording import FlameRecording
from nerface_ns.data.flame.head_avatars_layout import head_avatars_file, read_head_avatars
from nerface_ns.data.flame.imavatar_layout import imavatar_files, read_imavatar
from nerface_ns.data.flame.insta_layout import read_insta
from nerface_ns.data.flame.metrical_layout import FRAME_PATTERN, read_metrical
from nerface_ns.data.flame.vhap_layout import read_vhap

LAYOUTS: dict[str, Callable[[Path, tuple[str, ...]], FlameRecording]] = {
    "insta": lambda root, test_folders: read_insta(root),
    "metrical-tracker": lambda root, test_folders: read_metrical(root),
    "imavatar": read_imavatar,
    "neural-head-avatars": lambda root, test_folders: read_head_avatars(root),
    "vhap": lambda root, test_folders: read_vhap(root),
}
"""Reader of each layout: folder, and the clips that make the test split."""

FRAME_KEYS = {"flame_param_path": "vhap", "exp_path": "insta"}
"""Key of a frame in `transforms*.json` that tells the layout."""


def detect_layout(root: Path) -> str:
    """Tell a folder's layout by its files.

    Raises:
        ValueError: It looks like none of them.
    """
    for name in ("transforms.json", "transforms_train.json"):
        path = root / name
        if path.is_file():
            try:
                frames = json.loads(path.read_text(encoding="utf-8")).get("frames")
            except (ValueError, AttributeError, RecursionError) as error:
                raise ValueError(f"{path}: expected JSON, got text that does not parse: {error}") from error
            first = frames[0] if isinstance(frames, list) and frames and isinstance(frames[0], dict) else {}
            for key, layout in FRAME_KEYS.items():
                if key in first:
                    return layout
    if imavatar_files(root):
        return "imavatar"
    if next(root.glob(FRAME_PATTERN), None) is not None:
        return "metrical-tracker"
    if head_avatars_file(root) is not None:
        return "neural-head-avatars"
    raise ValueError(
        f"{root}: expected a FLAME layout: transforms.json whose frames have exp_path (INSTA) or flame_param_path "
        "(VHAP), flame_params.json (IMavatar), checkpoint/*.frame (metrical-tracker) or tracked_flame_params.npz "
        "(Neural Head Avatars), found none"
    )
