"""NerFace's release format: `transforms_{train,val,test}.json` beside image folders."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Optional, Type

import numpy as np

from nerface_ns.data.dataparsers.face_dataparser import FaceDataParser, FaceDataParserConfig
from nerface_ns.data.face_frames import FaceFrames, FaceSequence, read_image_size, stack_records
from nerface_ns.data.frame_json import FrameFile, read_frame_file
from nerface_ns.data.frame_store import decode_frame
from nerface_ns.data.index_map import INDEX_MAP_FILE, read_index_map
from nerface_ns.data.recorded_splits import recorded_times, split_last

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg")
"""Tried in this order where a frame file names an image without its suffix."""

NOVEL_VIEW_SPLIT, NOVEL_VIEW_FILE = "nvs", "transforms_nvs.json"
"""Extra split of views never trained, read when its file is there."""


@dataclass
class NeRFaceDataParserConfig(FaceDataParserConfig):
    """NerFace's release format (Gafni et al., CVPR 2021) with any number of coefficients."""

    _target: Type = field(default_factory=lambda: NeRFaceDataParser)
    """Target class to instantiate."""
    train_file: str = "transforms_train.json"
    """Frame file of the training split, or of all frames when `split` is not "files"."""
    val_file: str = "transforms_val.json"
    """Frame file of the validation split."""
    test_file: str = "transforms_test.json"
    """Frame file of the test split."""
    split: Literal["files", "fraction", "last"] = "files"
    """One file per split; or one file (`transforms.json`, else `train_file`) whose last frames are the test split:
    `test_fraction` of them, or `num_test_frames`."""
    missing_split: Literal["error", "train", "other"] = "error"
    """With `split` "files": when the file for val or test is absent, stop, or use the training frames, or use the
    other of the two."""
    test_fraction: float = 0.15
    """Share of the frames, the last ones, that make the test split when `split` is "fraction"."""
    num_test_frames: int = 1000
    """Number of last frames that make the test split when `split` is "last" (NerFace's release, 1000)."""
    num_val_frames: int = 5
    """Frames held out for validation, spread over the training part, unless `split` is "files" (the release, 5)."""
    background: Optional[Path] = None
    """Background photograph; None takes the one image in `bg/` when that folder is there."""
    use_masks: bool = True
    """Read `masks/<split>/<frame>.png` where they are there."""
    use_parsings: bool = True
    """Know of `parsing/<split>/<frame>.png` where they are there: BiSeNet's labels, or colours as AD-NeRF's."""


