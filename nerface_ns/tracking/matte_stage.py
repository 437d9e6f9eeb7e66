"""Last stage of the pictures: mattes of all frames and the background photograph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from nerface_ns.tracking.background_statistics import BackgroundStatistics, background_statistics, complete_background
from nerface_ns.tracking.matte_seeds import MatteSeeds, matte_seeds
from nerface_ns.tracking.person_matte import cut_size, first_cut, informed_cut, reduced, soft_alpha
from nerface_ns.tracking.whole_image import read_image, write_image

FIRST_CUTS = 48
"""Frames, evenly spread, that are cut before the background is known."""
COVER_MARGIN = 0.015
"""Room round a cut that may still be the person's, in image heights."""
THREADS = 2
"""Frames cut at once."""
PersonProbability = Callable[[np.ndarray], np.ndarray]
"""A network: from an RGB image to the probability of a person at every pixel."""


@dataclass
class MatteFrame:
    """One frame to be cut."""

    image: Path
    """The written image."""
    alpha: Path
    """Where its matte goes."""
    landmarks_px: np.ndarray
    """(478, d) landmarks in the image."""


@dataclass
class KnownBackground:
    """What the first cuts tell."""

    small: BackgroundStatistics
    """At cutting size."""
    full: BackgroundStatistics
    """At the images' size."""
    usual: np.ndarray
    """Share of the first cuts that covered each pixel."""


def know_background(frames: Sequence[MatteFrame], segmenter: PersonProbability | None) -> KnownBackground:
    """Cut some frames alone and take the background from what they leave uncovered, twice: then with better cuts."""
    rows = np.unique(np.linspace(0, len(frames) - 1, FIRST_CUTS).round().astype(int))
    chosen = [frames[row] for row in rows]
    images = np.stack([read_image(frame.image) for frame in chosen])
    height, width, scale = cut_size(*images.shape[1:3])
    small = np.stack([reduced(image, height, width) for image in images])
    seeds = [matte_seeds(frame.landmarks_px[:, :2] * scale, height, width) for frame in chosen]
    people = [_person(segmenter, image, height, width) for image in images]
    with ThreadPoolExecutor(THREADS) as pool:
        cuts = np.stack(list(pool.map(first_cut, small, seeds, people)))
        usual = cuts.mean(axis=0).astype(np.float32)
        statistics = background_statistics(small, _grown(cuts, cuts.shape[1:]))

        def again(image: np.ndarray, seed: MatteSeeds, person: np.ndarray | None) -> np.ndarray:
            """Cut a frame once more, knowing the background."""
            return informed_cut(image, seed, statistics, usual, person)

        better = np.stack(list(pool.map(again, small, seeds, people)))
    full = background_statistics(images, _grown(better, images.shape[1:3]))
    small_better = background_statistics(small, _grown(better, small.shape[1:3]))
    return KnownBackground(small_better, full, better.mean(axis=0).astype(np.float32))


def write_mattes(
    frames: Sequence[MatteFrame],
    background: KnownBackground,
    segmenter: PersonProbability | None,
    done: Callable[[int], None],
) -> None:
    """Cut every frame that has no matte yet.

    Raises:
        ValueError: An image cannot be read or a matte not be written.
    """

    def cut(frame: MatteFrame) -> None:
        """Write a frame's matte, unless it is there."""
        if not frame.alpha.is_file():
            write_image(frame.alpha, _alpha(frame, background, segmenter))

    with ThreadPoolExecutor(THREADS) as pool:
        for index, _ in enumerate(pool.map(cut, frames)):
            done(index + 1)


def background_picture(background: KnownBackground) -> np.ndarray:
    """The background photograph, holes filled."""
    return complete_background(background.full)


def _alpha(frame: MatteFrame, background: KnownBackground, segmenter: PersonProbability | None) -> np.ndarray:
    image = read_image(frame.image)
    height, width, scale = cut_size(*image.shape[:2])
    seeds = matte_seeds(frame.landmarks_px[:, :2] * scale, height, width)
    person = _person(segmenter, image, height, width)
    mask = informed_cut(reduced(image, height, width), seeds, background.small, background.usual, person)
    return soft_alpha(image, mask, background.full)


def _person(segmenter: PersonProbability | None, image: np.ndarray, height: int, width: int) -> np.ndarray | None:
    return None if segmenter is None else reduced(segmenter(image), height, width)


def _grown(cuts: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """(n, height, width) where the person may be, with some room, at another size."""
    height, width = size
    radius = max(1, round(COVER_MARGIN * height))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    wide = [cv2.resize(cut.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR) > 0.25 for cut in cuts]
    return np.stack([cv2.dilate(mask.astype(np.uint8), kernel) > 0 for mask in wide])
