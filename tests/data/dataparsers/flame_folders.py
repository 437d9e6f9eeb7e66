"""Folders in the four FLAME layouts, written by the layouts' own formulas from one made-up head."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from scipy.spatial.transform import Rotation

NUM_FRAMES, SIZE, FOCAL = 24, 64, 120.0
ROOT_JOINT, NECK_JOINT = np.array([0.0, -0.11, -0.01]), np.array([0.0, -0.04, -0.02])
HEAD_POINTS = np.array(
    [[0.0, 0.03, 0.05], [0.04, 0.02, 0.03], [-0.04, 0.02, 0.03], [0.0, -0.03, 0.06], [0.0, 0.07, 0.0]]
)
"""Points of the head in FLAME's frame before any pose; the first is the middle of the face."""
DISTANCE = 0.9

rng = np.random.default_rng(3)
PHASE = np.linspace(0, 4 * np.pi, NUM_FRAMES)
ROOT = np.stack([0.15 * np.sin(2.3 * PHASE), 0.35 * np.sin(PHASE), 0.1 * np.cos(1.7 * PHASE)], axis=1)
NECK = np.stack([0.12 * np.cos(1.3 * PHASE), 0.25 * np.sin(1.9 * PHASE), 0.1 * np.sin(0.7 * PHASE)], axis=1)
JAW = np.stack([0.1 + 0.1 * np.sin(3 * PHASE), 0 * PHASE, 0 * PHASE], axis=1)
EYES = 0.1 * rng.normal(size=(NUM_FRAMES, 6))
EXPRESSION = rng.normal(size=(NUM_FRAMES, 10))
SHIFT = 0.03 * rng.normal(size=(NUM_FRAMES, 3))


def posed(points: np.ndarray, number: int, neck: bool = True, centred: bool = False) -> np.ndarray:
    """FLAME's turns of head points: the neck's about its joint, then the root's about its own."""
    turned = points
    if neck:
        turned = (points - NECK_JOINT) @ Rotation.from_rotvec(NECK[number]).as_matrix().T + NECK_JOINT
    turned = (turned - ROOT_JOINT) @ Rotation.from_rotvec(ROOT[number]).as_matrix().T
    return turned + (0 if centred else ROOT_JOINT)


def pixels_of(camera: np.ndarray) -> np.ndarray:
    """Pixels of points in an OpenCV camera (x right, y down, z forward), centres at halves."""
    return FOCAL * camera[:, :2] / camera[:, 2:] + SIZE / 2


def opencv_points(number: int, layout: str) -> np.ndarray:
    """Head points of a frame in the camera, as the layout's tracker puts them there."""
    flip = np.array([1, -1, -1])
    if layout == "imavatar":  # FLAME four times as large, camera 4 units away, OpenGL.
        return (4 * posed(HEAD_POINTS, number) - [0, 0, 4 * DISTANCE]) * flip
    if layout == "neural-head-avatars":  # PyTorch3D's camera at the origin, FLAME before it and facing it.
        flipped = Rotation.from_rotvec([0, np.pi, 0]) * Rotation.from_rotvec(ROOT[number])
        neck = Rotation.from_rotvec(NECK[number]).as_matrix()
        local = (HEAD_POINTS - NECK_JOINT) @ neck.T + NECK_JOINT - ROOT_JOINT
        return (local @ flipped.as_matrix().T + SHIFT[number] + [0, 0, DISTANCE]) * [-1, -1, 1]
    if layout == "vhap":
        return (posed(HEAD_POINTS, number) + SHIFT[number] - [0, 0, DISTANCE]) * flip
    # INSTA: the head stands still and the camera moves.
    return HEAD_POINTS @ world_to_camera(number)[:3, :3].T + world_to_camera(number)[:3, 3]


def world_to_camera(number: int) -> np.ndarray:
    """INSTA's OpenCV camera of a frame, which takes up the head's turn."""
    pose = np.eye(4)
    pose[:3, :3] = np.diag([1.0, -1, -1]) @ Rotation.from_rotvec(ROOT[number]).as_matrix()
    pose[:3, 3] = np.array([0, 0, DISTANCE]) + SHIFT[number]
    return pose


def face_image(pixels: np.ndarray, background: int | None = 90) -> Image.Image:
    """A head with shoulders about the projected points; RGBA when there is no background."""
    image = Image.new("RGB" if background is not None else "RGBA", (SIZE, SIZE), (background or 0,) * 3)
    draw_head(ImageDraw.Draw(image), pixels, (200, 150, 120))
    return image


