"""Separates the person from a static background, with no network: GrabCut seeded by landmarks and by the background.

First GrabCut alone cuts some frames; what they leave uncovered gives the background's statistics, against which every
frame is then cut. Alpha at the outline follows from the colours on both sides.
"""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Bool, Float32, UInt8

from nerface_ns.tracking.background_statistics import BackgroundStatistics
from nerface_ns.tracking.matte_seeds import MatteSeeds

CUT_SIZE_PX = 192
"""Longer side of the images that are cut."""
SURE_BACKGROUND, SURE_PERSON = 1.6, 6.0
"""Distances from the background, in standard deviations, below and above which a pixel's side is clear."""
BAND_SHARE = 0.02
"""Half width of the band round the outline in which alpha is soft, in image heights."""
MIN_CONTRAST = 30.0
"""Least difference of person and background, of 255, that alpha can be read from."""
LIKELY_PERSON, UNLIKELY_PERSON = 0.9, 0.1
"""Probabilities of a segmenter that decide."""


ALWAYS_PERSON = 0.98
"""Where more than this share of the first cuts has the person and the background is never seen, the person is sure."""


def cut_size(height: int, width: int) -> tuple[int, int, float]:
    """Height, width and scale at which an image is cut."""
    scale = min(1.0, CUT_SIZE_PX / max(height, width))
    return max(8, round(height * scale)), max(8, round(width * scale)), scale


def reduced(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """An image at another, smaller size."""
    if image.shape[:2] == (height, width):
        return image
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA))


