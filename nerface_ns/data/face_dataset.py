"""Images of a split as nerfstudio's dataset, one at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from nerfstudio.data.dataparsers.base_dataparser import DataparserOutputs
from nerfstudio.data.datasets.base_dataset import InputDataset

from nerface_ns.data.frame_store import FrameStore, decode_frame, open_frame_store


class FaceDataset(InputDataset):
    """Frames of a face: colour and, where the data have mattes, "alpha".

    Whole images are read from the memory-mapped store once `open_store` was called, else straight from their files, so
    a viewer or an evaluation of a few frames decodes no more than it shows.

    Args:
        dataparser_outputs: Output of a face dataparser, whose cameras carry the image size wanted.
        scale_factor: Must be 1; the dataparser's `resolution` is this package's way to train on smaller images.
    """

    def __init__(self, dataparser_outputs: DataparserOutputs, scale_factor: float = 1.0) -> None:
        if scale_factor != 1.0:
            raise ValueError(
                f"camera_res_scale_factor: expected 1, got {scale_factor}; set the dataparser's resolution instead"
            )
        super().__init__(dataparser_outputs, scale_factor)
        self.height, self.width = dataparser_outputs.metadata["image_size"]
        self.alpha_filenames = dataparser_outputs.metadata.get("alpha_filenames")
        self._store: FrameStore | None = None

    def open_store(self) -> FrameStore:
        """The memory-mapped store of all frames, built on the first run over these images."""
        if self._store is None:
            self._store = open_frame_store(self.image_filenames, self.alpha_filenames, self.height, self.width)
        return self._store

    def get_frame(self, image_idx: int) -> UInt8[np.ndarray, "height width channels"]:
        """One frame; a fourth channel is the matte."""
        if self._store is not None:
            return self._store.read(image_idx)
        alpha = None if self.alpha_filenames is None else self.alpha_filenames[image_idx]
        return decode_frame(self.image_filenames[image_idx], alpha, self.height, self.width)

    def get_numpy_image(self, image_idx: int) -> UInt8[np.ndarray, "height width 3"]:
        """One image without its matte."""
        return self.get_frame(image_idx)[..., :3]

    def get_data(self, image_idx: int, image_type: str = "float32") -> dict[str, Any]:
        """One image with its index and matte; float images and mattes are in [0, 1]."""
        frame = torch.from_numpy(np.array(self.get_frame(image_idx)))
        if image_type not in ("float32", "uint8"):
            raise ValueError(f"image_type: expected 'float32' or 'uint8', got {image_type!r}")
        if image_type == "float32":
            frame = frame.float() / 255
        data: dict[str, Any] = {"image_idx": image_idx, "image": frame[..., :3].contiguous()}
        if frame.shape[-1] == 4:
            data["alpha"] = frame[..., 3:].contiguous()
        return data
