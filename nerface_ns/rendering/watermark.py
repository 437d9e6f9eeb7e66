"""Marks pictures as made by a machine: a label that people read, and a comment that programs read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from nerface_ns.rendering.picture_layout import AnyPicture

LABEL = "SYNTHETIC"
"""What is drawn."""
COMMENT = "Synthetic video: rendered from a neural avatar (nerface-ns), driven by somebody else's expressions"
"""What a file's metadata say."""
LEAST_LETTER_PX, LETTER_SHARE = 9, 0.035
"""Height of a letter: this many pixels or this share of the picture's height, whichever is more."""
SHADE = 0.35
"""What is left of the picture's brightness behind the label."""


def labelled(picture: AnyPicture) -> AnyPicture:
    """Return a picture with the label in its lower right corner; where it was cut out, the label is opaque."""
    import cv2

    height, width = picture.shape[:2]
    letter_px = max(LEAST_LETTER_PX, round(LETTER_SHARE * height))
    margin = max(2, letter_px // 4)
    letters = _letters(letter_px)
    if letters.shape[1] + 2 * margin > width or letters.shape[0] + 2 * margin > height:
        share = min((width - 2 * margin) / letters.shape[1], (height - 2 * margin) / letters.shape[0])
        size = max(1, int(letters.shape[1] * share)), max(1, int(letters.shape[0] * share))
        letters = cv2.resize(letters, size, interpolation=cv2.INTER_AREA)
    mask = np.pad(letters, margin)[:height, :width, None]
    result = picture.copy()
    corner = result[-mask.shape[0] :, -mask.shape[1] :]
    shaded = corner[..., :3] * SHADE
    corner[..., :3] = (shaded + (255 - shaded) * mask).round().astype(np.uint8)
    corner[..., 3:] = 255
    return result


def all_labelled(frames: Iterable[AnyPicture]) -> Iterator[AnyPicture]:
    """Label every frame."""
    for frame in frames:
        yield labelled(frame)


def _letters(letter_px: int) -> np.ndarray:
    """Opacity (rows, columns) of the label in [0, 1]."""
    import cv2

    font, thickness = cv2.FONT_HERSHEY_SIMPLEX, max(1, round(letter_px / 9))
    # At scale 1 the font's capitals are 21 pixels high.
    scale = letter_px / 21
    (width, height), below = cv2.getTextSize(LABEL, font, scale, thickness)
    canvas = np.zeros((height + below, width), dtype=np.uint8)
    cv2.putText(canvas, LABEL, (0, height), font, scale, (255,), thickness, cv2.LINE_AA)
    return canvas.astype(np.float32) / 255
