import re

import numpy as np
import pytest
import torch
from tiny_face import edit_json, write_tiny_face

from nerface_ns.data.dataparsers.nerface_dataparser import NeRFaceDataParserConfig
from nerface_ns.data.face_datamanager import FaceDataManagerConfig
from nerface_ns.data.gaze_control import _kept_columns


def make_manager(root, **settings):
    config = FaceDataManagerConfig(dataparser=NeRFaceDataParserConfig(data=root), gaze_control=True, **settings)
    return config.setup(test_mode="inference")


@pytest.mark.parametrize(
    ("name", "is_kept"),
    [
        ("eyeLookDown_L", False),
        ("eyeLookOutLeft", False),
        ("EyeLookIn_R", False),
        ("blendShape1.eyeLookUp_l", False),
        ("eyeBlink_L", True),
        ("jawOpen", True),
    ],
)
def test_which_coefficients_gaze_stands_for(name, is_kept):
    assert (len(_kept_columns([name], ["eyeLook*"])) == 1) == is_kept


def test_coefficients_are_left_out_everywhere(tmp_path):
    manager = make_manager(write_tiny_face(tmp_path), gaze_coefficients=("smile*",))
    metadata, cameras = manager.train_dataset.metadata, manager.train_dataset.cameras
    assert metadata["expression_names"] == ("jawOpen", "blink")
    expected = torch.tensor([[k / 10, np.sin(k)] for k in (0, 1, 2, 4, 5)]).float()
    torch.testing.assert_close(metadata["train_expression"], expected)
    torch.testing.assert_close(cameras.metadata["expression"], expected)
    assert metadata["recorded_views"][1].shape == (9, 2)
    assert manager.eval_dataset.cameras.metadata["expression"].shape[1] == 2


def test_gaze_goes_along(tmp_path):
    metadata = make_manager(write_tiny_face(tmp_path)).train_dataset.metadata
    gaze = torch.tensor([[0.1, 0.01 * k] for k in (0, 1, 2, 4, 5)])
    torch.testing.assert_close(metadata["train_gaze"], gaze)
    recorded = torch.tensor([[0.1, 0.01 * k] for k in (0, 1, 2, 4, 5, 3, 6, 7, 8)])
    torch.testing.assert_close(metadata["recorded_gaze"], recorded)
    assert metadata["expression_names"] == ("jawOpen", "smile", "blink")


def test_other_methods_keep_all_coefficients(tmp_path):
    config = FaceDataManagerConfig(dataparser=NeRFaceDataParserConfig(data=write_tiny_face(tmp_path)))
    assert config.setup(test_mode="inference").train_dataset.metadata["train_expression"].shape[1] == 3


def test_data_without_gaze_name_the_file(tmp_path):
    root = write_tiny_face(tmp_path)
    edit_json(root / "transforms_val.json", lambda content: [frame.pop("gaze") for frame in content["frames"]])
    message = rf"{re.escape(str(root / 'transforms_val.json'))}: expected a gaze .* in each frame.* found none"
    with pytest.raises(ValueError, match=message):
        make_manager(root)


def test_a_coefficient_has_to_be_left(tmp_path):
    with pytest.raises(ValueError, match=r"gaze_coefficients \['\*'\]: expected to leave a coefficient, got 0"):
        make_manager(write_tiny_face(tmp_path), gaze_coefficients=("*",))
