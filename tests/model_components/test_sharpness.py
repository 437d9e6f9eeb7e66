"""CPBD against a port of the paper's description with plain loops, and against edges of known width."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from nerface_ns.model_components.sharpness import cpbd, edge_widths, vertical_edges


def slow_cpbd(image: np.ndarray) -> float | None:
    """Pixel by pixel, with numbers written out again: blocks of 64, 0.2 %, widths 5 and 3, exponent 3.6, 0.63."""
    height, width = image.shape[:2]
    grey = [[round(float(255 * (0.299 * r + 0.587 * g + 0.114 * b))) for r, g, b in row] for row in image]

    def at(y: int, x: int) -> float:
        return grey[min(max(y, 0), height - 1)][min(max(x, 0), width - 1)]

    def gradient(y: int, x: int) -> float:
        if not 0 <= x < width:
            return 0.0
        right = at(y - 1, x + 1) + 2 * at(y, x + 1) + at(y + 1, x + 1)
        left = at(y - 1, x - 1) + 2 * at(y, x - 1) + at(y + 1, x - 1)
        return abs(right - left) / 8

    square = sum(gradient(y, x) ** 2 for y in range(height) for x in range(width)) / (height * width)
    threshold = math.sqrt(4 * square)
    side_y, side_x = min(64, height), min(64, width)
    unseen, total = 0, 0
    for top in range(0, height - side_y + 1, side_y):
        for left in range(0, width - side_x + 1, side_x):
            pixels = [(y, x) for y in range(top, top + side_y) for x in range(left, left + side_x)]
            edges = []
            for y, x in pixels:
                here = gradient(y, x)
                if here > max(threshold, 1e-6) and here > gradient(y, x - 1) and here >= gradient(y, x + 1):
                    edges.append((y, x))
            if len(edges) <= 0.002 * len(pixels):
                continue
            levels = [grey[y][x] for y, x in pixels]
            just_seen = 5 if max(levels) - min(levels) <= 50 else 3
            for y, x in edges:
                unseen += 1 - math.exp(-((slow_width(grey[y], x) / just_seen) ** 3.6)) < 0.635
                total += 1
    return unseen / total if total else None


def slow_width(row: list[float], x: int) -> int:
    """Pixels that go up (or down) on and on around a place."""
    sign = [(b > a) - (b < a) for a, b in pairwise(row)]
    direction = (sign[x - 1] if x > 0 else 0) or (sign[x] if x < len(sign) else 0)
    left, right = x, x
    while left > 0 and sign[left - 1] == direction:
        left -= 1
    while right < len(sign) and sign[right] == direction:
        right += 1
    return right - left


def smooth_noise(height: int, width: int, blur: int, seed: int) -> np.ndarray:
    image = np.random.default_rng(seed).random((height, width + blur - 1, 3))
    return np.mean([image[:, start : start + width] for start in range(blur)], axis=0)


@pytest.mark.parametrize(("height", "width", "blur"), [(64, 130, 1), (30, 50, 3), (70, 64, 6), (9, 200, 4)])
def test_matches_plain_loops(height, width, blur):
    image = smooth_noise(height, width, blur, seed=height)
    assert cpbd(image) == pytest.approx(slow_cpbd(image), abs=1e-12)


def ramps(length: int, low: float = 0.2, high: float = 0.8) -> np.ndarray:
    """Vertical edges that rise over so many pixels and stand apart."""
    profile = np.interp(np.arange(64), [20, 20 + length], [low, high])
    return np.repeat(np.repeat(profile[None, :, None], 64, axis=0), 3, axis=2)


@pytest.mark.parametrize("length", [1, 2, 3, 5, 8])
def test_widths_of_ramps(length):
    grey = np.round(ramps(length)[..., 0] * 255)
    is_edge = vertical_edges(grey)
    assert is_edge.any(axis=1).all()
    assert set(edge_widths(grey, is_edge)[is_edge].tolist()) == {float(length)}


@pytest.mark.parametrize(("contrast", "length", "expected"), [(0.6, 3, 1), (0.6, 4, 0), (0.15, 5, 1), (0.15, 6, 0)])
def test_blur_is_seen_beyond_the_just_noticeable_width(contrast, length, expected):
    """3 pixels at high contrast and 5 at low; at that width itself it is just not seen."""
    assert cpbd(ramps(length, 0.3, 0.3 + contrast)) == expected


def test_blurring_lowers_it():
    """Stripes of random greys: steps are sharp, ramps over five pixels are not where contrast is high."""
    stripes = np.random.default_rng(3).random(8).repeat(16)[None, :, None].repeat(64, axis=0).repeat(3, axis=2)
    padded = np.pad(stripes, ((0, 0), (2, 2), (0, 0)), mode="edge")
    blurred = np.mean([padded[:, at : at + 128] for at in range(5)], axis=0)
    assert cpbd(stripes) == 1 and cpbd(blurred) == 0


@pytest.mark.parametrize("image", [np.full((70, 70, 3), 0.4), np.zeros((2, 9, 3))])
def test_no_edges(image):
    assert cpbd(image) is None
