"""NeRFBlendShape's layout: one person's video with tracked blendshape coefficients (Gao et al., SIGGRAPH Asia 2022)."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional, Type

import numpy as np

from nerface_ns.data.dataparsers.face_dataparser import FaceDataParser, FaceDataParserConfig
from nerface_ns.data.derived_masks import derive_masks
from nerface_ns.data.face_frames import FaceFrames, FaceSequence, read_image_size
from nerface_ns.data.frame_json import as_numbers, read_json_object, require_frames, require_key
from nerface_ns.data.frame_store import decode_frame
from nerface_ns.data.landmark_boxes import face_boxes_of, read_all_landmarks, region_boxes_of
from nerface_ns.data.recorded_splits import recorded_times, split_last, split_last_only
from nerface_ns.data.world_placement import place_head_at_origin

MAX_PX = 1e6
"""Largest length in pixels."""
MAX_IMAGE_NUMBER = 999_999_999
"""Longer numbers make no file name."""
FRAME_FILE = "transforms.json"
"""The one file that lists all frames."""

IMAGE_FOLDERS = ("head_imgs", "ori_imgs")
"""Tried in this order: the head before the background, which the method is trained on, then the whole picture."""


@dataclass
class NeRFBlendShapeDataParserConfig(FaceDataParserConfig):
    """NeRFBlendShape's layout with any number of coefficients; frames are taken in order of `img_id`."""

    _target: Type = field(default_factory=lambda: NeRFBlendShapeDataParser)
    """Target class to instantiate."""
    num_test_frames: int = 500
    """Number of last frames that make the test split (the paper, 500)."""
    test_start: Optional[int] = None
    """First frame of the test split instead, in order of `img_id`: from 0, or negative from the end, as the release's
    `--test_start -500` counts. None leaves it to `num_test_frames`."""
    num_val_frames: int = 8
    """Frames held out for validation, spread over the training part; 0 trains on all of them and validates on every
    70th test frame, as the release does."""
    image_folder: Optional[str] = None
    """Folder of the images, named by `img_id`; None takes `head_imgs`, else `ori_imgs`, which alone show the torso."""
    use_masks: bool = True
    """Read `parsing/<img_id>.png` where it is there: pure blue is the head, which `head_imgs` show; all but pure white
    is the person, whom `ori_imgs` show."""
    use_landmarks: bool = True
    """Read `ori_imgs/<img_id>.lms` where it is there, for boxes of face, mouth and eyes."""
    camera_distance: Optional[float] = 0.5
    """Move the head to the origin and scale the world until the training cameras' mean distance is this (NerFace's is
    about 0.5; this format's about 0.35). None keeps the stored world."""


