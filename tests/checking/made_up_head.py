"""A made-up recording in NerFace's format whose face, mouth and eyes boxes move as a turning head's would."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from scipy.spatial.transform import Rotation

from nerface_ns.data.frame_json import FrameFile, FrameRecord, write_frame_file

SIZE, FOCAL, NUM_FRAMES = 64, 190.0, 60
PARTS = {"face": ([0.0, 0.0, 0.01], [0.075, 0.055]), "mouth": ([0, -0.03, 0.05], [0.015, 0.025])}
PARTS["eyes"] = ([0, 0.02, 0.045], [0.012, 0.04])
"""Place in the head, and reach down and sideways."""


def head_cameras(turn: float = 1.0, seed: int = 0) -> np.ndarray:
    """OpenGL cameras about a head at the origin that turns, nods, tilts and moves before a static camera."""
    phase = np.linspace(0, 4 * np.pi, NUM_FRAMES)
    angles = turn * np.stack([35 * np.sin(phase), 14 * np.sin(1.7 * phase + 1), 9 * np.sin(2.3 * phase)], axis=1)
    head = Rotation.from_euler("YXZ", angles, degrees=True).as_matrix()
    wander = turn * np.stack([0.03 * np.sin(1.3 * phase), 0.02 * np.cos(0.8 * phase), 0.04 * np.sin(phase)], axis=1)
    poses = np.tile(np.eye(4), (NUM_FRAMES, 1, 1))
    poses[:, :3, :3] = head.transpose(0, 2, 1)
    poses[:, :3, 3] = np.einsum("nji,nj->ni", head, np.array([0, 0, 0.5]) - wander)
    return poses


def boxes_of(poses: np.ndarray, place: list[float], reach: list[float]) -> np.ndarray:
    """(n, 4) boxes as fractions round a part of the head, with the scatter of a detector."""
    local = np.einsum("nji,nj->ni", poses[:, :3, :3], np.array(place) - poses[:, :3, 3])
    x, y = FOCAL * local[:, 0] / -local[:, 2] + SIZE / 2, -FOCAL * local[:, 1] / -local[:, 2] + SIZE / 2
    x, y = (np.stack([x, y]) + np.random.default_rng(5).normal(0, 0.6, (2, len(poses)))) / SIZE
    down, side = (FOCAL * np.array(reach)[:, None] / -local[:, 2]) / SIZE
    return np.clip(np.stack([y - down, y + down, x - side, x + side], axis=1), 0.001, 0.999)


def write_head(root: Path, turn: float = 1.0, masks: bool = True, expression: np.ndarray | None = None) -> Path:
    """Write the recording: the last ten frames test, five validate."""
    rng = np.random.default_rng(1)
    poses = head_cameras(turn)
    boxes = {name: boxes_of(poses, *part) for name, part in PARTS.items()}
    if expression is None:
        expression = rng.uniform(0, 1, (NUM_FRAMES, 4))
    background = rng.integers(0, 255, (SIZE, SIZE, 3), dtype=np.uint8)
    rows = {"test": range(50, 60), "val": range(4, 50, 10)}
    rows["train"] = [row for row in range(50) if row not in rows["val"]]
    for split, members in rows.items():
        (root / split).mkdir(parents=True)
        (root / "masks" / split).mkdir(parents=True)
        records = []
        for row in members:
            name = f"f_{row:04d}"
            y0, y1, x0, x1 = (boxes["face"][row] * SIZE).round().astype(int)
            image, alpha = background.copy(), np.zeros((SIZE, SIZE), dtype=np.uint8)
            image[y0:y1, x0:x1], alpha[y0:y1, x0:x1] = [180, 120 + row, 100], 255
            Image.fromarray(image).save(root / split / f"{name}.png")
            if masks:
                Image.fromarray(alpha).save(root / "masks" / split / f"{name}.png")
            regions = {part: boxes[part][row] for part in ("mouth", "eyes")}
            records.append(FrameRecord(f"./{split}/{name}", poses[row], expression[row], boxes["face"][row], regions))
        content = FrameFile(FOCAL, FOCAL, (SIZE / 2 - 0.5) / SIZE, (SIZE / 2 - 0.5) / SIZE, None, records)
        write_frame_file(root / f"transforms_{split}.json", content)
    (root / "bg").mkdir()
    Image.fromarray(background).save(root / "bg" / "00050.png")
    return root
