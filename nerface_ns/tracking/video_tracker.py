"""From a video to a dataset: all stages, each kept, so that a run that was interrupted goes on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from nerface_ns.tracking.canonical_face import read_canonical_face
from nerface_ns.tracking.dataset_files import (
    BACKGROUND_FILE,
    SEEN_FILE,
    frame_name,
    split_of_frames,
    write_expression_track,
    write_frame_files,
)
from nerface_ns.tracking.face_finder import FaceFinder
from nerface_ns.tracking.found_landmarks import Progress, find_landmarks
from nerface_ns.tracking.head_track import HeadTrack, track_head
from nerface_ns.tracking.matte_stage import (
    MatteFrame,
    PersonProbability,
    background_picture,
    know_background,
    write_mattes,
)
from nerface_ns.tracking.model_file import file_sha256, landmarker_file
from nerface_ns.tracking.person_segmenter import PersonSegmenter
from nerface_ns.tracking.picture_folder import PictureFolder
from nerface_ns.tracking.preview_video import draw_overlay, write_video
from nerface_ns.tracking.stage_store import StageStore, stage_key
from nerface_ns.tracking.track_report import figures, warnings, write_frame_table, write_report
from nerface_ns.tracking.tracking_config import TrackingConfig
from nerface_ns.tracking.video_decoder import ClipFrame, VideoClip, clip_rate, decode_clip, video_facts
from nerface_ns.tracking.whole_image import read_grey, read_image, write_image

STORE_FOLDER = ".tracking"
VERSION = 1
"""Grows when stages compute something else, so that kept results of older code are not taken."""


def track_video(
    clip: VideoClip,
    output_dir: Path,
    config: TrackingConfig,
    progress: Progress,
    make_finder: Callable[[Path], Any] = FaceFinder,
) -> dict[str, Any]:
    """Track a clip and write the dataset.

    Args:
        clip: Part of a video.
        output_dir: Folder of the dataset; what an earlier run of the same clip left there is taken up.
        config: Settings.
        progress: Told how stages go on.
        make_finder: Makes the face finder from the model's path.

    Returns:
        Figures of the result, with its warnings under "warnings".

    Raises:
        FileNotFoundError: The video or a model is not there.
        ValueError: The video cannot be used, or something cannot be written.
    """
    started = time.monotonic()
    # What the video is comes before any model is fetched.
    rate, total = clip_rate(clip), _expected_frames(clip)
    model = landmarker_file(config.landmarker)
    canonical = read_canonical_face(model)
    segmenter = None if config.segmenter is None or not config.matte else PersonSegmenter(config.segmenter).person
    store = StageStore(output_dir / STORE_FOLDER)
    key = stage_key(VERSION, _clip_identity(clip), file_sha256(model))
    found = find_landmarks(clip, lambda: make_finder(model), store, key, progress, total)
    progress("head motion", 0, 1)
    track = track_head(found, canonical, rate, config.size, config.faces, config.bundle_adjustment, str(clip.path))
    progress("head motion", 1, 1)
    splits = split_of_frames(len(track.ticks), config.test_share, config.num_val)
    pictures = PictureFolder(output_dir, store)
    paths = pictures.prepare(track, splits, stage_key(key, asdict(track.crop)))
    _write_images(clip, track, paths, progress)
    mattes, seen_share = None, None
    if config.matte:
        mattes = pictures.mattes(
            track, splits, stage_key(pictures.key, config.faces, track.ticks.tolist(), _file_identity(config.segmenter))
        )
        seen_share = _write_mattes(output_dir, track, paths, mattes, segmenter, progress)
    write_frame_files(output_dir, track, splits)
    write_expression_track(output_dir / "track.json", track, splits, clip.path.absolute(), rate, clip.start_s)
    store.save("head", key, **_head_arrays(track))
    if config.preview:
        write_video(output_dir / "preview.mp4", _overlays(track, paths, mattes, progress), rate)
    facts = figures(track, len(found.ticks), seen_share)
    notes = warnings(facts)
    write_report(output_dir, f"{clip.path.name}: tracked head", track, facts, notes, rate)
    write_frame_table(output_dir, track, splits, rate)
    facts["seconds"] = time.monotonic() - started
    facts["frames_per_s"] = len(found.ticks) / facts["seconds"]
    facts["warnings"] = notes
    return facts


def _expected_frames(clip: VideoClip) -> int | None:
    """Frames that a clip should have."""
    duration_s = video_facts(clip.path).duration_s
    if duration_s is None:
        return clip.max_frames
    length_s = min(duration_s, duration_s if clip.end_s is None else clip.end_s) - clip.start_s
    count = max(1, round(length_s * clip_rate(clip)))
    return count if clip.max_frames is None else min(count, clip.max_frames)


def _clip_identity(clip: VideoClip) -> dict[str, Any]:
    identity = asdict(clip)
    identity["path"] = _file_identity(clip.path)
    return identity


def _file_identity(path: Path | None) -> list[Any] | None:
    """What tells a file from others without reading it."""
    if path is None:
        return None
    facts = path.stat()
    return [path.name, facts.st_size, facts.st_mtime_ns]


def _write_images(clip: VideoClip, track: HeadTrack, paths: list[Path], progress: Progress) -> None:
    """Cut the images out of the video, those that are not there yet."""
    wanted = {int(tick): path for tick, path in zip(track.ticks, paths) if not path.is_file()}
    done = len(paths) - len(wanted)
    if not wanted:
        progress("images", done, len(paths))
        return

    def write(path: Path, frame: ClipFrame) -> None:
        """Write a frame as the crop shows it."""
        write_image(path, track.crop.apply(frame.image()))

    with ThreadPoolExecutor(2) as pool:
        waiting = []
        for frame in decode_clip(clip):
            path = wanted.pop(frame.tick, None)
            if path is not None:
                waiting.append(pool.submit(write, path, frame))
            # Few at once, so that frames do not pile up, and errors show soon.
            while len(waiting) > 8 or (waiting and not wanted):
                waiting.pop(0).result()
                done += 1
                progress("images", done, len(paths))
            if not wanted:
                break


def _write_mattes(
    output_dir: Path,
    track: HeadTrack,
    paths: list[Path],
    mattes: list[Path],
    segmenter: PersonProbability | None,
    progress: Progress,
) -> float:
    """Write mattes and background; return the share of the background that was seen."""
    seen_path = output_dir / SEEN_FILE
    if seen_path.is_file() and (output_dir / BACKGROUND_FILE).is_file() and all(path.is_file() for path in mattes):
        progress("matte", len(mattes), len(mattes))
        return float((read_grey(seen_path) > 0).mean())
    frames = [MatteFrame(*entry) for entry in zip(paths, mattes, track.landmarks_px)]
    progress("matte", 0, len(frames))
    background = know_background(frames, segmenter)
    write_mattes(frames, background, segmenter, lambda done: progress("matte", done, len(frames)))
    write_image(output_dir / BACKGROUND_FILE, background_picture(background))
    write_image(seen_path, (255 * background.full.is_seen).astype(np.uint8))
    return float(background.full.is_seen.mean())


def _overlays(
    track: HeadTrack, paths: list[Path], mattes: list[Path] | None, progress: Progress
) -> Iterator[np.ndarray]:
    """Pictures of the preview, drawn ahead of the encoder."""

    def draw(row: int) -> np.ndarray:
        """Return a frame with what was found drawn over it."""
        alpha = None if mattes is None else read_grey(mattes[row])
        return draw_overlay(read_image(paths[row]), track, row, alpha)

    with ThreadPoolExecutor(2) as pool:
        waiting = []
        for row in range(len(paths)):
            waiting.append(pool.submit(draw, row))
            if len(waiting) > 8:
                yield waiting.pop(0).result()
                progress("preview", row + 1, len(paths))
        for picture in waiting:
            yield picture.result()
        progress("preview", len(paths), len(paths))


def _head_arrays(track: HeadTrack) -> dict[str, np.ndarray]:
    """What the fit found, for later looks: poses in cm, shape and every frame's reprojection error."""
    return {
        "names": np.array([frame_name(int(tick)) for tick in track.ticks]),
        "rotation": track.fit.rotation,
        "translation_cm": track.fit.translation,
        "shape_cm": track.fit.shape,
        "reprojection_px": track.error_px,
        "landmarks_px": track.landmarks_px.astype(np.float32),
    }
