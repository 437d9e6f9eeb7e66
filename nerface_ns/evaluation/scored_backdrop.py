"""One colour behind the head for scoring, in the rendered and in the true pictures alike.

NeRFBlendShape trains before the recorded background and tests before white.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Float
from nerfstudio.model_components import renderers
from torch import Tensor

from nerface_ns.rendering.backdrop import Backdrop


@contextmanager
def scored_before(background: str) -> Iterator[None]:
    """Let the models inside the context show a background, and `true_picture` put it into the recorded images.

    Args:
        background: "recorded", which changes nothing, or a colour as Pillow names them.

    Raises:
        ValueError: It is neither.
    """
    backdrop = Backdrop.parse(background)
    if backdrop.is_transparent:
        raise ValueError(
            "--background transparent: expected recorded or a colour, before which pictures can be compared"
        )
    if backdrop.colour is None:
        yield
        return
    with renderers.background_color_override_context(torch.tensor(backdrop.colour)):
        yield


def true_picture(
    image: Float[Tensor, "height width 3"], alpha: Float[Tensor, "height width 1"] | None, model: Any, where: str
) -> Float[Tensor, "height width 3"]:
    """Return a recorded image before the background that `scored_before` asks for.

    What a pixel at the head's edge shows of the recorded background is taken away where that is a photograph.

    Args:
        image: Recorded colours in [0, 1].
        alpha: Its matte.
        model: Whose photograph of the background is known.
        where: Words that name the frame, for the error.

    Raises:
        ValueError: There is no matte.
    """
    colour = renderers.BACKGROUND_COLOR_OVERRIDE
    if colour is None:
        return image
    if alpha is None:
        raise ValueError(f"--background: {where}: expected a matte, which tells the head from the background, got none")
    foreground = alpha * image
    background = getattr(model, "background", None)
    if background is not None and background.mode == "photograph":
        photograph = background.image[0].permute(1, 2, 0).to(image)
        foreground = torch.minimum((image - (1 - alpha) * photograph).clamp(min=0), alpha)
    return foreground + (1 - alpha) * colour.to(image)