def draw_head(draw: ImageDraw.ImageDraw, pixels: np.ndarray, fill: object) -> None:
    x, y = pixels[0]
    draw.rectangle([x - 3, y + 6, x + 3, SIZE], fill=fill)
    draw.rectangle([x - 18, y + 16, x + 18, SIZE], fill=fill)
    draw.ellipse([x - 8, y - 10, x + 8, y + 10], fill=fill)


def matte(pixels: np.ndarray) -> Image.Image:
    image = Image.new("L", (SIZE, SIZE), 0)
    draw_head(ImageDraw.Draw(image), pixels, 255)
    return image


def save(image: Image.Image, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)


def six(vector: np.ndarray) -> np.ndarray:
    """The first two rows of rotation matrices."""
    return Rotation.from_rotvec(vector.reshape(-1, 3)).as_matrix()[:, :2].reshape(len(vector), -1)


def write_insta(root: Path, joints: bool = True) -> None:
    frames = []
    for number in range(NUM_FRAMES):
        name = f"{number:05d}"
        pixels = pixels_of(opencv_points(number, "insta"))
        image = face_image(pixels, None)
        image.putalpha(matte(pixels))
        save(image, root / "images" / f"{name}.png")
        for folder, values in {"exp": EXPRESSION, "jaw": six(JAW), "eyes": six(EYES)}.items():
            if folder == "exp" or joints:
                (root / "flame" / folder).mkdir(parents=True, exist_ok=True)
                np.savetxt(root / "flame" / folder / f"{name}.txt", values[number], fmt="%.8f")
        frames.append(
            {
                "transform_matrix": np.linalg.inv(world_to_camera(number)).tolist(),
                "file_path": f"images/{name}.png",
                "exp_path": f"flame/exp/{name}.txt",
                "mesh_path": f"meshes/{name}.obj",
            }
        )
    shared = {"fl_x": FOCAL, "fl_y": FOCAL, "cx": SIZE / 2, "cy": SIZE / 2, "w": SIZE, "h": SIZE}
    order = np.random.default_rng(0).permutation(NUM_FRAMES)
    for name, part in {"": frames, "_train": frames[:-5], "_test": frames[-5:], "_val": frames[-3:]}.items():
        listed = [part[row] for row in order if row < len(part)]
        (root / f"transforms{name}.json").write_text(json.dumps({**shared, "frames": listed}))


def write_metrical(root: Path) -> None:
    import torch

    (root / "checkpoint").mkdir(parents=True)
    for number in range(NUM_FRAMES):
        pose = world_to_camera(number)
        intrinsics = np.array([[FOCAL, 0, SIZE / 2], [0, FOCAL, SIZE / 2], [0, 0, 1]])
        frame = {
            "flame": {
                "exp": EXPRESSION[number][None].astype(np.float32),
                "jaw": six(JAW)[number][None].astype(np.float32),
                "eyes": six(EYES)[number][None].astype(np.float32),
                "eyelids": np.full((1, 2), 0.25, dtype=np.float32),
            },
            "opencv": {"R": pose[None, :3, :3], "t": pose[None, :3, 3], "K": intrinsics[None]},
            "img_size": np.array([SIZE, SIZE]),
            "frame_id": f"{number:05d}",
            "global_step": number,
        }
        torch.save(frame, root / "checkpoint" / f"{number:05d}.frame")
        save(face_image(pixels_of(opencv_points(number, "insta"))), root / "input" / f"{number:05d}.png")


def write_imavatar(root: Path) -> None:
    frames = []
    for number in range(NUM_FRAMES):
        # The loader's pixels count from the centres: half a pixel less than ours.
        pixels = pixels_of(opencv_points(number, "imavatar"))
        save(face_image(pixels), root / "image" / f"{number + 1}.png")
        save(matte(pixels), root / "mask" / f"{number + 1}.png")
        low, high = (pixels[0] - [6, 8]) / SIZE * 2 - 1, (pixels[0] + [6, 8]) / SIZE * 2 - 1
        frames.append(
            {
                "file_path": f"./image/{number + 1}",
                "world_mat": [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, -4 * DISTANCE]],
                "expression": EXPRESSION[number].tolist(),
                "pose": np.concatenate([ROOT[number], NECK[number], JAW[number], EYES[number]]).tolist(),
                "bbox": [*low, *high],
                "flame_keypoints": (pixels / SIZE * 2 - 1).tolist(),
            }
        )
    center = (SIZE / 2 - 0.5) / SIZE
    content = {
        "frames": frames,
        "intrinsics": [-FOCAL / SIZE, FOCAL / SIZE, center, center],
        "shape_params": [0.0] * 100,
    }
    (root / "flame_params.json").write_text(json.dumps(content))


