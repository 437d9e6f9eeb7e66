"""What `nerface-avatar show` prints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from nerface_ns.avatar.avatar_file import AvatarFile
from nerface_ns.tracks.retargeting import neutral_expression

SHOWN_NAMES = 8


def avatar_facts(avatar: AvatarFile, path: Path) -> dict[str, str]:
    """Return what a file says, in words."""
    expression = avatar.expression.double().numpy()
    neutral = np.linalg.norm(expression - neutral_expression(expression), axis=1).argmin()
    names = avatar.expression_names
    more = f" and {len(names) - SHOWN_NAMES} more" if len(names) > SHOWN_NAMES else ""
    numbers = sum(tensor.numel() for tensor in avatar.state.values())
    box = " ".join(f"{value:.3g}" for value in avatar.scene_box.flatten().tolist())
    position = " ".join(f"{value:.3g}" for value in avatar.camera_to_world[:, :, 3].mean(dim=0).tolist())
    return {
        "file": f"{path} ({path.stat().st_size / 2**20:.1f} MiB)",
        "licence": avatar.licence,
        "note": avatar.note,
        "method": f"{avatar.method}, step {avatar.step}, written by nerface-ns {avatar.package_version}",
        "images": f"{avatar.image_size[1]} x {avatar.image_size[0]} pixels, {len(expression)} training frames",
        "expression": f"{len(names)} coefficients: {', '.join(names[:SHOWN_NAMES])}{more}",
        "most neutral": f"training frame {neutral}",
        "latent codes": f"{avatar.model_config.latent_codes.length} numbers each",
        "cameras' mean": position,
        "scene box": box,
        "numbers": f"{numbers:,} in {len(avatar.state)} tensors",
    }


def avatar_table(avatar: AvatarFile, path: Path) -> Any:
    """Return the facts as a table; texts from the file are shown as they are, never as markup."""
    from rich.table import Table
    from rich.text import Text

    table = Table(show_header=False, title="avatar")
    for name, value in avatar_facts(avatar, path).items():
        table.add_row(name, Text(value))
    return table
