"""What stands behind the head: it belongs to the image plane, because the camera is static and the head moves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Optional, Tuple, Type

import cv2
import numpy as np
import torch
from jaxtyping import Float
from nerfstudio.configs.base_config import InstantiateConfig
from nerfstudio.model_components import renderers
from torch import Tensor, nn

BackgroundMode = Literal["auto", "photograph", "learned", "colour"]


@dataclass
class BackgroundConfig(InstantiateConfig):
    """Colours behind the head."""

    _target: Type = field(default_factory=lambda: Background)
    """Target class to instantiate."""
    mode: BackgroundMode = "auto"
    """"photograph": the data's; "learned": an image trained with the head, which starts from the photograph, else
    grey; "colour": `colour`; "auto": the photograph where the data have one, else learned."""
    colour: Tuple[float, float, float] = (1.0, 1.0, 1.0)
    """Red, green, blue in [0, 1] of mode "colour"."""
    random_in_training: bool = False
    """Compose training rays over random colours, so that no head colour hides in the background; needs mattes."""


class Background(nn.Module):
    """Image behind the head, looked up by a ray's place in the image.

    Args:
        config: Mode.
        image_size: Height and width of the training images.
        photograph: The data's background photograph.
        others: Those of further persons in the data, each of whom then has a background; None for one without.

    Raises:
        FileNotFoundError: A photograph is asked for, and the data have none.
        ValueError: The photograph cannot be read.
    """

    def __init__(
        self,
        config: BackgroundConfig,
        image_size: Tuple[int, int],
        photograph: Optional[Path],
        others: Sequence[Optional[Path]] = (),
    ) -> None:
        super().__init__()
        self.config = config
        self.mode = config.mode
        photographs = [photograph, *others]
        if self.mode == "auto":
            self.mode = "learned" if None in photographs else "photograph"
        if self.mode == "photograph" and None in photographs:
            raise FileNotFoundError(
                "background.mode photograph: expected a background photograph in the data, got none"
            )
        images = torch.cat([self._first_image(image_size, path) for path in photographs])
        self.image = nn.Parameter(images, requires_grad=self.mode == "learned")

    def _first_image(self, image_size: Tuple[int, int], photograph: Optional[Path]) -> Float[Tensor, "1 3 h w"]:
        """What a background is before training."""
        if self.mode == "colour":
            image = torch.tensor(self.config.colour).reshape(1, 1, 3)
        elif photograph is not None:
            image = torch.from_numpy(read_photograph(photograph, image_size))
        else:
            image = torch.full((*image_size, 3), 0.5)
        return image.permute(2, 0, 1)[None].contiguous()

    def forward(
        self,
        pixel_position: Float[Tensor, "num_rays 2"],
        aspect: Optional[float] = None,
        identity: Optional[Float[Tensor, "num_rays num_identities"]] = None,
    ) -> Float[Tensor, "num_rays 3"]:
        """Return background colours in [0, 1]; where a viewer's or a camera path's crop names one, its colour.

        Args:
            pixel_position: Column and row of pixel centres as fractions of the image.
            aspect: Width over height of the rendered image where it differs from the training images': the
                background then covers it, cut at two edges.
            identity: Shares of the persons whose backgrounds these are; None for the first one's.
        """
        if renderers.BACKGROUND_COLOR_OVERRIDE is not None:
            return renderers.BACKGROUND_COLOR_OVERRIDE.to(pixel_position).expand(len(pixel_position), 3)
        centred = pixel_position * 2 - 1
        if aspect is not None:
            ratio = aspect / (self.image.shape[3] / self.image.shape[2])
            centred = centred * centred.new_tensor([min(ratio, 1.0), min(1 / ratio, 1.0)])
        # One picture whose channels are those of all persons.
        image = self.image[:1] if identity is None else self.image.flatten(0, 1)[None]
        colours = nn.functional.grid_sample(
            image, centred[None, None], mode="bilinear", padding_mode="border", align_corners=False
        )[0, :, 0].T
        if identity is not None:
            colours = (identity[:, :, None] * colours.unflatten(1, (-1, 3))).sum(dim=1)
        return colours.clamp(0, 1)


def read_photograph(path: Path, image_size: Tuple[int, int]) -> np.ndarray:
    """Return a background photograph at the size of the frames, (height, width, 3) in [0, 1].

    Raises:
        ValueError: It is no readable image.
    """
    from nerface_ns.data.image_file import check_image_header

    fault = f"{path}: expected a readable background image, got {path.stat().st_size} bytes that are none"
    try:
        check_image_header(path)
    except ValueError as error:
        raise ValueError(f"{fault}: {error}") from error
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise ValueError(fault)
    height, width = image_size
    if image.shape[:2] != (height, width):
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    return image[..., ::-1].astype(np.float32) / 255
