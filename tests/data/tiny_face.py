"""A tiny dataset in NerFace's format, with images whose pixels tell where they come from."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

from nerface_ns.data.frame_json import FrameFile, FrameRecord, write_frame_file

HEIGHT, WIDTH = 12, 16
FOCAL_PX = 60.0
CENTER = (0.53, 0.46)
FACE_BOX_PX = [2, 10, 4, 12]
REGIONS_PX = {"mouth": [7, 9, 6, 10], "eyes": [3, 6, 6, 11]}


def look_at_origin(position: np.ndarray) -> np.ndarray:
    """OpenGL camera-to-world at `position`, looking at the origin, y up."""
    back = position / np.linalg.norm(position)
    right = np.cross([0.0, 1.0, 0.0], back)
    right /= np.linalg.norm(right)
    pose = np.eye(4)
    pose[:3, :3] = np.stack([right, np.cross(back, right), back], axis=1)
    pose[:3, 3] = position
    return pose


def coded_image(number: int, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """Red tells the frame, green the row, blue the column."""
    image = np.zeros((height, width, 3), dtype=np.uint8)
    image[..., 0] = number
    image[..., 1] = np.arange(height)[:, None]
    image[..., 2] = np.arange(width)
    return image


def coded_alpha(number: int, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """A matte that is visible in rows 2..9 and columns 4..11 and tells the frame."""
    alpha = np.zeros((height, width), dtype=np.uint8)
    alpha[2:10, 4:12] = 100 + number
    return alpha


def tiny_record(number: int, split: str) -> FrameRecord:
    """Frame `number`: a camera about 0.5 away, three coefficients, boxes and gaze."""
    yaw = 0.5 * np.sin(number)
    return FrameRecord(
        file_path=f"./{split}/f_{number:04d}",
        camera_to_world=look_at_origin(np.array([0.5 * np.sin(yaw), 0.03 * np.cos(number), 0.5 * np.cos(yaw)])),
        expression=np.array([number / 10, -0.5, np.sin(number)], dtype=np.float32),
        face_box=np.array(FACE_BOX_PX) / [HEIGHT, HEIGHT, WIDTH, WIDTH],
        region_boxes={name: np.array(box) / [HEIGHT, HEIGHT, WIDTH, WIDTH] for name, box in REGIONS_PX.items()},
        gaze=np.array([0.1, 0.01 * number]),
    )


def tiny_file(numbers: list[int], split: str) -> FrameFile:
    """Frame file of some frames."""
    return FrameFile(
        fx_px=FOCAL_PX,
        fy_px=FOCAL_PX + 2,
        cx_fraction=CENTER[0],
        cy_fraction=CENTER[1],
        expression_names=("jawOpen", "smile", "blink"),
        frames=[tiny_record(number, split) for number in numbers],
    )


def write_tiny_face(
    root: Path, numbers: dict[str, list[int]] | None = None, masks: bool = True, suffix: str = ".png"
) -> Path:
    """Write the dataset; by default frames 0..8 with 3 and 6 for validation and 7, 8 for the test."""
    numbers = numbers or {"train": [0, 1, 2, 4, 5], "val": [3, 6], "test": [7, 8]}
    for split, members in numbers.items():
        (root / split).mkdir(parents=True)
        write_frame_file(root / f"transforms_{split}.json", tiny_file(members, split))
        for number in members:
            Image.fromarray(coded_image(number)).save(root / split / f"f_{number:04d}{suffix}")
            if masks:
                (root / "masks" / split).mkdir(parents=True, exist_ok=True)
                Image.fromarray(coded_alpha(number)).save(root / "masks" / split / f"f_{number:04d}.png")
    (root / "bg").mkdir()
    Image.fromarray(coded_image(200)).save(root / "bg" / "00050.png")
    return root


def edit_json(path: Path, edit) -> None:
    """Change a JSON file in place by a function of its content."""
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))
