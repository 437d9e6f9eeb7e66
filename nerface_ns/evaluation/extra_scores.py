"""Scores beside PSNR, SSIM, L1 and LPIPS: L2, MS-SSIM, sharpness, flicker, landmarks, each by region."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from nerface_ns.evaluation.split_scores import RenderedFrame
from nerface_ns.model_components.image_metrics import SSIM_WINDOW, box_to_pixel_slices
from nerface_ns.model_components.sharpness import cpbd

EXTRA_METRICS = ("l2", "ms_ssim", "cpbd", "cpbd_truth", "flicker", "landmarks")
"""Names, in the order in which they are reported."""
MS_SSIM_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Weights of the five scales (Wang, Simoncelli and Bovik 2003). Pictures too small for all of them take as many as they
can, the weights scaled to a sum of 1."""
LEAST_SCALES = 2
"""Fewer than these are no MS-SSIM."""

ExtraFigures = dict[str, float | None]
"""Keys of `EXTRA_METRICS`; None where a figure cannot be had."""
LandmarkFinder = Callable[[np.ndarray], np.ndarray | None]
"""Returns the (points, 2) pixels of landmarks in an image of colours in [0, 1], None where it finds no face."""


def ms_ssim(render: Float[Tensor, "height width 3"], truth: Float[Tensor, "height width 3"]) -> float | None:
    """Return the multi-scale structural similarity; None for pictures too small for two scales."""
    side = min(truth.shape[:2])
    # The window has to fit the coarsest scale, and torchmetrics wants as much of the square of their number as well.
    scales = sum(side // max(2**scale, scale**2) >= SSIM_WINDOW for scale in range(len(MS_SSIM_WEIGHTS)))
    if scales < LEAST_SCALES:
        return None
    from torchmetrics.functional.image import multiscale_structural_similarity_index_measure

    betas = tuple(weight / sum(MS_SSIM_WEIGHTS[:scales]) for weight in MS_SSIM_WEIGHTS[:scales])
    first, second = (image.permute(2, 0, 1)[None].float() for image in (render, truth))
    score = multiscale_structural_similarity_index_measure(
        first,
        second,
        sigma=1.5,
        kernel_size=SSIM_WINDOW,
        data_range=1.0,
        betas=betas,
        normalize="relu",
    )
    return float(score)


@dataclass
class ExtraScores:
    """Collects one split's figures, frame after frame in the recorded order."""

    find_landmarks: LandmarkFinder | None = None
    """Finds landmarks where their distance is wanted."""
    frame_names: list[str] = field(default_factory=list)
    """Names of the frames."""
    frames: list[dict[str, ExtraFigures]] = field(default_factory=list)
    """Figures by region, one entry per frame."""
    _last: tuple[Tensor, Tensor] | None = None

    def add(self, frame: RenderedFrame, masks: Mapping[str, Bool[np.ndarray, "height width"]]) -> None:
        """Take up a frame.

        Args:
            frame: The next frame.
            masks: Regions of any shape, such as those of a parsing.
        """
        render, truth = frame.outputs["rgb"].float().clamp(0, 1).cpu(), frame.truth.float().cpu()
        regions = pixel_regions(frame, masks)
        change = None
        if self._last is not None and self._last[0].shape == render.shape:
            change = ((render - self._last[0]) - (truth - self._last[1])).abs().mean(dim=-1)
        figures = {name: _region_figures(render, truth, inside, change) for name, inside in regions.items()}
        if self.find_landmarks is not None:
            figures["full"]["landmarks"] = landmark_distance(render.numpy(), truth.numpy(), self.find_landmarks)
        self.frame_names.append(frame.name)
        self.frames.append(figures)
        self._last = render, truth

    def mean(self) -> dict[str, ExtraFigures]:
        """Return every region's figures, each averaged over the frames that have it."""
        names = dict.fromkeys(name for figures in self.frames for name in figures)
        return {
            name: {
                metric: _mean([one[name].get(metric) for one in self.frames if name in one]) for metric in EXTRA_METRICS
            }
            for name in names
        }


def _mean(values: Sequence[float | None]) -> float | None:
    there = [value for value in values if value is not None]
    return sum(there) / len(there) if there else None


def pixel_regions(
    frame: RenderedFrame, masks: Mapping[str, Bool[np.ndarray, "height width"]]
) -> dict[str, Bool[np.ndarray, "height width"]]:
    """Return which pixels each region of a frame holds; regions without any are left out."""
    height, width = frame.truth.shape[:2]
    regions = {"full": np.ones((height, width), dtype=bool)}
    for name, box in frame.boxes.items():
        inside = np.zeros((height, width), dtype=bool)
        inside[box_to_pixel_slices(box, height, width)] = True
        regions[name] = inside
    if frame.alpha is not None:
        regions["mask"] = (frame.alpha[..., 0] > 0.5).cpu().numpy()
    return {name: inside for name, inside in {**masks, **regions}.items() if inside.any()}


def _region_figures(
    render: Float[Tensor, "height width 3"],
    truth: Float[Tensor, "height width 3"],
    inside: Bool[np.ndarray, "height width"],
    change: Float[Tensor, "height width"] | None,
) -> ExtraFigures:
    """Figures of one region.

    L2 and flicker run over its pixels; MS-SSIM and CPBD need a rectangle and take the one around it, in which pixels
    outside the region are the truth's in both pictures.
    """
    where = torch.from_numpy(inside)
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    shown = torch.where(where[..., None], render, truth)[box]
    return {
        "l2": float((render - truth)[where].square().mean()),
        "ms_ssim": ms_ssim(shown, truth[box]),
        "cpbd": cpbd(shown.numpy()),
        "cpbd_truth": cpbd(truth[box].numpy()),
        "flicker": None if change is None else float(change[where].mean()),
        "landmarks": None,
    }


def landmark_distance(
    render: Float[np.ndarray, "height width 3"], truth: Float[np.ndarray, "height width 3"], find: LandmarkFinder
) -> float | None:
    """Return the mean distance of a render's landmarks from the truth's, in percent of the image's height.

    None where either shows no face.
    """
    first, second = find(render), find(truth)
    if first is None or second is None:
        return None
    return float(np.linalg.norm(first - second, axis=1).mean() * 100 / truth.shape[0])


@contextmanager
def mediapipe_landmarks(model: Path | None = None) -> Iterator[LandmarkFinder]:
    """Hold MediaPipe's landmarker, which the tracking extra brings.

    Args:
        model: The landmarker's file; the cached or fetched one without it.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: MediaPipe is not installed or cannot use the file.
    """
    from nerface_ns.tracking.face_finder import FaceFinder, load_mediapipe
    from nerface_ns.tracking.model_file import landmarker_file

    load_mediapipe()
    finder = FaceFinder(landmarker_file(model))

    def find(image: Float[np.ndarray, "height width 3"]) -> Float[np.ndarray, "points 2"] | None:
        """Return the first face's landmarks in pixels; None where there is no face."""
        picture = np.ascontiguousarray((image.clip(0, 1) * 255).round().astype(np.uint8))
        found = finder.find(picture).landmarks_px
        return found[0][:, :2].astype(np.float64) if len(found) else None

    try:
        yield find
    finally:
        finder.close()
