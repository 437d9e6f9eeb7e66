"""What is put behind a rendered head."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor


@dataclass(frozen=True)
class Backdrop:
    """The recorded background, one colour, or nothing."""

    colour: tuple[float, float, float] | None = None
    """Red, green, blue in [0, 1]; None for the recorded background."""
    is_transparent: bool = False
    """Whether the head is cut out, with its opacity as alpha."""

    @classmethod
    def parse(cls, text: str) -> Backdrop:
        """Read "recorded", "transparent" or a colour as Pillow names them.

        Raises:
            ValueError: It is none of these.
        """
        from PIL import ImageColor

        if text in ("recorded", "transparent"):
            return cls(is_transparent=text == "transparent")
        try:
            red, green, blue = ImageColor.getrgb(text)[:3]
        except ValueError as error:
            raise ValueError(
                f"--background {text}: expected recorded, transparent, or a colour such as white or #20c040"
            ) from error
        return cls(colour=(red / 255, green / 255, blue / 255))

    def picture(self, model: Any, outputs: dict[str, Tensor]) -> UInt8[np.ndarray, "height width channels"]:
        """Compose a model's outputs of one image; transparent pictures have straight (not premultiplied) colours."""
        if self.is_transparent:
            image = model.get_rgba_image(outputs)
        elif self.colour is None:
            image = outputs["rgb"]
        else:
            colour = torch.tensor(self.colour).to(outputs["rgb"])
            image = outputs["foreground"] + (1 - outputs["accumulation"]) * colour
        return (image.detach().clamp(0, 1) * 255).round().to(torch.uint8).cpu().numpy()