class NeRFBlendShapeDataParser(FaceDataParser):
    """Reads `transforms.json`, images, landmarks, parsing and `bc.jpg`.

    `transform_matrix` is an ordinary OpenGL camera in a world with the head near the origin and y up. The released
    loader permutes that world's axes (x, y, z become z, x, y) and scales it by 0.33; both belong to its field, not to
    the data, so neither is done here. Its rays pass through (i, j), without half a pixel.
    """

    config: NeRFBlendShapeDataParserConfig

    def _read_sequence(self) -> FaceSequence:
        root = self.config.data
        if not root.is_dir():
            raise FileNotFoundError(f"{root}: expected a dataset folder here, found none; set --data")
        frames = self._read_frames(root)
        try:
            everything = {split: list(range(len(frames))) for split in ("train", "val", "test")}
            rows = self._split(len(frames)) if self.split_path(root) is None else everything
        except ValueError as error:
            raise ValueError(f"{frames.source}: {error}; set num_test_frames or test_start") from error
        splits = {split: frames.select(chosen) for split, chosen in rows.items()}
        background = root / "bc.jpg"
        if background.is_file():
            decode_frame(background, None, *read_image_size(background))
        sequence = FaceSequence(
            name=root.resolve().name,
            root=root,
            splits=splits,
            times=recorded_times(
                {split: part.frame_names for split, part in splits.items()},
                extra=() if self.config.num_val_frames > 0 else ("val",),
            ),
            background_filename=background if background.is_file() else None,
        )
        if self.config.camera_distance is not None:
            place_head_at_origin(sequence, self.config.camera_distance)
        return sequence

    def _split(self, num_frames: int) -> dict[str, list[int]]:
        """Rows of the frames by split."""
        num_test, num_val = self.config.num_test_frames, self.config.num_val_frames
        start = self.config.test_start
        if start is not None:
            num_test = -start if start < 0 else num_frames - start
        return split_last_only(num_frames, num_test) if num_val == 0 else split_last(num_frames, num_test, num_val)

    def _read_frames(self, root: Path) -> FaceFrames:
        """All frames in order of their number."""
        path = root / FRAME_FILE
        content = read_json_object(path)
        listed = [(f"{path}: frame {index}", frame) for index, frame in enumerate(require_frames(str(path), content))]
        if not listed:
            raise ValueError(f"{path}: expected at least one frame, got none")
        numbers = [_read_number(where, frame) for where, frame in listed]
        twice = {number for number in numbers if numbers.count(number) > 1} if len(set(numbers)) < len(numbers) else ()
        if twice:
            raise ValueError(f"{path}: expected each img_id once, got {min(twice)} several times")
        order = np.argsort(numbers)
        listed, names = [listed[row] for row in order], [str(numbers[row]) for row in order]
        places = [f"{where} ({name})" for (where, _), name in zip(listed, names)]
        records = [frame for _, frame in listed]
        fx, fy, cx, cy, height, width = _read_camera(path, content)
        landmarks = None
        if self.config.use_landmarks:
            landmarks = read_all_landmarks([root / "ori_imgs" / f"{name}.lms" for name in names], places)
        return FaceFrames(
            source=path,
            frame_names=names,
            image_filenames=[self._image_folder(root) / f"{name}.jpg" for name in names],
            image_size=(height, width),
            camera_to_world=np.stack([_read_array(*item, "transform_matrix", (4, 4)) for item in zip(places, records)]),
            # The format sees pixel (i, j) along (i, j); nerfstudio along (i + 0.5, j + 0.5).
            intrinsics_px=np.tile([fx, fy, cx + 0.5, cy + 0.5], (len(names), 1)),
            expression=_read_expressions(places, records),
            face_boxes=None if landmarks is None else face_boxes_of(landmarks, (height, width)),
            region_boxes={} if landmarks is None else region_boxes_of(landmarks, (height, width)),
            alpha_filenames=self._find_masks(root, names, places),
            parsing_filenames=self._find_parsings(root, names, places),
            landmarks_px=None if landmarks is None else landmarks + 0.5,
        )

    def _image_folder(self, root: Path) -> Path:
        """Folder named, or the first of `IMAGE_FOLDERS` that holds images: `ori_imgs` may hold landmarks alone."""
        if self.config.image_folder is not None:
            return root / self.config.image_folder
        found = [root / name for name in IMAGE_FOLDERS if next((root / name).glob("*.jpg"), None) is not None]
        if not found:
            raise FileNotFoundError(f"{root}: expected images in head_imgs or ori_imgs, found none")
        return found[0]

    def _find_parsings(self, root: Path, names: list[str], places: list[str]) -> list[Path] | None:
        """The parsings: for every frame or, when none is there, none."""
        parsings = [root / "parsing" / f"{name}.png" for name in names]
        missing = [row for row, parsing in enumerate(parsings) if not parsing.is_file()]
        if not self.config.use_masks or len(missing) == len(parsings):
            return None
        if missing:
            raise FileNotFoundError(
                f"{places[missing[0]]}: expected parsing {parsings[missing[0]]} as other frames have theirs, found none"
            )
        return parsings

    def _find_masks(self, root: Path, names: list[str], places: list[str]) -> list[Path] | None:
        """Mattes made of the parsings: for every frame or, when none is there, none."""
        parsings = self._find_parsings(root, names, places)
        if parsings is None:
            return None
        # The released code pulls the opacity to 1 where the parsing is blue; the other colours are AD-NeRF's.
        shows_person = self._image_folder(root).name == "ori_imgs"
        return derive_masks(parsings, "parsing_person" if shows_person else "parsing_head")


def _read_number(where: str, frame: dict[str, Any]) -> int:
    """`img_id`, a whole number that names the frame's files."""
    number = float(as_numbers(where, "img_id", require_key(where, frame, "img_id", "number of the image"), ()))
    if not number.is_integer() or not 0 <= number <= MAX_IMAGE_NUMBER:
        raise ValueError(f"{where}: 'img_id' expected a whole number from 0 to {MAX_IMAGE_NUMBER}, got {number}")
    return int(number)


def _read_array(where: str, frame: dict[str, Any], key: str, shape: tuple[int | None, ...]) -> np.ndarray:
    """Numbers under a key that every frame has."""
    size = "x".join("n" if length is None else str(length) for length in shape)
    return as_numbers(where, key, require_key(where, frame, key, f"{size} numbers"), shape)


def _read_expressions(places: list[str], records: list[dict[str, Any]]) -> np.ndarray:
    """(n, K) coefficients of all frames."""
    rows = [_read_array(where, frame, "exp_ori", (None,)) for where, frame in zip(places, records)]
    for where, row in zip(places, rows):
        if len(row) != len(rows[0]):
            raise ValueError(f"{where}: expected {len(rows[0])} coefficients as in the first frame, got {len(row)}")
    return np.stack(rows).astype(np.float32)


def _read_camera(path: Path, content: dict[str, Any]) -> tuple[float, float, float, float, int, int]:
    """fx, fy, cx, cy in pixels as stored, height and width."""
    keys = ("fx", "fy", "cx", "cy", "h", "w")
    found = [float(as_numbers(str(path), key, require_key(str(path), content, key, "pixels"), ())) for key in keys]
    fx, fy, cx, cy, height, width = found
    if not np.abs(found).max() <= MAX_PX or min(fx, fy, height, width) <= 0:
        raise ValueError(f"{path}: expected fx, fy, h, w > 0 and finite cx, cy in pixels, got {dict(zip(keys, found))}")
    return fx, fy, cx, cy, round(height), round(width)
