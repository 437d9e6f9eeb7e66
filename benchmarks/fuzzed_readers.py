"""The project's readers of files, each with whole files to begin from."""

from __future__ import annotations

import io
import json
import math
import os
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from made_up_models import made_up_pipeline
from PIL import Image


@dataclass
class Reader:
    """A way into the project."""

    name: str
    """What the report calls it."""
    file_name: str
    """Name of the file in the case's folder."""
    seeds: list[bytes]
    """Whole files."""
    read: Callable[[Path], Any]
    """Reads a file as the project's commands do."""
    beside: dict[str, bytes]
    """Files that have to stand in the folder."""


class Called:
    """Pickles to a call, which must never happen."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("true",)


def made_up_avatar(folder: Path, kind: str = "grid") -> bytes:
    """Return an avatar file of an untrained model of the smallest sizes, of a kind that `smallest_config` knows."""
    from nerface_ns.avatar.avatar_file import write_avatar
    from nerface_ns.avatar.exported_avatar import avatar_of

    path = folder / f"{kind}.nerface"
    pipeline = made_up_pipeline(kind)
    write_avatar(path, avatar_of("made up", pipeline, "nerface", 3, "none", "made up"))
    return path.read_bytes()


def _frames_json() -> bytes:
    """Three frames in NerFace's format."""
    frames = []
    for number in range(3):
        angle = 0.2 * number
        pose = np.eye(4)
        pose[:3, :3] = [[math.cos(angle), 0, math.sin(angle)], [0, 1, 0], [-math.sin(angle), 0, math.cos(angle)]]
        pose[:3, 3] = 0.5 * pose[:3, 2]
        entry = {"file_path": f"./f_{number}", "transform_matrix": pose.tolist(), "expression": [0.1 * number, 0.5]}
        frames.append({**entry, "bbox": [0.2, 0.8, 0.3, 0.7], "gaze": [0.1, 0.2]})
    content = {"intrinsics": [-20.0, 20.0, 0.5, 0.5], "expression_names": ["a", "b"], "frames": frames}
    return json.dumps(content).encode()


def _read_frames(path: Path) -> Any:
    from nerface_ns.data.dataparsers.nerface_dataparser import NeRFaceDataParserConfig

    parser = NeRFaceDataParserConfig(data=path.parent, missing_split="train").setup()
    parser.tells_errors = False
    return parser.get_dataparser_outputs("train")


def _track_json() -> bytes:
    frame = {"expression": [0.1, 0.2], "gaze": [0.0, 0.1], "file": "a.png"}
    frame["camera_to_world"] = [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0.5]]
    head = {"schema": "nerface-track", "version": 1, "fps": 25, "names": ["a", "b"], "neutral": [0, 0]}
    return json.dumps({**head, "video": "v.mp4", "video_start_s": 0.0, "source": "s", "frames": [frame] * 3}).encode()


def _camera_path() -> bytes:
    frame = {"camera_to_world": np.eye(4).flatten().tolist(), "fov": 40, "aspect": 1, "render_time": 0.2}
    crop: dict[str, Any] = {"crop_center": [0, 0, 0], "crop_scale": [1, 1, 1], "crop_rot": [0, 0, 0]}
    crop["crop_bg_color"] = {"r": 1, "g": 2, "b": 3}
    head = {"camera_type": "perspective", "render_height": 8, "render_width": 8, "fps": 24, "seconds": 1}
    return json.dumps({**head, "crop": crop, "nerface_track": "t.json", "camera_path": [frame] * 3}).encode()


def _packet() -> bytes:
    """A packet of the Live Link Face app."""
    text = b"".join(struct.pack(">i", len(word)) + word for word in (b"DEVICE", b"phone"))
    return bytes([6]) + text + struct.pack(">ifii", 3, 0.5, 60, 1) + bytes([61]) + struct.pack(">61f", *[0.1] * 61)


