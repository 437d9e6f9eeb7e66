"""Any format, written as NerFace's and read back, trains on the same rays, conditions and boxes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from blendshape_folder import write_blendshape
from flame_folders import WRITERS
from tiny_face import write_tiny_face

from nerface_ns.data.dataparsers.adnerf_dataparser import ADNeRFDataParserConfig
from nerface_ns.data.dataparsers.dataparser_choice import DATAPARSERS, detect_dataparser
from nerface_ns.data.dataparsers.flame_dataparser import FlameDataParserConfig
from nerface_ns.data.dataparsers.nerface_dataparser import NeRFaceDataParserConfig
from nerface_ns.data.dataparsers.nerfblendshape_dataparser import NeRFBlendShapeDataParserConfig
from nerface_ns.data.face_rays import FaceRayGenerator
from nerface_ns.data.frame_store import decode_frame
from nerface_ns.data.nerface_writer import write_nerface_dataset
from nerface_ns.scripts.convert import ConvertCommand, main

BLENDSHAPE = {"num_test_frames": 4, "num_val_frames": 2}


def source_of(kind: str, tmp_path: Path):
    """Dataparser config of a made-up dataset of a format."""
    root = tmp_path / kind
    if kind == "nerface":
        return NeRFaceDataParserConfig(data=write_tiny_face(root))
    if kind == "nerfblendshape":
        return NeRFBlendShapeDataParserConfig(data=write_blendshape(root), **BLENDSHAPE)
    root.mkdir()
    WRITERS[kind](root)
    return FlameDataParserConfig(data=root, num_val_frames=2)


def all_rays(cameras):
    """Rays of the corners and the middle of every image."""
    height, width = int(cameras.height[0]), int(cameras.width[0])
    pixels = [(0, 0), (0, width - 1), (height - 1, 0), (height - 1, width - 1), (height // 2, width // 2)]
    rows = [[camera, row, column] for camera in range(len(cameras)) for row, column in pixels]
    return FaceRayGenerator(cameras)(torch.tensor(rows))


@pytest.mark.parametrize("kind", ["nerface", "nerfblendshape", *WRITERS])
def test_round_trip(kind, tmp_path):
    source = source_of(kind, tmp_path)
    counts = main(ConvertCommand(source, tmp_path / "out"))
    before, after = source.setup(), NeRFaceDataParserConfig(data=tmp_path / "out").setup()
    assert counts == {split: len(frames) for split, frames in before.sequence.splits.items()}
    for split in before.sequence.splits:
        old, new = before.get_dataparser_outputs(split), after.get_dataparser_outputs(split)
        rays, again = all_rays(old.cameras), all_rays(new.cameras)
        torch.testing.assert_close(again.origins, rays.origins, atol=1e-6, rtol=0)
        torch.testing.assert_close(again.directions, rays.directions, atol=1e-6, rtol=0)
        torch.testing.assert_close(again.times, rays.times)
        torch.testing.assert_close(new.cameras.metadata["expression"], old.cameras.metadata["expression"])
        for key in {"face_boxes", "region_boxes"} & old.metadata.keys():
            torch.testing.assert_close(new.metadata.get(key), old.metadata.get(key))
        assert new.metadata["expression_names"] == old.metadata["expression_names"]
        torch.testing.assert_close(new.metadata["near_far"], old.metadata["near_far"])
        for row in range(len(old.image_filenames)):
            pictures = [
                decode_frame(
                    outputs.image_filenames[row],
                    outputs.metadata["alpha_filenames"][row] if "alpha_filenames" in outputs.metadata else None,
                    *outputs.metadata["image_size"],
                )
                for outputs in (old, new)
            ]
            np.testing.assert_array_equal(*pictures)
    assert (before.sequence.background_filename is None) == (after.sequence.background_filename is None)


def test_sources_are_written_down_and_links_take_no_space(tmp_path):
    source = source_of("imavatar", tmp_path)
    main(ConvertCommand(source, tmp_path / "out", image_files="link"))
    sources = json.loads((tmp_path / "out" / "source_frames.json").read_text())
    assert sources["test/f_00023"] == "image/24.png"
    linked = tmp_path / "out" / "test" / "f_00023.png"
    assert linked.stat().st_ino == (source.data / "image" / "24.png").stat().st_ino


def test_existing_folder_is_left_alone(tmp_path):
    (tmp_path / "out").mkdir()
    with pytest.raises(ValueError, match=r"out: expected a folder that is not there yet"):
        main(ConvertCommand(source_of("nerface", tmp_path), tmp_path / "out"))


def test_frames_with_lenses_of_their_own_do_not_fit(tmp_path):
    """The format has one set of intrinsics a file; nothing half-written is left."""
    sequence = source_of("nerface", tmp_path).setup().sequence
    sequence.splits["train"].intrinsics_px[2, 0] *= 1.1
    with pytest.raises(ValueError, match=r"frame 2 .*expected the intrinsics of the split's first frame"):
        write_nerface_dataset(sequence, tmp_path / "out")
    assert not (tmp_path / "out").exists() and not (tmp_path / "out.part").exists()


def test_unwritable_place(tmp_path):
    sequence = source_of("nerface", tmp_path).setup().sequence
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=r"cannot be written"):
        write_nerface_dataset(sequence, tmp_path / "file" / "out")


@pytest.mark.parametrize("kind", ["nerface", "nerfblendshape", *WRITERS])
def test_format_is_told_by_the_files(kind, tmp_path):
    source = source_of(kind, tmp_path)
    assert DATAPARSERS[detect_dataparser(source.data)] is type(source)


def test_reference_person_survives(shared_data, tmp_path):
    """AD-NeRF's example, a tenth of its training frames: the test split's rays and coefficients, and the background."""
    source = ADNeRFDataParserConfig(data=shared_data / "adnerf_obama", train_share=0.1)
    main(ConvertCommand(source, tmp_path / "out"))
    old = source.setup().get_dataparser_outputs("test")
    new = NeRFaceDataParserConfig(data=tmp_path / "out").setup().get_dataparser_outputs("test")
    torch.testing.assert_close(all_rays(new.cameras).directions, all_rays(old.cameras).directions, atol=1e-6, rtol=0)
    torch.testing.assert_close(new.cameras.metadata["expression"], old.cameras.metadata["expression"])
    assert new.metadata["background_filename"].name == "00050.jpg"


def test_format_of_adnerf(shared_data):
    assert DATAPARSERS[detect_dataparser(shared_data / "adnerf_obama")] is ADNeRFDataParserConfig
    assert detect_dataparser(shared_data / "head_a") == "nerface-data"


def test_folder_of_no_format(tmp_path):
    with pytest.raises(ValueError, match=r"found nothing that tells its format"):
        detect_dataparser(tmp_path)