def first_cut(
    image: UInt8[np.ndarray, "height width 3"],
    seeds: MatteSeeds,
    person: Float32[np.ndarray, "height width"] | None = None,
) -> Bool[np.ndarray, "height width"]:
    """Cut an image without knowledge of the background.

    Args:
        image: Image at cutting size.
        seeds: What landmarks tell.
        person: A segmenter's probabilities.
    """
    labels = np.where(seeds.likely, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    if person is not None:
        labels = np.where(person > 0.5, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
        labels[person > LIKELY_PERSON] = cv2.GC_FGD
        labels[person < UNLIKELY_PERSON] = cv2.GC_BGD
    labels[seeds.free] = cv2.GC_BGD
    labels[seeds.sure] = cv2.GC_FGD
    return _grab_cut(image, labels, iterations=1)


def informed_cut(
    image: UInt8[np.ndarray, "height width 3"],
    seeds: MatteSeeds,
    background: BackgroundStatistics,
    usual: Float32[np.ndarray, "height width"],
    person: Float32[np.ndarray, "height width"] | None = None,
) -> Bool[np.ndarray, "height width"]:
    """Cut an image against a known background.

    Args:
        image: Image at cutting size.
        seeds: What landmarks tell.
        background: The background at cutting size.
        usual: Share of the first cuts that covered each pixel.
        person: A segmenter's probabilities.
    """
    distance = cv2.blur(background.distance(image), (3, 3))
    labels = np.where(usual > 0.5, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    labels[background.is_seen] = cv2.GC_PR_BGD
    labels[background.is_seen & (distance > (SURE_BACKGROUND + SURE_PERSON) / 2)] = cv2.GC_PR_FGD
    is_near = cv2.dilate(seeds.likely.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool)
    labels[background.is_seen & (distance > SURE_PERSON) & is_near] = cv2.GC_FGD
    labels[background.is_seen & (distance < SURE_BACKGROUND)] = cv2.GC_BGD
    labels[~background.is_seen & (usual > ALWAYS_PERSON)] = cv2.GC_FGD
    if person is not None:
        labels[person > LIKELY_PERSON] = cv2.GC_FGD
        labels[person < UNLIKELY_PERSON] = cv2.GC_BGD
    labels[seeds.sure] = cv2.GC_FGD
    return _with_face(_grab_cut(image, labels, iterations=1), seeds)


def _grab_cut(image: np.ndarray, labels: np.ndarray, iterations: int) -> Bool[np.ndarray, "height width"]:
    """Run GrabCut from labels; the same input gives the same cut."""
    is_person = (labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)
    if is_person.all() or not is_person.any():
        return is_person
    # GrabCut's colour clusters start from OpenCV's random numbers.
    cv2.setRNGSeed(0)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    labels, _, _ = cv2.grabCut(image, labels.copy(), (0, 0, 1, 1), *models, iterations, cv2.GC_INIT_WITH_MASK)
    return (labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)


def _with_face(mask: np.ndarray, seeds: MatteSeeds) -> Bool[np.ndarray, "height width"]:
    """The part that holds the face, small holes closed."""
    _, parts = cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)
    held = np.unique(parts[seeds.sure & mask])
    mask = np.isin(parts, held[held > 0])
    count, holes, figures, _ = cv2.connectedComponentsWithStats((~mask).astype(np.uint8), connectivity=4)
    small = [part for part in range(1, count) if figures[part, cv2.CC_STAT_AREA] < 0.002 * mask.size]
    return mask | np.isin(holes, small)


def soft_alpha(
    image: UInt8[np.ndarray, "height width 3"],
    mask: Bool[np.ndarray, "small_height small_width"],
    background: BackgroundStatistics | None,
) -> UInt8[np.ndarray, "height width"]:
    """Alpha at full size, soft in a band round the cut.

    There alpha is how far the colour lies on the way from the background to the person's colours nearby; where the
    background is unknown or looks like the person, the cut's own outline, guided by the image's edges.

    Args:
        image: Image at full size.
        mask: The cut.
        background: The background at full size.
    """
    height, width = image.shape[:2]
    coarse = cv2.resize(mask.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC).clip(0, 1)
    radius = max(2, round(BAND_SHARE * height))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    hard = (coarse > 0.5).astype(np.uint8)
    inside, outside = cv2.erode(hard, kernel) > 0, cv2.dilate(hard, kernel) == 0
    guided = _guided(image, coarse, radius)
    alpha = guided
    if background is not None:
        picture = image.astype(np.float32)
        window = (4 * radius + 1, 4 * radius + 1)
        weight = cv2.blur(inside.astype(np.float32), window)
        near = cv2.blur(picture * inside[..., None].astype(np.float32), window) / np.maximum(weight, 1e-4)[..., None]
        way = near - background.color
        length = (way**2).sum(axis=-1)
        share = ((picture - background.color) * way).sum(axis=-1) / np.maximum(length, 1.0)
        share = _sharpened(share)
        # A person's colours vary: what the cut is sure of stays.
        trust = ((np.sqrt(length) - MIN_CONTRAST) / MIN_CONTRAST).clip(0, 1) * background.is_seen * (weight > 1e-3)
        alpha = trust * (0.5 * share + 0.5 * guided) + (1 - trust) * guided
    alpha = np.where(inside, 1.0, np.where(outside, 0.0, alpha))
    return (255 * alpha).round().clip(0, 255).astype(np.uint8)


def _sharpened(share: np.ndarray) -> np.ndarray:
    """Noise at both ends cut off."""
    return ((share - 0.1) / 0.8).clip(0, 1)


def _guided(image: np.ndarray, mask: np.ndarray, radius: int) -> np.ndarray:
    """Guided filter (He et al. 2010) of a mask by the image's brightness."""
    guide = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    window = (2 * radius + 1, 2 * radius + 1)
    mean_guide, mean_mask = cv2.blur(guide, window), cv2.blur(mask, window)
    covariance = cv2.blur(guide * mask, window) - mean_guide * mean_mask
    variance = cv2.blur(guide * guide, window) - mean_guide**2
    slope = covariance / (variance + 1e-4)
    offset = mean_mask - slope * mean_guide
    filtered = cv2.blur(slope, window) * guide + cv2.blur(offset, window)
    return ((filtered - 0.15) / 0.7).clip(0, 1)