def _picture(kind: str, mode: str = "RGB") -> bytes:
    noise = np.random.default_rng(0).integers(0, 255, (12, 16, 4 if mode == "RGBA" else 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise, mode).save(buffer, kind)
    return buffer.getvalue()


def _read_picture(path: Path) -> None:
    from nerface_ns.data.derived_masks import mask_of
    from nerface_ns.data.face_frames import read_image_size
    from nerface_ns.data.frame_store import decode_frame
    from nerface_ns.model_components.background import read_photograph

    for read in (
        read_image_size,
        lambda name: decode_frame(name, None, 6, 8),
        lambda name: mask_of(name, "alpha"),
        lambda name: read_photograph(name, (6, 8)),
    ):
        try:
            read(path)
        except (ValueError, FileNotFoundError):
            continue


def _saved(write: Callable[[Any], Any]) -> bytes:
    buffer = io.BytesIO()
    write(buffer)
    return buffer.getvalue()


def _read_avatar(path: Path) -> Any:
    """Read an avatar, build its model and render a picture."""
    from nerface_ns.avatar.avatar_model import load_avatar
    from nerface_ns.avatar.exported_avatar import thumbnail_of

    return thumbnail_of(load_avatar(path))


def _read_pt(path: Path) -> None:
    """Read a file of torch.save in all the ways the project does."""
    from nerface_ns.data.adnerf_coefficients import read_coefficients
    from nerface_ns.data.flame.metrical_layout import _load
    from nerface_ns.engine.checkpoint_file import read_checkpoint
    from nerface_ns.original.original_checkpoint import read_original_checkpoint

    for read in (
        lambda name: read_coefficients(name.parent, "track_params.pt", ["0", "1"]),
        read_checkpoint,
        read_original_checkpoint,
        _load,
    ):
        try:
            read(path)
        except (ValueError, FileNotFoundError):
            continue


def _state_json(folder: Path) -> bytes:
    """What `nerface-fit` found in a photo."""
    from nerface_ns.tracks.fitted_state import FittedState, write_state

    pose, numbers = np.eye(4)[:3], np.array([0.1, 0.2])
    lens = {"focal_px": (20.0, 20.0), "center_px": (8.0, 6.0), "size": (12, 16)}
    state = FittedState(("a", "b"), numbers, numbers, pose, run="ab" * 16, gaze=numbers, identity={"x": 1.0}, **lens)
    write_state(folder / "state.json", state)
    return (folder / "state.json").read_bytes()


def _parsings() -> list[bytes]:
    """A face parser's labels, and parts of a head by colour."""
    labels = (np.arange(12 * 16) % 19).astype(np.uint8).reshape(12, 16)
    colours = np.array([[255, 255, 255], [0, 0, 255], [0, 255, 0], [255, 0, 0]], dtype=np.uint8)[labels % 4]
    return [_saved(lambda file, part=part: Image.fromarray(part).save(file, "PNG")) for part in (labels, colours)]


def all_readers(folder: Path) -> list[Reader]:
    """Return every reader; avatars to begin from are made in a folder."""
    from nerface_ns.data.adnerf_coefficients import read_action_units
    from nerface_ns.data.flame.flame_recording import read_arrays
    from nerface_ns.data.index_map import read_index_map
    from nerface_ns.data.named_splits import read_split_file
    from nerface_ns.data.region_labels import read_regions
    from nerface_ns.rendering.camera_path_file import read_camera_path
    from nerface_ns.tracks.fitted_state import read_state
    from nerface_ns.tracks.live_link import parse_live_link_packet
    from nerface_ns.tracks.track_file import read_track

    avatars = [made_up_avatar(folder, kind) for kind in ("grid", "paper", "siren", "tables", "refined")]
    pictures = [_picture("PNG"), _picture("PNG", "RGBA"), _picture("JPEG"), _picture("GIF")]
    frames = {f"f_{number}.png": pictures[0] for number in range(3)}
    table = np.array([[0, 1], [1, 0], [2, -1]])
    savers = (np.savez, np.savez_compressed)
    arrays = [_saved(lambda file, save=save: save(file, a=table / 3, b=np.ones((2, 5)))) for save in savers]
    tensors = {"exp": torch.rand(2, 4), "step": 3, "pipeline": {}, "optimizers": {}}
    evil = _saved(lambda file: torch.save({"exp": Called()}, file))
    old = _saved(lambda file: torch.save(tensors, file, _use_new_zipfile_serialization=False))
    csv = b"time_s,jawOpen,smile\n0.0,0.1,0.2\n0.04,0.2,0.3\n0.08,0.1,0.1\n"
    link = b"Timecode,BlendshapeCount,EyeBlinkLeft,JawOpen\n" + b"".join(
        b"10:00:00:%02d.0,61,0.1,0.2\n" % number for number in range(3)
    )
    units = b"frame, AU01_r, AU12_r\n1, 0.5, 0.2\n2, 0.1, 0.3\n"
    splits = json.dumps({"train": ["f_0", "f_1"], "validation": ["f_2"], "test": ["f_3", 4]}).encode()
    plain = _saved(lambda file: np.save(file, table))
    objects = _saved(lambda file: np.save(file, np.array([Called()], dtype=object), allow_pickle=True))
    return [
        Reader("avatar", "a.nerface", avatars, _read_avatar, {}),
        Reader("frames_json", "transforms_train.json", [_frames_json()], _read_frames, frames),
        Reader("track_json", "t.json", [_track_json()], read_track, {}),
        Reader("track_csv", "t.csv", [csv], read_track, {}),
        Reader("live_link_csv", "t.csv", [link], read_track, {}),
        Reader("camera_path", "p.json", [_camera_path()], read_camera_path, {}),
        Reader("udp_packet", "packet", [_packet()], lambda path: parse_live_link_packet(path.read_bytes()), {}),
        Reader("picture", "p.png", pictures, _read_picture, {}),
        Reader("npy", "index_map.npy", [plain, objects], lambda path: read_index_map(path, 2), {}),
        Reader("npz", "a.npz", arrays, lambda path: read_arrays(path, ("a",), ("b",)), {}),
        Reader("pt", "track_params.pt", [_saved(lambda f: torch.save(tensors, f)), old, evil], _read_pt, {}),
        Reader("action_units_csv", "au.csv", [units], lambda path: read_action_units(path, ["0", "1"]), {}),
        Reader("split_json", "split.json", [splits], read_split_file, {}),
        Reader("parsing", "p.png", _parsings(), read_regions, {}),
        Reader("state_json", "state.json", [_state_json(folder)], read_state, {}),
    ]
