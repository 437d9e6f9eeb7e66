"""Readers of whole dataset folders: one file of a folder is damaged, and the folder is read as training reads it."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fuzzed_readers import Reader

WRITERS = Path(__file__).resolve().parents[1] / "tests" / "data"
"""Tiny folders of every layout are written by the tests' own modules."""


def layout_readers(work: Path) -> list[Reader]:
    """Return a reader for each file of parameters in each layout; folders to begin from are made below `work`."""
    from nerface_ns.data.dataparsers.adnerf_dataparser import ADNeRFDataParserConfig
    from nerface_ns.data.dataparsers.flame_dataparser import FlameDataParserConfig
    from nerface_ns.data.dataparsers.nerfblendshape_dataparser import NeRFBlendShapeDataParserConfig

    sys.path[:0] = [str(WRITERS), str(WRITERS / "dataparsers")]
    flame, blendshape = (importlib.import_module(name) for name in ("flame_folders", "blendshape_folder"))

    def nerfblendshape(root: Path) -> Any:
        return NeRFBlendShapeDataParserConfig(data=root, num_test_frames=3, num_val_frames=2)

    def of_flame(root: Path) -> Any:
        return FlameDataParserConfig(data=root)

    def adnerf(root: Path) -> Any:
        return ADNeRFDataParserConfig(data=root, num_val_frames=2, test_fraction=0.2)

    layouts: list[tuple[str, Callable[[Path], Any], Callable[[Path], Any], tuple[str, ...]]] = [
        ("nerfblendshape", blendshape.write_blendshape, nerfblendshape, ("transforms.json", "ori_imgs/1.lms")),
        ("insta", flame.write_insta, of_flame, ("transforms.json", "flame/exp/00001.txt")),
        ("vhap", flame.write_vhap, of_flame, ("transforms.json", "flame_param/00001.npz")),
        ("imavatar", flame.write_imavatar, of_flame, ("flame_params.json",)),
        ("head_avatars", flame.write_head_avatars, of_flame, ("tracked_flame_params.npz", "split.json")),
        ("adnerf", _write_adnerf, adnerf, ("transforms_val.json", "exp.npy")),
        ("metrical", flame.write_metrical, of_flame, ("checkpoint/00001.frame",)),
    ]
    readers = []
    for layout, write, config, names in layouts:
        root = work / f"whole_{layout}"
        root.mkdir()
        write(root)
        files = {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}
        for name in names:
            readers.append(Reader(f"{layout}_{Path(name).name}", name, [files[name]], _reading(config, name), files))
    return readers


def _write_adnerf(root: Path) -> None:
    """Write ten frames in AD-NeRF's layout."""
    import numpy as np
    from PIL import Image

    frames = []
    for number in range(10):
        pose = np.eye(4)
        pose[:3, 3] = 0.01 * number, 0.0, 0.8
        frames.append({"img_id": number, "transform_matrix": pose.tolist(), "face_rect": [4, 2, 8, 7]})
        (root / "frames").mkdir(exist_ok=True)
        Image.fromarray(np.full((12, 16, 3), number, dtype=np.uint8)).save(root / "frames" / f"{number}.jpg")
    Image.fromarray(np.full((12, 16, 3), 200, dtype=np.uint8)).save(root / "bc.jpg")
    np.save(root / "exp.npy", np.arange(40, dtype=np.float32).reshape(10, 4))
    content = {"focal_len": 50.0, "cx": 8.0, "cy": 6.0, "frames": frames}
    (root / "transforms_val.json").write_text(json.dumps(content))


def _reading(config: Callable[[Path], Any], name: str) -> Callable[[Path], Any]:
    depth = len(Path(name).parts) - 1

    def read(path: Path) -> Any:
        parser = config(path.parents[depth]).setup()
        parser.tells_errors = False
        return parser.get_dataparser_outputs("train")

    return read
