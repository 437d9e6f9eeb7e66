"""Which of this package's dataparsers reads a folder."""

from __future__ import annotations

from pathlib import Path

from nerface_ns.data.dataparsers.adnerf_dataparser import ADNeRFDataParserConfig
from nerface_ns.data.dataparsers.face_dataparser import FaceDataParserConfig
from nerface_ns.data.dataparsers.flame_dataparser import FlameDataParserConfig
from nerface_ns.data.dataparsers.nerface_dataparser import NeRFaceDataParserConfig
from nerface_ns.data.dataparsers.nerfblendshape_dataparser import NeRFBlendShapeDataParserConfig
from nerface_ns.data.flame.layouts import detect_layout
from nerface_ns.data.frame_json import read_json_object

DATAPARSERS: dict[str, type[FaceDataParserConfig]] = {
    "nerface-data": NeRFaceDataParserConfig,
    "nerfblendshape-data": NeRFBlendShapeDataParserConfig,
    "flame-data": FlameDataParserConfig,
    "adnerf-data": ADNeRFDataParserConfig,
}
"""Formats by the name under which nerfstudio knows them."""

FRAME_KEYS = {
    "exp_ori": "nerfblendshape-data",
    "exp_path": "flame-data",
    "flame_param_path": "flame-data",
    "expression": "nerface-data",
    "aud_id": "adnerf-data",
    "img_id": "adnerf-data",
}
"""Key of a frame that tells its format, the first that is there."""


def detect_dataparser(root: Path) -> str:
    """Tell a folder's format by its files.

    Raises:
        FileNotFoundError: There is no such folder.
        ValueError: It looks like none of the formats, or its frame file does not parse.
    """
    if not root.is_dir():
        raise FileNotFoundError(f"{root}: expected a dataset folder here, found none")
    for name in ("transforms.json", "transforms_train.json", "transforms_val.json"):
        if not (root / name).is_file():
            continue
        frames = read_json_object(root / name).get("frames")
        first = frames[0] if isinstance(frames, list) and frames and isinstance(frames[0], dict) else {}
        for key, dataparser in FRAME_KEYS.items():
            if key in first:
                return dataparser
    try:
        detect_layout(root)
    except ValueError as error:
        raise ValueError(
            f"{root}: expected a dataset of {', '.join(DATAPARSERS)}, found nothing that tells its format; name it "
            "with --dataparser"
        ) from error
    return "flame-data"
