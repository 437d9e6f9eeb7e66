"""Does the scene the reader makes of the cameras hold the head, and does the head show all its sides?"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from nerface_ns.checking.finding import Finding
from nerface_ns.checking.triangulation import project
from nerface_ns.data.dataparsers.face_dataparser import FaceDataParser
from nerface_ns.data.face_frames import FaceFrames, FaceSequence
from nerface_ns.data.flame.flame_pose import vector_of_rotation
from nerface_ns.data.scene_bounds import head_center
from nerface_ns.data.world_placement import boxes_px

LEAST_TURN_DEG = 15.0
"""A head that turns less than this from side to side shows its sides to no camera."""

INSIDE_SHARE = 0.95
"""The head's middle has to be inside the face box in so many frames."""


def head_sphere(frames: FaceFrames) -> tuple[Float[np.ndarray, "3"], float]:
    """Middle of the head and half the height of a face, in world units, from cameras and boxes."""
    boxes = boxes_px(frames)
    center = head_center(frames.camera_to_world, frames.intrinsics_px, boxes)
    depth = np.linalg.norm(frames.camera_to_world[:, :3, 3] - center, axis=1)
    return center, float(np.median((boxes[:, 1] - boxes[:, 0]) / 2 * depth / frames.intrinsics_px[:, 1]))


def check_near_far(parser: FaceDataParser) -> Finding:
    """The head of every split has to lie between the near and the far plane, and inside the scene box."""
    check = "near, far, scene box"
    try:
        outputs = parser.get_dataparser_outputs("train")
    except ValueError as error:
        return Finding(check, "fail", str(error), "see the camera convention", "scene-box")
    near, far = outputs.metadata["near_far"]
    low, high = outputs.scene_box.aabb.numpy().astype(np.float64)
    center, radius = head_sphere(parser.sequence.splits["train"])
    cameras = np.concatenate([frames.camera_to_world for frames in parser.sequence.splits.values()])
    distance = np.linalg.norm(cameras[:, :3, 3] - center, axis=1)
    figures = {
        "near": round(near, 4),
        "far": round(far, 4),
        "nearest_camera": round(float(distance.min()), 4),
        "farthest_camera": round(float(distance.max()), 4),
        "face_radius": round(radius, 4),
        "scene_box": [[round(float(value), 4) for value in corner] for corner in (low, high)],
    }
    detail = f"head {distance.min():.3f}..{distance.max():.3f} from the cameras, near {near:.3f}, far {far:.3f}"
    if near > distance.min() or far < distance.max():
        return Finding(
            check, "fail", f"{detail}: the planes cut the head away", "set near and far", "near-far", figures
        )
    if ((center < low) | (center > high)).any():
        detail = f"the head's middle {center.round(3).tolist()} is outside the scene box"
        return Finding(check, "fail", detail, "set scene_box", "scene-box", figures)
    if near > distance.min() - 0.7 * radius or far < distance.max() + 0.7 * radius:
        return Finding(check, "warn", f"{detail}: a face of radius {radius:.3f} is cut", "", "near-far", figures)
    return Finding(check, "ok", detail, figures=figures)


def check_boxes(sequence: FaceSequence) -> Finding:
    """The head's middle, projected, has to be inside the face boxes of all splits."""
    check = "face boxes"
    train = sequence.splits["train"]
    if train.face_boxes is None:
        return Finding(check, "skip", "no face boxes: rays go all over the image with equal weight")
    center, _ = head_sphere(train)
    shares = {}
    for split, frames in sequence.splits.items():
        if frames.face_boxes is None:
            continue
        pixels, depth = project(center[None], frames.camera_to_world, frames.intrinsics_px)
        x, y = pixels[:, 0].T
        y0, y1, x0, x1 = boxes_px(frames).T
        shares[split] = float(((y0 < y) & (y < y1) & (x0 < x) & (x < x1) & (depth[:, 0] > 0)).mean())
    worst = min(shares, key=lambda split: shares[split])
    figures = {split: round(share, 4) for split, share in shares.items()}
    detail = f"the head's middle is inside the box in {shares[worst]:.0%} of the {worst} frames"
    if shares[worst] < INSIDE_SHARE:
        remedy = "order and unit of the boxes are y0, y1, x0, x1 as fractions; else see the camera convention"
        return Finding(check, "fail", detail, remedy, "boxes", figures)
    return Finding(check, "ok", detail, figures=figures)


def check_turn(sequence: FaceSequence) -> Finding:
    """How far the head turns before the training cameras."""
    check = "head turn"
    cameras = sequence.splits["train"].camera_to_world
    left, _, right = np.linalg.svd(cameras[:, :3, :3].mean(axis=0))
    if np.linalg.det(left @ right) < 0:
        return Finding(check, "skip", "the cameras point all ways")
    turns = np.degrees(vector_of_rotation((left @ right).T @ cameras[:, :3, :3]))
    pitch, yaw, roll = (np.quantile(turns, 0.99, axis=0) - np.quantile(turns, 0.01, axis=0)).tolist()
    figures = {"pitch_deg": round(pitch, 1), "yaw_deg": round(yaw, 1), "roll_deg": round(roll, 1)}
    detail = f"yaw over {yaw:.0f} deg, pitch over {pitch:.0f}, roll over {roll:.0f}"
    if yaw < LEAST_TURN_DEG:
        return Finding(check, "warn", f"{detail}: expect weak side views", "", "little-turn", figures)
    return Finding(check, "ok", detail, figures=figures)
