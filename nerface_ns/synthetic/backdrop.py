"""The demo sequence's static background photograph: a room out of focus, painted by this module."""

from __future__ import annotations

import cv2
import numpy as np

from nerface_ns.synthetic.noise import fractal_noise, smoothstep

_BOOKS = np.array([[150, 60, 52], [206, 176, 116], [58, 92, 84], [70, 80, 122], [188, 120, 66], [120, 58, 84]]) / 255.0
_WALL, _SKY, _WOOD, _FRAME, _LEAF = (
    np.array(c) / 255.0 for c in ([190, 184, 172], [214, 230, 242], [120, 84, 58], [232, 228, 220], [88, 124, 74])
)


def make_backdrop(height: int, width: int, seed: int) -> np.ndarray:
    """Paint a blurred window, bookshelf and plant; the picture is the same at every size.

    Returns:
        (height, width, 3) sRGB in [0, 1].
    """
    random = np.random.default_rng([seed, 77])
    side = 512
    y, x = np.mgrid[0:side, 0:side].astype(np.float32) / side
    image = _WALL * (1.08 - 0.30 * x - 0.15 * y)[..., None]
    _window(image, x, y)
    _bookshelf(image, x, y, random)
    for _ in range(70):
        stem_x, stem_y = random.normal(0.13, 0.05), random.normal(0.80, 0.08)
        leaf = np.exp(-(((x - stem_x) / 0.016) ** 2) - ((y - stem_y) / 0.040) ** 2)[..., None]
        image += leaf * (_LEAF * random.uniform(0.6, 1.25) - image) * 0.8
    image = cv2.GaussianBlur(image.astype(np.float32), (0, 0), side * 0.010)
    grain = fractal_noise(np.stack([x, y], -1) * 150.0, seed=seed + 5, octaves=2)
    image = np.clip(image * (1.0 + 0.03 * grain[..., None]), 0.0, 1.0)
    method = cv2.INTER_AREA if max(width, height) <= side else cv2.INTER_CUBIC
    return cv2.resize(image, (width, height), interpolation=method).clip(0.0, 1.0)


def _window(image: np.ndarray, x: np.ndarray, y: np.ndarray) -> None:
    """A bright window with a cross bar at the upper left, in place."""
    inside = (x > 0.05) & (x < 0.33) & (y > 0.06) & (y < 0.56)
    bars = (np.abs(x - 0.19) < 0.011) | (np.abs(y - 0.30) < 0.011)
    frame = (x > 0.025) & (x < 0.355) & (y > 0.035) & (y < 0.585)
    image[frame] = _FRAME
    hills = smoothstep(0.44, 0.47, y + 0.03 * np.sin(x * 21.0))
    view = _SKY + hills[..., None] * (_LEAF * 1.15 - _SKY)
    image[inside & ~bars] = view[inside & ~bars]


def _bookshelf(image: np.ndarray, x: np.ndarray, y: np.ndarray, random: np.random.Generator) -> None:
    """Four boards of books of many colours at the right, in place."""
    left, pitch, board = 0.62, 0.205, 0.018
    image[(x > left) & (y > 0.03)] = _WOOD * 0.45
    for shelf in range(5):
        floor = 0.03 + pitch * (shelf + 1)
        start = left + 0.012
        while start < 1.0:
            thickness, tall = random.uniform(0.016, 0.042), random.uniform(0.55, 0.85) * pitch
            book = (x >= start) & (x < start + thickness * 0.93) & (y < floor) & (y > floor - tall)
            image[book] = _BOOKS[random.integers(len(_BOOKS))] * random.uniform(0.65, 1.15)
            start += thickness + (0.05 if random.random() < 0.08 else 0.0)
        image[(x > left) & (y >= floor) & (y < floor + board)] = _WOOD
    image[(x > left) & (x < left + 0.014) & (y > 0.03)] = _WOOD
