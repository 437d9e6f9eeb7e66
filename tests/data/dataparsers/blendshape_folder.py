"""A tiny dataset in NeRFBlendShape's layout."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image
from tiny_face import coded_image, look_at_origin

from nerface_ns.data.landmark_boxes import MEDIAPIPE_LANDMARKS

NUM_FRAMES, HEIGHT, WIDTH = 12, 12, 16
INTRINSICS = {"fx": 40.0, "fy": 42.0, "cx": 7.5, "cy": 6.25}


def stored_pose(number: int) -> np.ndarray:
    return look_at_origin(0.35 * np.array([np.sin(number / 4), 0.1, np.cos(number / 4)]))


def landmarks(number: int) -> np.ndarray:
    """A grid of points about the middle of the image; the mouth's and the eyes' extreme points stand out."""
    rng = np.random.default_rng(number)
    points = rng.uniform([6, 4], [10, 8], (MEDIAPIPE_LANDMARKS, 2))
    points[0], points[1] = [6, 4], [10, 8]
    points[[57, 287, 17]] = [[7, 7], [9, 7], [8, 7.5]]
    points[0] = [6, 6.5]
    points[2] = [6, 4]
    points[[130, 359, 27, 257, 23, 253]] = [[6.5, 5], [9.5, 5], [7, 4.5], [9, 4.6], [7, 5.4], [9, 5.5]]
    return points


def write_blendshape(root: Path) -> Path:
    """Write the published layout; frames are listed backwards, and image 3 was dropped by the tracker."""
    for folder in ("head_imgs", "ori_imgs", "parsing"):
        (root / folder).mkdir(parents=True)
    frames = []
    for number in (*range(3), *range(4, NUM_FRAMES + 1)):
        name = str(number)
        Image.fromarray(coded_image(number)).save(root / "head_imgs" / f"{name}.jpg")
        Image.fromarray(coded_image(100 + number)).save(root / "ori_imgs" / f"{name}.jpg")
        np.savetxt(root / "ori_imgs" / f"{name}.lms", landmarks(number), fmt="%.4f")
        parsing = np.full((HEIGHT, WIDTH, 3), 255, dtype=np.uint8)
        parsing[9:11, 4:12] = [0, 255, 0]
        parsing[11, 2:14] = [255, 0, 0]
        parsing[3:9, 5:11] = [0, 0, 255]
        Image.fromarray(parsing).save(root / "parsing" / f"{name}.png")
        expression = (np.arange(46) / 46 + number / 100).tolist()
        frames.append({"img_id": number, "exp_ori": expression, "transform_matrix": stored_pose(number).tolist()})
    content = {"h": HEIGHT, "w": WIDTH, **INTRINSICS, "frames": frames[::-1]}
    (root / "transforms.json").write_text(json.dumps(content))
    Image.fromarray(coded_image(200)).save(root / "bc.jpg")
    return root