class NeRFaceDataParser(FaceDataParser):
    """Reads NerFace's format into ordinary cameras; see `nerface_ns.data.frame_json` for the mirrored world."""

    config: NeRFaceDataParserConfig

    def data_dir(self) -> Path:
        """Folder that holds the frame files.

        Raises:
            FileNotFoundError: It is no folder.
        """
        if not self.config.data.is_dir():
            raise FileNotFoundError(f"{self.config.data}: expected a dataset folder here, found none; set --data")
        return self.config.data

    def _read_sequence(self) -> FaceSequence:
        root = self.data_dir()
        files: dict[str, FrameFile] = {}
        if self.split_path(root) is not None:
            splits = self._read_all(root, files)
        else:
            splits = self._read_by_files(root, files) if self.config.split == "files" else self._read_one(root, files)
        novel_views = root / NOVEL_VIEW_FILE
        if novel_views.is_file():
            files[NOVEL_VIEW_SPLIT] = read_frame_file(novel_views)
            splits[NOVEL_VIEW_SPLIT] = self._to_frames(root, novel_views, files[NOVEL_VIEW_SPLIT])
        names = {split: frames.frame_names for split, frames in splits.items()}
        shared = [split for split in ("val", "test") if split in splits and splits[split] is splits["train"]]
        if "val" not in shared and splits["val"] is splits["test"]:
            shared.append("val")
        times = recorded_times(names, extra=(NOVEL_VIEW_SPLIT, *shared))
        for split in shared:
            times[split] = times["train" if splits[split] is splits["train"] else "test"]
        return FaceSequence(
            name=root.resolve().name,
            root=root,
            splits=splits,
            times=times,
            expression_names=_common_names(root, files),
            background_filename=self._find_background(root),
        )

    def _train_order(self) -> np.ndarray:
        """Places of the training frames in the recording: `index_map.npy` knows them where they were shuffled."""
        path = self._recording.root / INDEX_MAP_FILE
        if self.config.split != "files" or not path.is_file() or self.split_path(self._recording.root) is not None:
            return super()._train_order()
        index_map = read_index_map(path, self.num_recorded_train_frames)
        order = np.empty(self.num_recorded_train_frames)
        recorded = np.flatnonzero(index_map >= 0)
        order[index_map[recorded]] = recorded
        return order

    def _read_by_files(self, root: Path, files: dict[str, FrameFile]) -> dict[str, FaceFrames]:
        """One file per split; an absent val or test as `missing_split` says."""
        config = self.config
        paths = {"train": root / config.train_file, "val": root / config.val_file, "test": root / config.test_file}
        absent = [split for split in ("val", "test") if not paths[split].is_file()]
        if absent and config.missing_split == "error" and paths["train"].is_file():
            raise FileNotFoundError(
                f"{paths[absent[0]]}: expected the frame file of the {absent[0]} split, found none; set missing_split "
                "to 'train' or 'other', or split to 'fraction' or 'last'"
            )
        splits: dict[str, FaceFrames] = {}
        for split, path in paths.items():
            if split not in absent:
                files[split] = read_frame_file(path)
                splits[split] = self._to_frames(root, path, files[split])
        for split in absent:
            other = "test" if split == "val" else "val"
            use_other = config.missing_split == "other" and other not in absent
            splits[split] = splits[other if use_other else "train"]
        return splits

    def _read_all(self, root: Path, files: dict[str, FrameFile]) -> dict[str, FaceFrames]:
        """The frames of all files that are there, for a split file to deal out."""
        config = self.config
        paths = {"train": root / config.train_file, "val": root / config.val_file, "test": root / config.test_file}
        if (root / "transforms.json").is_file():
            paths = {"train": root / "transforms.json"}
        files.update({split: read_frame_file(path) for split, path in paths.items() if path.is_file()})
        if not files:
            raise FileNotFoundError(f"{paths['train']}: expected a frame file here, found none")
        splits = {split: self._to_frames(root, paths[split], file) for split, file in files.items()}
        return {split: splits.get(split) or next(iter(splits.values())) for split in ("train", "val", "test")}

    def _read_one(self, root: Path, files: dict[str, FrameFile]) -> dict[str, FaceFrames]:
        """All frames from one file, the last ones held out."""
        path = root / "transforms.json"
        if not path.is_file():
            path = root / self.config.train_file
        files["train"] = read_frame_file(path)
        frames = self._to_frames(root, path, files["train"])
        num_test = self.config.num_test_frames
        if self.config.split == "fraction":
            num_test = round(self.config.test_fraction * len(frames))
        try:
            rows = split_last(len(frames), num_test, self.config.num_val_frames)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
        return {split: frames.select(chosen) for split, chosen in rows.items()}

    def _to_frames(self, root: Path, path: Path, frame_file: FrameFile) -> FaceFrames:
        """The neutral record of one frame file."""
        fields = stack_records(path, frame_file.frames)
        images = [
            _find_image(root, frame.file_path, f"{path}: frame {index} ({frame.file_path})")
            for index, frame in enumerate(frame_file.frames)
        ]
        height, width = self._stored_size(images[0])
        # The format sees pixel (i, j) along (i, j); nerfstudio along (i + 0.5, j + 0.5).
        cx_px, cy_px = width * frame_file.cx_fraction + 0.5, height * frame_file.cy_fraction + 0.5
        intrinsics = np.tile([frame_file.fx_px, frame_file.fy_px, cx_px, cy_px], (len(images), 1))
        names = [image.relative_to(root).with_suffix("").as_posix() for image in images]
        return FaceFrames(
            source=path,
            frame_names=names,
            image_filenames=images,
            image_size=(height, width),
            intrinsics_px=intrinsics,
            alpha_filenames=self._find_maps(root, path, names, "masks") if self.config.use_masks else None,
            parsing_filenames=self._find_maps(root, path, names, "parsing") if self.config.use_parsings else None,
            **fields,
        )

    def _stored_size(self, image: Path) -> tuple[int, int]:
        """Size of the first image read; every other has to match it."""
        if not hasattr(self, "_first_image_size"):
            self._first_image_size = read_image_size(image)
        return self._first_image_size

    def _find_maps(self, root: Path, path: Path, names: list[str], folder: str) -> list[Path] | None:
        """Mattes or parsings of a split: for every frame or, when none is there, none."""
        masks = [root / folder / f"{name}.png" for name in names]
        missing = [index for index, mask in enumerate(masks) if not mask.is_file()]
        if len(missing) == len(masks):
            return None
        if missing:
            raise FileNotFoundError(
                f"{path}: frame {missing[0]} ({names[missing[0]]}): expected {folder.rstrip('s')} {masks[missing[0]]} "
                "as other frames have theirs, found none"
            )
        return masks

    def _find_background(self, root: Path) -> Path | None:
        """The photograph named, or the only image in `bg/`."""
        background = self.config.background
        if background is None:
            found = sorted(file for file in (root / "bg").glob("*") if file.suffix.lower() in IMAGE_SUFFIXES)
            if not found:
                return None
            if len(found) > 1:
                raise ValueError(f"{root / 'bg'}: expected one background image, got {[file.name for file in found]}")
            background = found[0]
        elif not background.is_absolute() and not background.is_file():
            background = root / background
        decode_frame(background, None, *read_image_size(background))
        return background


def _find_image(root: Path, file_path: str, where: str) -> Path:
    """The image a frame names, with or without its suffix."""
    base = root / file_path
    if base.suffix.lower() in IMAGE_SUFFIXES:
        candidates = [base]
    else:
        candidates = [base.with_name(base.name + suffix) for suffix in IMAGE_SUFFIXES]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    tried = ", ".join(candidate.name for candidate in candidates)
    raise FileNotFoundError(f"{where}: expected an image in {base.parent} named {tried}, found none")


def _common_names(root: Path, files: dict[str, FrameFile]) -> tuple[str, ...] | None:
    """The coefficients' names, which all files that name them must agree on."""
    named = {split: file.expression_names for split, file in files.items() if file.expression_names is not None}
    for split, names in named.items():
        if names != next(iter(named.values())):
            raise ValueError(f"{root}: expected the same expression_names in every frame file, got others in {split}")
    return next(iter(named.values()), None)