def unlimited(angles: np.ndarray, low_deg: list[float], high_deg: list[float]) -> np.ndarray:
    low, high = np.radians(low_deg), np.radians(high_deg)
    return np.arctanh(np.clip((angles - low) / (high - low) * 2 - 1, -0.999999, 0.999999))


def write_head_avatars(root: Path, split: bool = True) -> None:
    for number in range(NUM_FRAMES):
        folder = root / f"frame_{number:04d}"
        pixels = pixels_of(opencv_points(number, "neural-head-avatars"))
        save(face_image(pixels), folder / "image_0000.png")
        save(matte(pixels).point(lambda value: 101 if value else 0), folder / "seg_0000.png")
        points = pixels[0] + np.stack(np.meshgrid(np.linspace(-6, 6, 17), np.linspace(-7, 7, 4)), axis=-1).reshape(
            68, 2
        )
        stored = np.concatenate([points, np.ones((68, 1))], axis=1).ravel().tolist()
        (folder / "keypoints_static_0000.json").write_text(json.dumps({"people": [{"face_keypoints_2d": stored}]}))
    rotation = [(Rotation.from_rotvec([0, np.pi, 0]) * Rotation.from_rotvec(vector)).as_rotvec() for vector in ROOT]
    np.savez(
        root / "tracked_flame_params.npz",
        expr=EXPRESSION.astype(np.float32),
        rotation=np.array(rotation),
        translation=SHIFT + np.array([0, 0, DISTANCE]),
        neck_pose=unlimited(NECK, [-90, -60, -80], [90, 60, 80]),
        jaw_pose=unlimited(JAW, [-5, -0.1, -0.1], [60, 0.1, 0.1]),
        eyes_pose=np.zeros((NUM_FRAMES, 6)),
        shape=np.zeros(300),
        frame=np.arange(NUM_FRAMES),
        K=np.array([FOCAL / SIZE, 0.5, 0.5]),
        RT=np.eye(3, 4),
        image_size=np.array([SIZE, SIZE]),
        n_processed=NUM_FRAMES,
    )
    if split:
        content = {"train": list(range(NUM_FRAMES - 4)), "val": list(range(NUM_FRAMES - 4, NUM_FRAMES))}
        (root / "split.json").write_text(json.dumps(content))


def write_vhap(root: Path) -> None:
    (root / "flame_param").mkdir(parents=True)
    frames = []
    for number in range(NUM_FRAMES):
        pixels = pixels_of(opencv_points(number, "vhap"))
        save(face_image(pixels, 255), root / "images" / f"{number:05d}_00.png")
        save(matte(pixels), root / "fg_masks" / f"{number:05d}_00.png")
        np.savez(
            root / "flame_param" / f"{number:05d}.npz",
            expr=EXPRESSION[number : number + 1],
            rotation=ROOT[number : number + 1],
            neck_pose=NECK[number : number + 1],
            jaw_pose=JAW[number : number + 1],
            eyes_pose=EYES[number : number + 1],
            translation=SHIFT[number : number + 1],
            shape=np.zeros(300),
        )
        pose = np.eye(4)
        pose[2, 3] = DISTANCE
        frames.append(
            {
                "timestep_index": number,
                "camera_index": 0,
                "cx": SIZE / 2,
                "cy": SIZE / 2,
                "fl_x": FOCAL,
                "fl_y": FOCAL,
                "h": SIZE,
                "w": SIZE,
                "transform_matrix": pose.tolist(),
                "file_path": f"images/{number:05d}_00.png",
                "fg_mask_path": f"fg_masks/{number:05d}_00.png",
                "flame_param_path": f"flame_param/{number:05d}.npz",
            }
        )
    for name, part in {"": frames, "_train": frames[:-6], "_val": [], "_test": frames[-6:]}.items():
        (root / f"transforms{name}.json").write_text(json.dumps({"frames": part}))


WRITERS = {
    "insta": write_insta,
    "metrical-tracker": write_metrical,
    "imavatar": write_imavatar,
    "neural-head-avatars": write_head_avatars,
    "vhap": write_vhap,
}
