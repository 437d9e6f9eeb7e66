"""Images and mattes of a dataset folder: where they lie, and which of an earlier run still hold."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from nerface_ns.tracking.dataset_files import BACKGROUND_FILE, SEEN_FILE, SPLITS, frame_name
from nerface_ns.tracking.head_track import HeadTrack
from nerface_ns.tracking.stage_store import StageStore

FRAME_FILE = re.compile(r"f_\d{5,}\.png(\.part)?")


class PictureFolder:
    """Paths of the pictures; pictures made from something else are removed, those in another split moved.

    Args:
        root: The dataset.
        store: Where it is kept what the pictures were made from.
    """

    def __init__(self, root: Path, store: StageStore) -> None:
        self.root, self.store, self.key = root, store, ""

    def prepare(self, track: HeadTrack, splits: list[str], key: str) -> list[Path]:
        """Return the images' paths."""
        self.key = key
        return self._settle("images", self.root, track, splits, key)

    def mattes(self, track: HeadTrack, splits: list[str], key: str) -> list[Path]:
        """Return the mattes' paths."""
        is_kept = self.store.load("mattes", key) is not None
        if not is_kept:
            for name in (BACKGROUND_FILE, SEEN_FILE):
                (self.root / name).unlink(missing_ok=True)
        return self._settle("mattes", self.root / "masks", track, splits, key)

    def _settle(self, name: str, folder: Path, track: HeadTrack, splits: list[str], key: str) -> list[Path]:
        wanted = {
            f"{frame_name(int(tick))}.png": folder / split / f"{frame_name(int(tick))}.png"
            for tick, split in zip(track.ticks, splits)
        }
        is_kept = self.store.load(name, key) is not None
        for split in SPLITS:
            for file in sorted((folder / split).glob("f_*.png*")):
                if not FRAME_FILE.fullmatch(file.name):
                    continue
                target = wanted.get(file.name)
                if not is_kept or target is None:
                    file.unlink()
                elif target != file:
                    target.parent.mkdir(parents=True, exist_ok=True)
                    file.replace(target)
        self.store.save(name, key, count=np.array(len(wanted)))
        return list(wanted.values())
