"""A bar under a picture whose colour says how far its expression lies outside the trained range."""

from __future__ import annotations

import numpy as np

from nerface_ns.rendering.picture_layout import AnyPicture

RED_AT = 0.5
"""Extrapolation at which the bar is red: half of the trained range's width."""
SAFE, DOUBTFUL, WRONG = (60, 180, 90), (240, 190, 60), (220, 50, 50)
BAR_SHARE = 24
"""The bar's height is this part of the picture's, and at least 4 pixels."""


def bar_colour(extrapolation: float) -> tuple[int, int, int]:
    """Return green for nothing outside the range, then over yellow to red at `RED_AT`."""
    share = float(np.clip(extrapolation / RED_AT, 0, 1))
    red, green, blue = (round(float(np.interp(share, (0, 0.5, 1), part))) for part in zip(SAFE, DOUBTFUL, WRONG))
    return red, green, blue


def with_extrapolation_bar(picture: AnyPicture, extrapolation: float) -> AnyPicture:
    """Add the bar below a picture."""
    height, width, channels = picture.shape
    bar = np.full((max(4, height // BAR_SHARE), width, channels), 255, dtype=np.uint8)
    bar[..., :3] = bar_colour(extrapolation)
    return np.concatenate([picture, bar])
