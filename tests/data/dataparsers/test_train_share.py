from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny_face import tiny_record, write_tiny_face

from nerface_ns.data.dataparsers.adnerf_dataparser import ADNeRFDataParserConfig
from nerface_ns.data.dataparsers.nerface_dataparser import NeRFaceDataParserConfig


def parse(root, split="train", **settings):
    return NeRFaceDataParserConfig(data=root, **settings).setup().get_dataparser_outputs(split)


def test_half_of_the_data_is_the_recordings_first(tiny_face):
    """Of the training frames 0, 1, 2, 4, 5 the first two, with everything that belongs to them."""
    outputs = parse(tiny_face, train_share=0.5)
    assert outputs.metadata["frame_names"] == ["train/f_0000", "train/f_0001"]
    assert [path.name for path in outputs.image_filenames] == ["f_0000.png", "f_0001.png"]
    expression = torch.from_numpy(np.stack([tiny_record(number, "train").expression for number in (0, 1)]))
    torch.testing.assert_close(outputs.cameras.metadata["expression"], expression)
    torch.testing.assert_close(outputs.metadata["train_expression"], expression)
    assert outputs.cameras.metadata["frame_index"].tolist() == [[0], [1]]
    # Their places in the whole recording stay.
    torch.testing.assert_close(outputs.cameras.times[:, 0], torch.tensor([0.0, 1 / 8]))


def test_other_splits_stay_whole(tiny_face):
    whole, half = parse(tiny_face, "test"), parse(tiny_face, "test", train_share=0.5)
    assert half.metadata["frame_names"] == whole.metadata["frame_names"]
    torch.testing.assert_close(half.cameras.times, whole.cameras.times)
    torch.testing.assert_close(half.cameras.camera_to_worlds, whole.cameras.camera_to_worlds)


def test_shuffled_frames_are_kept_by_the_index_map(tmp_path):
    """Rows 0..4 of the training file were frames 6, 0, 5, 2, 3 of the recording; 1 and 4 were held out."""
    root = write_tiny_face(tmp_path / "subject")
    rows = np.array([1, -1, 3, 4, -1, 2, 0])
    np.save(root / "index_map.npy", np.stack([np.arange(7), rows], axis=1).astype(np.float64))
    parser = NeRFaceDataParserConfig(data=root, train_share=0.6).setup()
    names = parser.get_dataparser_outputs("train").metadata["frame_names"]
    assert parser.train_rows.tolist() == [1, 3, 4]
    assert names == ["train/f_0001", "train/f_0004", "train/f_0005"]
    assert parser.num_recorded_train_frames == 5


def test_index_map_of_other_data_is_named(tmp_path):
    root = write_tiny_face(tmp_path / "subject")
    np.save(root / "index_map.npy", np.stack([np.arange(4), [0, 1, 2, 3]], axis=1))
    with pytest.raises(ValueError, match=r"index_map\.npy.*all 5 training frames, got 4"):
        parse(root, train_share=0.5)


@pytest.mark.parametrize("share", [0.0, -0.5, 1.5])
def test_share_out_of_range_is_refused(tiny_face, share):
    with pytest.raises(ValueError, match=rf"train_share: expected a number above 0 and at most 1, got {share}"):
        parse(tiny_face, train_share=share)


def test_every_format_has_it():
    assert ADNeRFDataParserConfig().train_share == NeRFaceDataParserConfig().train_share == 1.0
