"""First stage: landmarks of every face in every frame of a clip, kept in pieces."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from queue import SimpleQueue
from typing import Any

import numpy as np

from nerface_ns.tracking.stage_store import StageStore
from nerface_ns.tracking.video_decoder import ClipFrame, VideoClip, decode_clip

PIECE_FRAMES = 200
"""Frames after which results are stored, so that an interrupted run loses no more."""
THREADS = 2
"""Frames looked at at once, each by a finder of its own: the networks run on one core each."""

Progress = Callable[[str, int, int | None], None]
"""Called with a stage's name, the frames done and, where known, all of them."""


@dataclass(frozen=True)
class FoundLandmarks:
    """All faces of a clip."""

    ticks: np.ndarray
    """(n,) places of the frames on the clip's time scale."""
    frame_of_face: np.ndarray
    """(m,) frame of every face."""
    landmarks_px: np.ndarray
    """(m, 478, 3) float32 in the decoded frame."""
    blendshapes: np.ndarray
    """(m, k) float32."""
    names: tuple[str, ...]
    """Blendshapes' names."""
    frame_size: tuple[int, int]
    """Height and width of the decoded frames."""


def find_landmarks(
    clip: VideoClip, make_finder: Callable[[], Any], store: StageStore, key: str, progress: Progress, total: int | None
) -> FoundLandmarks:
    """Find faces, frame by frame, or load what an earlier run found.

    Args:
        clip: What to decode.
        make_finder: Makes a `FaceFinder`; not called when everything is there already.
        store: Where pieces are kept.
        key: What they depend on.
        progress: Told of every frame.
        total: Frames expected.

    Raises:
        ValueError: The video cannot be decoded, or changes its size.
    """
    whole = store.load("landmarks", key)
    if whole is None:
        pieces = list(_pieces(clip, make_finder, store, key, progress, total))
        whole = _joined(pieces)
        store.save("landmarks", key, **whole)
        for number in range(len(pieces)):
            (store.folder / f"{_piece_name(number)}.npz").unlink(missing_ok=True)
    return FoundLandmarks(
        ticks=whole["ticks"],
        frame_of_face=whole["frame_of_face"],
        landmarks_px=whole["landmarks_px"],
        blendshapes=whole["blendshapes"],
        names=tuple(whole["names"].tolist()),
        frame_size=(int(whole["frame_size"][0]), int(whole["frame_size"][1])),
    )


def _piece_name(number: int) -> str:
    return f"landmarks_{number:04d}"


def _pieces(
    clip: VideoClip, make_finder: Callable[[], Any], store: StageStore, key: str, progress: Progress, total: int | None
) -> Iterator[dict[str, np.ndarray]]:
    frames, known = decode_clip(clip), 0
    number, finders = 0, []
    while True:
        piece = store.load(_piece_name(number), key)
        if piece is not None:
            # Known already: decoded only to get past it.
            for _ in islice(frames, len(piece["ticks"])):
                pass
        else:
            finders = finders or [make_finder() for _ in range(THREADS)]
            rows = []
            for row in _looked_at(islice(frames, PIECE_FRAMES), finders):
                rows.append(row)
                progress("landmarks", known + len(rows), total)
            if not rows:
                break
            names = next((finder.names for finder in finders if finder.names), ())
            piece = _packed(clip, rows, names)
            store.save(_piece_name(number), key, **piece)
        yield piece
        known += len(piece["ticks"])
        number += 1
    for finder in finders:
        if hasattr(finder, "close"):
            finder.close()


def _looked_at(frames: Iterator[ClipFrame], finders: list[Any]) -> Iterator[tuple[int, tuple[int, ...], Any]]:
    """Tick, size and faces of every frame, in order."""
    idle: SimpleQueue[Any] = SimpleQueue()
    for finder in finders:
        idle.put(finder)

    def look(frame: ClipFrame) -> tuple[int, tuple[int, ...], Any]:
        """Find the faces in a frame with a finder that is idle."""
        finder = idle.get()
        try:
            image = frame.image()
            return frame.tick, image.shape[:2], finder.find(image)
        finally:
            idle.put(finder)

    with ThreadPoolExecutor(len(finders)) as pool:
        waiting: deque[Any] = deque()
        for frame in frames:
            waiting.append(pool.submit(look, frame))
            # Few at once, so that frames do not pile up.
            if len(waiting) > 2 * len(finders):
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _packed(clip: VideoClip, rows: list, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Arrays of a piece; frames count from its first."""
    sizes = {size for _, size, _ in rows}
    if len(sizes) > 1:
        raise ValueError(
            f"{clip.path}: expected frames of one size, got {sorted(sizes)}; cut the video where it changes"
        )
    counts = [len(found.landmarks_px) for _, _, found in rows]
    some = [found for _, _, found in rows if len(found.landmarks_px)]
    return {
        "ticks": np.array([tick for tick, _, _ in rows]),
        "frame_of_face": np.repeat(np.arange(len(rows)), counts),
        "landmarks_px": np.concatenate([found.landmarks_px for found in some] or [np.zeros((0, 478, 3), np.float32)]),
        "blendshapes": np.concatenate([found.blendshapes for found in some] or [np.zeros((0, 0), np.float32)]),
        "names": np.array(names, dtype=str),
        "frame_size": np.array(rows[0][1]),
    }


def _joined(pieces: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """All pieces as one; those without a face have no names."""
    some = [piece for piece in pieces if len(piece["frame_of_face"])] or pieces[:1]
    starts = np.cumsum([0] + [len(piece["ticks"]) for piece in pieces])
    faces = [piece["frame_of_face"] + start for piece, start in zip(pieces, starts)]
    return {
        "ticks": np.concatenate([piece["ticks"] for piece in pieces]),
        "frame_of_face": np.concatenate(faces),
        "landmarks_px": np.concatenate([piece["landmarks_px"] for piece in some]),
        "blendshapes": np.concatenate([piece["blendshapes"] for piece in some]),
        "names": some[0]["names"],
        "frame_size": pieces[0]["frame_size"],
    }
